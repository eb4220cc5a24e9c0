"""What tasks share that write down what is said or spelt while it comes: the options, the answers, the reader.

Data flow: outputs at every step → a search that puts letters together → words with their times → updates and results.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from suite.codecs.audio import AudioCodec
from suite.codecs.characters import CharacterCodec
from suite.decoding import ngram_lm as ngrams
from suite.decoding.ctc import BestPath, Expected, Heard, Listener, Prefixes, Search
from suite.decoding.transducer import Joined, Transduced
from suite.errors import UsageError
from suite.metrics import edit_distance, error_rates, per_source
from suite.task import Codecs, Example, Option, Result

if TYPE_CHECKING:
    from suite.inference.pipeline import Pipeline

#: Seconds without a letter that end an utterance.
PAUSE = 0.8
#: What is understood has at most so many errors a letter; this share of it may be called doubtful all the same.
UNDERSTOOD, DOUBTED = 0.2, 0.05
#: Where nothing is said: how many texts a search keeps, how much an n-gram model counts beside what is heard, and what
#: each word adds where one counts. Chosen on dev, for CTC and transducers together.
BEAM, WEIGHT, BONUS = 16, 0.25, 1.0

_SEARCHING = (
    Option(
        name="beam", type=int,
        help=f"texts kept while searching; 1 takes the likeliest letter each time and leans on nothing. If nothing is "
        f"said {BEAM}, or 1 for CTC with nothing to lean on",
    ),
    Option(
        name="lm", type=Path,
        help="an n-gram model to lean on in place of the checkpoint's own: an ARPA file, as train-lm writes",
    ),
    Option(
        name="lm_weight", type=float, default=WEIGHT,
        help="how much an n-gram model counts beside what is heard; 0: not at all",
    ),
    Option(
        name="word_bonus", type=float, default=BONUS,
        help="what each word adds where an n-gram model counts, so that none is shunned",
    ),
    Option(name="vocabulary", type=Path, help="a file of words, a line each, that are likelier than others"),
    Option(name="favour", type=float, default=1.0, help="with --vocabulary: how much likelier, for each letter"),
    Option(name="only", type=bool, default=False, help="with --vocabulary: there are no other words"),
    Option(name="pause", type=float, default=PAUSE, help="seconds without a word that end an utterance; 0: none do"),
)  # fmt: skip


def options(*verbs: str) -> tuple[Option, ...]:
    """The options of a search, for some verbs; for a verb of a task's own without."""
    return tuple(dataclasses.replace(option, verbs=verbs) for option in _SEARCHING) if verbs else _SEARCHING


@dataclass(frozen=True, kw_only=True)
class Transcript(Result):
    """``words`` have ``word``, ``start`` and ``end`` (seconds) and ``confidence``, 0 … 1, as the whole has.

    ``note`` says in a line what is wrong with the recording, or that it is unlike what the model knows. ``whole`` is
    set on the updates of a stream: whether this one is an utterance that is over. ``files`` are the subtitles written.
    """

    text: str
    confidence: float
    words: tuple[dict[str, Any], ...]
    note: str | None = None
    whole: bool | None = None
    files: tuple[str, ...] | None = None

    optional: ClassVar[tuple[str, ...]] = ("note", "whole", "files")


