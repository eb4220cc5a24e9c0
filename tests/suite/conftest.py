"""The command line in this process, a small checkpoint in the place of the shipped one, an aligned task, a check."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from suite.checkpoint.arrays import packed, unpacked
from suite.errors import DataError
from suite.nn.specs import EmbeddingSpec, RecurrentSpec, StepHeadSpec
from suite.task import Column, Example, Result, Task
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
    monkeypatch.setitem(registry()._found[TASKS], "sentiment", dataclasses.replace(task, assets=assets))
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
    """Letters as numbers, ``[T]``; of several targets, a list of them."""

    loss, size = "cross_entropy", len(LETTERS)

    def __init__(self, *, many: bool) -> None:
        self.many = many

    def files(self) -> dict[str, bytes]:
        return {}

    def encode(self, raw: Any) -> Any:
        if self.many:
            return [Letters(many=False).encode(target) for target in raw]
        if not raw or set(raw) - set(LETTERS):
            raise DataError(f"{raw!r} is not of the letters {LETTERS}")
        return np.array([LETTERS.index(letter) for letter in raw], np.int64)

    def incremental(self, pending: Any = None) -> LetterFeeder:
        return LetterFeeder()


class LetterFeeder:
    """A step a letter; nothing is held back."""

    pending = None

    def feed(self, piece: str | bytes) -> list[tuple[str, np.ndarray]]:
        text = piece.decode() if isinstance(piece, bytes) else piece
        return [(letter, Letters(many=False).encode(letter)) for letter in text]

    def flush(self) -> list[tuple[str, np.ndarray]]:
        return []


def _fit(examples: Sequence[Example], config: EchoConfig) -> dict[str, Any]:
    return {"input": Letters(many=False), "target": Letters(many=True)}


def _build(config: EchoConfig, codecs: Mapping[str, Any]) -> Any:
    from suite.nn.build import tokens_to_each

    sizes = (config.embedding, config.encoder, config.head, len(LETTERS))
    return tokens_to_each(len(LETTERS), *sizes, graph="decoder" if config.head.tied else "encoder")


def _decode(outputs: np.ndarray, codecs: Mapping[str, Any], raw: str, *, final: bool | None = None) -> EchoResult:
    return EchoResult(input=raw, final=final, text="".join(LETTERS[i] for i in outputs.argmax(1)))


def _metrics(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, float]:
    pairs = [pair for r, e in zip(results, examples, strict=True) for pair in zip(r.text, e.target, strict=True)]
    return {"accuracy": float(np.mean([a == b for a, b in pairs]))}


def _chunks(stream: IO[bytes]) -> Iterator[Any]:
    yield stream.read().decode()


ECHO = Task(
    name="echo", summary="The letter before.", mapping="aligned", config=EchoConfig, result=EchoResult,
    columns=[Column(name="text", help="letters", required=True), Column(name="echo", help="the letters before")],
    example=lambda row: Example(input=row.values["text"], target=row.values["echo"], key=row.where, where=row.where),
    codecs={"input": lambda files: Letters(many=False), "target": lambda files: Letters(many=True)},
    fit=_fit, build=_build, decode=_decode, metrics=_metrics, best=["accuracy"], chunks=_chunks,
    render=lambda r: r.text, render_update=lambda r, before: None if r.final else r.text,
)  # fmt: skip


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Task:
    """The task ``echo``, registered: it says at every letter the one before it; its config has ``head.tied``."""
    from suite.plugins import registry
    from suite.plugins.entry_points import TASKS, Offer

    found = registry()
    found.task("sentiment")  # whose module, once loaded, stands for this one's
    monkeypatch.setitem(found._offers, (TASKS, "echo"), Offer(TASKS, "echo", "suite_sentiment", "tests", "0"))
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
    found = {" ".join([*one.words, one.part]): one.heard for one in search._beam.values()}
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
