"""The figures of the translation task: one model, from English into Italian and into German.

BLEU beside a Transformer takes an hour of two processors, so it is measured by a script of its own, and its result
is read here: ``python tests/benchmarks/transformer.py``, then ``make figures TASK=translation``
(``TRANSFORMER_RESULT=FILE`` where it was not written to docs/).
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import engine
from engine import row
from suite_translation import Source, TranslatedSentence, Translation, TranslationCodecs

from suite.codecs.sentences import split_sentences
from suite.codecs.subwords import SubwordCodec, SubwordTarget
from suite.data.batching import padding_share
from suite.inference.evaluation import evaluate
from suite.inference.loading import open_checkpoint, open_config
from suite.inference.model import LoadedModel
from suite.plugins import registry
from suite.task.reading import read_examples
from suite.task.seq2seq import GeneratedText

TranslationModel = LoadedModel[SubwordCodec, SubwordTarget]
TASK, BEAM = "translation", 5
examples_of = partial(engine.examples_of, TASK)
TRANSFORMER = Path(__file__).parents[2] / "docs" / "transformer.json"
#: By language: the folder of its parts, and by metric the floor and the aim.
LANGUAGES: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {
    "it": ("", {"bleu": (37, 46), "chrf": (60, 68)}),
    "de": ("de", {"bleu": (22, 30), "chrf": (50, 58)}),
}
#: BLEU and chrF of others, measured before on the same splits: the nearest sentence of a translation memory and the
#: source as it is (Italian: the first 1,000 of the test part), a two-layer LSTM with attention after two passes, and
#: a Transformer of its size, untuned, after one (all of it).
REFERENCES = {
    "it": {"memory": (20.0, 37.9), "source": (10.9, 37.2), "lstm": (34.3, 57.3), "transformer": (15.2, 37.2)},
    "de": {"memory": (13.5, 33.6), "source": (8.6, 29.6)},
}


def measure(
    checkpoint: Path | None = None, folder: Path | None = None, lines: int = 100_000
) -> Iterator[dict[str, Any]]:
    """Every row; of another ``checkpoint`` than the shipped one, and on another ``folder`` of the same form, if given.

    Memory is that of translating so many ``lines``, over that of a hundredth of them.
    """
    task = registry().task(TASK)
    assert task.recipe is not None
    recipe = task.recipe()
    if folder is None:
        (folder,) = engine.folders(TASK)
    place = checkpoint or task.checkpoint
    model: TranslationModel = LoadedModel.open(TASK, place)

    for language, (name, bounds) in LANGUAGES.items():
        figures, results, examples = evaluate(model, examples_of(folder / name / "test.jsonl"), beam=BEAM)
        for at, (metric, against) in enumerate(bounds.items()):
            known = {who: both[at] for who, both in REFERENCES[language].items()}
            measured = f"{metric}, en→{language}, test, {figures['items']:,}"
            yield row(measured, figures[metric], *against, higher=True, references=known)
        sources, targets = ([str(example.values[side]) for example in examples] for side in ("source", "target"))
        texts = [str(result.to_dict()["text"]) for result in results]
        for what, (share, of) in survival(sources, targets, texts).items():
            yield row(f"{what} that survive, en→{language}, test", share, None, None, higher=True, of=of)
    for language, (name, _) in LANGUAGES.items():
        cut, whole = (
            evaluate(one, examples_of(folder / name / "dev.jsonl"), beam=BEAM)[0]["bleu"]
            for one in (model, uncut(model))
        )
        measured = f"bleu cut into sentences less as one piece, en→{language}, dev"
        yield row(measured, round(cut - whole, 2), None, None, higher=True, cut=cut, whole=whole)

    yield from beside_transformer()
    cost = engine.in_process("speed", str(place), str(folder / "dev.jsonl"), module=f"figures_{TASK}")
    yield row("tokens/s on ONNX over torch, beam 1, batch 32", cost.pop("ratio"), 1, 2, higher=True, **cost)
    many = [" ".join(example.values["source"].split()[:3]) for example in examples_of(folder / "dev.jsonl", 1000)]
    less, more = (peak_mb(place, itertools.islice(itertools.cycle(many), count)) for count in (lines // 100, lines))
    yield row(f"peak memory, {lines:,} lines over {lines // 100:,}", more / less, 1.1, 1.02, mb=(more, less))
    yield row("checkpoint directory, MB", engine.directory_mb(place), 12, 8)
    share = padding(place, [folder / name for name in recipe.train])
    yield row("share of padding in the batches of training", share, 0.1, None)


# --- what the text keeps ----------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[^\s\"`“”„«»'‘’()\[\]{}<>,;|*]+")
_INSIDE = re.compile(r"[._/-]\w")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")


def survival(sources: Sequence[str], targets: Sequence[str], answers: Sequence[str]) -> dict[str, tuple[float, int]]:
    """The share of names (versions and commands too) and of numbers that a translation keeps, and of how many.

    They are tokens of a source that have a digit, a capital that is not the first letter, or a dot, underscore, slash
    or dash before a letter, and that its human translation has too; each counts once a text.
    """
    found: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for source, target, answer in zip(sources, targets, answers, strict=True):
        kept = tokens(answer)
        for token in filter(_is_name, tokens(source) & tokens(target)):
            for kind in ("names", "numbers") if _NUMBER.fullmatch(token) else ("names",):
                every[kind] += 1
                found[kind] += token in kept
    # Where there was nothing to keep, nothing was lost.
    return {kind: (found[kind] / every[kind] if every[kind] else 1.0, every[kind]) for kind in ("names", "numbers")}


def tokens(text: str) -> set[str]:
    """The tokens of a text, without quotes, brackets and the stop that ends a sentence."""
    return {token.rstrip(".:;!?…") for token in _TOKEN.findall(text)} - {""}


def _is_name(token: str) -> bool:
    return any(c.isdigit() for c in token) or any(c.isupper() for c in token[1:]) or bool(_INSIDE.search(token))


class Uncut(Translation):
    """Translation of every text as one piece."""

    def preprocess(self, item: Any, codecs: TranslationCodecs, **options: Any) -> list[Source]:
        return [item]

    def merge(
        self, results: Sequence[TranslatedSentence], item: Source, codecs: TranslationCodecs, **options: Any
    ) -> GeneratedText:  # fmt: skip
        return results[0]


def uncut(model: TranslationModel) -> TranslationModel:
    """The model with every text read as one piece."""
    return LoadedModel(Uncut(), model.codecs, model.runtime, causal=model.causal, name=model.name)


# --- what it costs ----------------------------------------------------------------------------------------------


def beside_transformer() -> Iterator[dict[str, Any]]:
    """The row of ``transformer.py``'s result; nothing where it was not run."""
    file = Path(os.environ.get("TRANSFORMER_RESULT", TRANSFORMER))
    if not file.exists():
        print(f"{file}: not there, so not beside a Transformer: run tests/benchmarks/transformer.py", file=sys.stderr)
        return
    result = json.loads(file.read_text(encoding="utf-8"))
    minutes = result["settings"]["minutes"]
    measured = f"bleu over a Transformer's after {minutes:g} minutes, test"
    yield row(measured, result["bleu_less_theirs"]["test"], 0, 2, higher=True, **result)


