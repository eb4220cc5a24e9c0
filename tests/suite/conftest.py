"""The command line in this process, a small checkpoint in the place of the shipped one, an aligned task, a check."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.checkpoint.arrays import packed, unpacked
from suite.codecs.text_parsers import RawParser
from suite.data.readers import Row
from suite.errors import DataError
from suite.nn.specs import EmbeddingSpec, RecurrentSpec, StepHeadSpec
from suite.task import AlignedTask, AnyTask, Codecs, Column, DataSpec, Example, Monitor, Result, Streaming
from suite.training.specs import TrainingSpec


@pytest.fixture
def shipped(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The sentiment task with the small checkpoint as the one it ships; the assets folder."""
    from suite.plugins import registry
    from suite.plugins.entry_points import TASKS

    task = registry().task("sentiment")
    assets = tmp_path_factory.mktemp("assets")
    shutil.copytree(tiny_checkpoint, assets / "checkpoint")
    if task.assets is not None:
        shutil.copytree(task.assets / "samples", assets / "samples")
    monkeypatch.setitem(registry()._found[TASKS], "sentiment", _changed(task, assets=assets))
    return assets


@pytest.fixture
def damage(tmp_path: Path, tiny_checkpoint: Path) -> Callable[..., Path]:
    """``damage("model.safetensors", change)``: a copy of the small checkpoint with one file's bytes changed.

    With ``sealed`` the manifest says the new SHA-256, so that only the contents are wrong.
    """
    from suite.checkpoint import sha256

    def make(name: str, change: Callable[[bytes], bytes], *, sealed: bool = False) -> Path:
        import json

        copy = tmp_path / "damaged"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(tiny_checkpoint, copy)
        (copy / name).write_bytes(change((copy / name).read_bytes()))
        if sealed:
            manifest = json.loads((copy / "suite.json").read_text())
            manifest["files"][name] = sha256(copy / name)
            (copy / "suite.json").write_text(json.dumps(manifest))
        return copy

    return make


# --- an aligned task: at every letter, the letter before it ---------------------------------------------------

LETTERS = "abcd"


@dataclass(frozen=True)
class EchoConfig:
    embedding: EmbeddingSpec = field(default_factory=lambda: EmbeddingSpec(features=6, dropout=0))
    encoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(cell="gru", hidden=12, dropout=0.1))
    head: StepHeadSpec = field(default_factory=StepHeadSpec)
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(epochs=2, batch_size=8, lr=0.02, ema=0, patience=0)
    )


@dataclass(frozen=True, kw_only=True)
class EchoResult(Result):
    text: str


class Letters:
    """Letters as numbers, ``[T]``."""

    size = len(LETTERS)

    def files(self) -> dict[str, bytes]:
        return {}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Any:
        return cls()

    def encode(self, raw: Any) -> Any:
        if not raw or set(raw) - set(LETTERS):
            raise DataError(f"{raw!r} is not of the letters {LETTERS}")
        return np.array([LETTERS.index(letter) for letter in raw], np.int64)

    def incremental(self, pending: Any = None) -> LetterFeeder:
        return LetterFeeder()


class LetterLists(Letters):
    """Targets: a list of arrays."""

    loss = "cross_entropy"

    def encode(self, raw: Any) -> Any:
        return [super(LetterLists, self).encode(target) for target in raw]


class LetterFeeder:
    """A step a letter; nothing is held back."""

    pending = None

    def feed(self, piece: str | bytes) -> list[tuple[str, np.ndarray]]:
        text = piece.decode() if isinstance(piece, bytes) else piece
        return [(letter, Letters().encode(letter)) for letter in text]

    def flush(self) -> list[tuple[str, np.ndarray]]:
        return []


EchoCodecs = Codecs[Letters, LetterLists]


