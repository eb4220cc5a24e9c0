"""BLEU and chrF, by sacreBLEU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from suite.errors import MissingExtra


class BleuAndChrf(TypedDict):
    """Corpus BLEU and chrF, 0 … 100, and the signature that says how BLEU was computed."""

    bleu: float
    chrf: float
    bleu_signature: str


def bleu_and_chrf(found: Sequence[str], wanted: Sequence[Sequence[str]], what: str) -> BleuAndChrf:
    """Corpus BLEU (Papineni et al., 2002) and chrF (Popović, 2015), 0 … 100, with sacreBLEU's defaults.

    Args:
        found: The generated texts.
        wanted: The references of each text, one or more.
        what: What needs the metric, for the error message.

    Raises:
        MissingExtra: sacreBLEU is not installed.
    """
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError as error:
        raise MissingExtra(what, "evaluate", error) from error
    # One list for the first reference of each text, one for the second, and so on.
    most = max(map(len, wanted))
    references = [[own[n] if n < len(own) else None for own in wanted] for n in range(most)]
    bleu = BLEU()
    return {
        "bleu": round(float(bleu.corpus_score(found, references).score), 2),
        "chrf": round(float(CHRF().corpus_score(found, references).score), 2),
        "bleu_signature": str(bleu.get_signature()),
    }