class TranscriptReader:
    """Outputs as they come → what is being said, and utterances that are over (see ``Task.reader``)."""

    def __init__(
        self, pipeline: Pipeline, pending: Any, *, beam: int | None = None, lm: Path | None = None,
        lm_weight: float = WEIGHT, word_bonus: float = BONUS, vocabulary: Path | None = None, only: bool = False,
        favour: float = 1.0, pause: float = PAUSE, **options: Any,
    ) -> None:  # fmt: skip
        self._codecs = pipeline.codecs
        codec, letters = self._codecs["input"], self._codecs["target"]
        assert isinstance(codec, AudioCodec)
        assert isinstance(letters, CharacterCodec)
        if beam is not None and beam < 1:
            raise UsageError(f"beam={beam}: expected a whole number from 1")
        if not 0 <= pause < math.inf:
            raise UsageError(f"pause={pause:g}: give seconds, or 0 for none")
        if not 0 <= lm_weight < math.inf:
            raise UsageError(f"lm_weight={lm_weight:g}: give a number from 0, which leans on no n-gram model")
        for name, value in (("word_bonus", word_bonus), ("favour", favour)):
            if not math.isfinite(value):
                raise UsageError(f"{name}={value:g}: give a number")
        if only and vocabulary is None:
            raise UsageError("only: of which words? give them with vocabulary")
        if beam == 1 and not (lm is None and vocabulary is None):
            raise UsageError("beam=1 leans on nothing: leave it out, or lm and vocabulary")
        model: ngrams.Model | None = letters.expects if not only and beam != 1 else None
        model = model if lm is None else ngrams.opened(lm)
        model = model if lm_weight else None
        expected = None
        if model is not None or vocabulary is not None:
            expected = Expected(
                model, weight=lm_weight, bonus=word_bonus, favour=favour, only=only,
                words=() if vocabulary is None else _words(vocabulary, _changed(vocabulary), letters),
            )  # fmt: skip
        if beam is None:
            # What CTC says knows little of texts: with nothing to lean on, the likeliest letters do.
            beam = BEAM if expected is not None or letters.criterion == "rnnt" else 1
        search: Search
        if letters.criterion == "rnnt":
            runtime = pipeline.runtime
            search = Transduced(runtime) if beam == 1 else Joined(runtime, letters, beam, expected)
        else:
            search = BestPath() if beam == 1 else Prefixes(letters, beam, expected)
        pending = pending or {"listener": None, "shown": ""}
        self._step = codec.spec.step
        self._listener = Listener(letters, search, round(pause / self._step), pending["listener"])
        self._shown: str = pending["shown"]

    def feed(self, outputs: np.ndarray) -> list[Transcript]:
        """The utterances that end here, and the one under way where it has grown."""
        found = [self._result(heard, final=False, whole=True) for heard in self._listener.feed(outputs)]
        if found:
            self._shown = ""
        heard = self._listener.heard()
        if heard.text != self._shown:
            self._shown = heard.text
            found.append(self._result(heard, final=False, whole=False))
        return found

    def finish(self, updates: Sequence[Result]) -> Transcript:
        """The answer, of the last updates and of what was not over."""
        last = self._result(self._listener.finish(), final=True)
        over = [update for update in updates if isinstance(update, Transcript) and update.whole]
        if not over:
            return last
        return dataclasses.replace(joined([*over, last], self._codecs), final=True)

    @property
    def pending(self) -> Any:
        """All that is kept between two pieces, as JSON."""
        return {"listener": self._listener.pending, "shown": self._shown}

    def _result(self, heard: Heard, *, final: bool, whole: bool | None = None) -> Transcript:
        words = tuple(
            {
                "word": word.word,
                "start": round(word.start * self._step, 3),
                "end": round(word.end * self._step, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in heard.words
        )
        note = _doubt(bool(words), heard.confidence, self._codecs) if whole or final else None
        confidence = round(heard.confidence, 4)
        return Transcript(
            input=None, final=final, text=heard.text, confidence=confidence, words=words, note=note, whole=whole
        )  # fmt: skip


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0  # reading it says what is wrong


@lru_cache(4)
def _words(path: Path, changed: int, letters: CharacterCodec) -> tuple[str, ...]:
    """The words of a file that was last ``changed`` then, a word or several a line."""
    from suite.data.readers import read_rows

    rows = read_rows(path, format="txt", text_column="words")
    return tuple(dict.fromkeys(word for row in rows for word in letters.plain(row.values["words"]).split()))


def joined(results: Sequence[Transcript], codecs: Codecs) -> Transcript:
    """One result of utterances that are over."""
    over = [result for result in results if result.whole or result.final]
    words = tuple(word for result in over for word in result.words)
    letters = sum(len(word["word"]) for word in words)
    if letters:
        logs = [len(word["word"]) * math.log(max(word["confidence"], 1e-9)) for word in words]
        confidence = math.exp(sum(logs) / letters)
    else:
        confidence = over[-1].confidence
    text = " ".join(word["word"] for word in words)
    return Transcript(
        input=None, text=text, confidence=round(confidence, 4), words=words, note=_doubt(bool(text), confidence, codecs)
    )  # fmt: skip


def _doubt(said: bool, confidence: float, codecs: Codecs) -> str | None:
    letters = codecs["target"]
    assert isinstance(letters, CharacterCodec)
    if not said or confidence >= letters.doubt:
        return None
    return f"in doubt ({confidence:.2f}): unlike what the model was trained on, words may be wrong"


def answers(pipeline: Pipeline, arrays: Sequence[np.ndarray], **options: Any) -> list[Transcript]:
    """What is said in each input, whose steps are given."""
    results = []
    for outputs in pipeline.outputs(list(arrays)):
        reader = TranscriptReader(pipeline, None, **options)
        updates = reader.feed(outputs)
        results.append(joined([*updates, reader.finish(())], pipeline.codecs))
    return results


def calibrate(results: Sequence[Any], examples: Sequence[Example], codecs: Codecs) -> Codecs:
    """The codecs with the confidence (`Letters.doubt`) that nearly all has which is understood of these examples."""
    letters = codecs["target"]
    assert isinstance(letters, CharacterCodec)
    understood = [
        result.confidence
        for result, example in zip(results, examples, strict=True)
        if result.text and edit_distance(result.text, str(example.target)) <= UNDERSTOOD * len(str(example.target))
    ]
    if not understood:
        return codecs
    doubt = round(float(np.quantile(understood, DOUBTED)), 3)
    return {**codecs, "target": dataclasses.replace(letters, doubt=doubt)}


def render(result: Any) -> str:
    """The text and what it is of, what is to be known of it, and the files that were written."""
    lines = [f"{result.text}  [{result.input}]"]
    if result.note:
        lines.append(f"  {result.note}")
    return "\n".join([*lines, *(f"  saved: {file}" for file in result.files or ())])


def render_update(result: Any, before: Any = None) -> str | None:
    """What is being said, after dots; what is over, without."""
    if not result.text:
        return None
    if not (result.whole or result.final):
        return f"… {result.text}"
    return f"{result.text}\n  {result.note}" if result.note else str(result.text)


def metrics(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    """Errors a word and a letter, and the same by source where the data names several."""
    figures = _figures(results, examples)
    apart = per_source(results, examples, _figures)
    if len(apart) > 1:
        figures["per_source"] = {
            source: {name: own[name] for name in ("items", "wer", "cer")} for source, own in apart.items()
        }
    return figures


def _figures(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    texts, wanted = [result.text for result in results], [str(example.target) for example in examples]
    return {"items": len(texts), **error_rates(texts, wanted)}