class Echo(AlignedTask[EchoConfig, Letters, LetterLists, EchoResult]):
    """The letter before."""

    name = "echo"
    config = EchoConfig
    result = EchoResult
    input_codec = Letters
    target_codec = LetterLists
    data = DataSpec(
        columns=(Column(name="text", help="letters", required=True), Column(name="echo", help="the letters before"))
    )
    monitor = (Monitor(metric="accuracy"),)
    streaming = Streaming(parser=RawParser)

    def example(self, row: Row) -> Example:
        return Example(input=row.values["text"], target=row.values["echo"], key=row.where, where=row.where)

    def fit_codecs(self, examples: Sequence[Example], config: EchoConfig, **options: Any) -> EchoCodecs:
        return Codecs(Letters(), LetterLists())

    def build_model(self, config: EchoConfig, codecs: EchoCodecs) -> Any:
        from suite.nn.build import tokens_to_each

        sizes = (config.embedding, config.encoder, config.head, len(LETTERS))
        return tokens_to_each(len(LETTERS), *sizes, graph="decoder" if config.head.tied else "encoder")

    def decode(
        self, outputs: np.ndarray, codecs: EchoCodecs, item: Any, *, final: bool | None = None, **options: Any
    ) -> EchoResult:
        return EchoResult(input=item, final=final, text="".join(LETTERS[i] for i in outputs.argmax(1)))

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, float]:
        pairs = [pair for r, e in zip(results, examples, strict=True) for pair in zip(r.text, e.target, strict=True)]
        return {"accuracy": float(np.mean([a == b for a, b in pairs]))}

    def render(self, result: Any) -> str:
        return str(result.text)

    def render_update(self, result: Any, previous: Any) -> str | None:
        return None if result.final else str(result.text)


ECHO = Echo()


@pytest.fixture
def changed() -> Callable[..., AnyTask]:
    """``changed(task, assets=…)``: the same task with other attributes; a function becomes a method."""
    return _changed


def _changed(task: AnyTask, **attributes: Any) -> AnyTask:
    made = type(f"Changed{type(task).__name__}", (type(task),), {"__doc__": type(task).__doc__, **attributes})()
    made.__module__ = type(task).__module__
    return made


@pytest.fixture
def replace(changed: Callable[..., AnyTask], monkeypatch: pytest.MonkeyPatch) -> Callable[..., AnyTask]:
    """``replace("echo", assets=…)``: a registered task changed, and registered so for the length of the test."""
    from suite.plugins import registry
    from suite.plugins.entry_points import TASKS

    originals: dict[str, AnyTask] = {}

    def replace(name: str, **attributes: Any) -> AnyTask:
        task = changed(originals.setdefault(name, registry().task(name)), **attributes)
        monkeypatch.setitem(registry()._found[TASKS], name, task)
        return task

    return replace


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> AnyTask:
    """The task ``echo``, registered: it says at every letter the one before it; its config has ``head.tied``."""
    from suite.plugins import registry
    from suite.plugins.entry_points import TASKS, EntryPoint

    found = registry()
    found.task("sentiment")  # whose module, once loaded, stands for this one's
    monkeypatch.setitem(
        found._entry_points, (TASKS, "echo"), EntryPoint(TASKS, "echo", "suite_sentiment", "tests", "0")
    )
    monkeypatch.setitem(found._found[TASKS], "echo", ECHO)
    return ECHO


@pytest.fixture(scope="session")
def echo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty texts of 1 to 20 letters with their echoes, as JSON lines."""
    return written(tmp_path_factory.mktemp("echo") / "echo.jsonl", echoes())


def echoes() -> Iterable[dict[str, str]]:
    random = np.random.default_rng(0)
    for _ in range(60):
        text = "".join(random.choice(list(LETTERS), random.integers(1, 21)))
        yield {"text": text, "echo": f"a{text[:-1]}"}


def written(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def ranks_as() -> Callable[..., str]:
    return _ranks_as


def _ranks_as(search: Any, chances: Mapping[str, float], *, least: float, apart: float) -> str:
    """The likeliest text of a search, which must rank what is at least so likely beside it as all ways together do."""
    found = {" ".join([*words, part]): one.heard for (words, part), one in search._beam.items()}
    # Scores are relative: what has been taken off is the same for all.
    top = max(found, key=found.__getitem__)
    assert top == max(chances, key=chances.__getitem__)
    for text, score in found.items():
        if chances[text] > least * chances[top]:
            assert score - found[top] == pytest.approx(math.log(chances[text] / chances[top]), abs=apart)
    return top


@pytest.fixture
def altered() -> Callable[..., bytes]:
    return _altered


def _altered(files: Mapping[str, bytes], name: str, change: bytes | Mapping[str, Any]) -> bytes:
    """Other content for a file of arrays: bytes, or the same with some arrays changed or (None) left out."""
    if isinstance(change, bytes):
        return change
    content = {**unpacked(files, name), **change}
    return packed({key: array for key, array in content.items() if array is not None})