def speed(checkpoint: str, file: str, count: int = 256, runs: int = 5) -> dict[str, float]:
    """Tokens a second that both runtimes write on one thread, of ``count`` sentences of like length together."""
    import torch

    torch.set_num_threads(1)
    os.environ["SUITE_THREADS"] = "1"
    texts = (
        sentence
        for example in examples_of(Path(file), count)
        for _, sentence in split_sentences(example.values["source"])
    )
    chosen = sorted(itertools.islice(filter(None, texts), count), key=len)

    def of(kind: Any) -> Callable[[], float]:
        model: TranslationModel = LoadedModel.open(TASK, checkpoint, runtime=kind)
        task = Translation()
        arrays = [model.codecs.input.encode(text) for text in chosen]

        def run() -> float:
            written, started = 0, time.perf_counter()
            for begin in range(0, len(chosen), 32):
                some = slice(begin, begin + 32)
                for result in task.predict(model, chosen[some], arrays[some], beam=1, length_penalty=1.0):
                    written += sum(tokens for _, _, tokens in result.hypotheses)
            return written / (time.perf_counter() - started)

        return run

    return engine.paired(of("onnx"), of("torch"), runs)


#: A process counts its parent's memory as its own until it is another program, so the parent has to be a small one.
MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3))
"""


def peak_mb(checkpoint: Path, lines: Iterator[str]) -> float:
    """The most memory in MB that ``predict`` holds while it translates these lines, greedily."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "lines.txt"
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        predict = [str(engine.BIN / "suite"), TASK, "predict", "--beam", "1", "--checkpoint", str(checkpoint)]
        command = [sys.executable, "-c", MEASURED, *predict, "--input", str(file)]
        return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def padding(checkpoint: Path, files: Sequence[Path]) -> float:
    """The share of padding in the batches that an epoch of training on these files has."""
    from suite.training.objectives import plan

    task = registry().task(TASK)
    config, codecs = open_config(task, open_checkpoint(task, checkpoint))
    examples = list(read_examples(task, files))
    targets = codecs.target.encode([example.target for example in examples])
    lengths = [(len(codecs.input.encode(e.input)), len(wanted)) for e, wanted in zip(examples, targets, strict=True)]
    return padding_share(lengths, [step.items for step in plan(lengths, config.training, 0, 0)])
