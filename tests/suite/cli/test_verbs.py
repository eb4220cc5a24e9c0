"""Verbs that only a task has, answers that it writes, and arguments that hold several inputs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import suite
from suite.errors import DataError, UsageError
from suite.plugins import registry
from suite.plugins.entry_points import TASKS
from suite.task import AnyTask, Option, Result, Verb


@dataclasses.dataclass(frozen=True, kw_only=True)
class Said(Result):
    label: str


def shout(pipeline: Any, *inputs: str, times: int, mark: str) -> Iterator[Said]:
    for text in inputs or ("nothing",):
        yield Said(input=text, label=f"{pipeline(text).label}{mark}" * times)


def count(pipeline: Any, *inputs: str) -> dict[str, Any]:
    return {"inputs": len(inputs), "words": pipeline.codecs.input.size}


VERBS = (
    Verb(
        name="shout", help="Say it aloud.", run=shout, inputs="[TEXT]...", plots=True, render=lambda r: r.label or None,
        options=(
            Option(name="times", type=int, help="how often", default=1),
            Option(name="mark", type=str, help="what after", default="!", choices=("!", "?")),
        ),
    ),
    Verb(name="count", help="Count.", run=count, inputs="[TEXT]..."),
)  # fmt: skip


@pytest.fixture
def replaced(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AnyTask]:
    """The sentiment task with some of its fields changed."""

    def replace(**changes: Any) -> AnyTask:
        task = dataclasses.replace(registry().task("sentiment"), **changes)
        monkeypatch.setitem(registry()._found[TASKS], "sentiment", task)
        return task

    return replace


def test_a_verb_on_the_command_line(cli: Any, replaced: Callable[..., AnyTask]) -> None:
    replaced(verbs=VERBS)
    ran = cli("sentiment", "shout", "What a lovely film", "x", "--times", "2", "--mark", "?")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0] == "positive?positive?"
    (one,) = [json.loads(line) for line in cli("sentiment", "shout", "--json").lines]
    assert one.keys() == {"input", "label"}
    assert cli("sentiment", "shout", "--times", "0").out == ""  # nothing to say
    ran = cli("sentiment", "count", "a", "b")
    assert ran.lines[0].split() == ["inputs", "2"]
    assert json.loads(cli("sentiment", "count", "--json").out)["inputs"] == 0
    assert "Say it aloud." in cli("sentiment", "--help").out


def test_a_verb_draws(cli: Any, replaced: Callable[..., AnyTask]) -> None:
    drawn = []
    replaced(verbs=VERBS, plot=lambda *given: drawn.append(given))
    ran = cli("sentiment", "shout", "good", "--plot", "x.png")
    assert (ran.code, ran.err) == (0, "drawn: x.png\n")
    (_, inputs, results, path) = drawn[0]
    assert inputs == [results[0].input] == ["good"]
    assert path == Path("x.png")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(["--mark", "."], "'.' is not one of '!', '?'"), (["--times", "many"], "'many' is not a valid integer")],
)
def test_a_verbs_options_are_checked(cli: Any, replaced: Callable[..., AnyTask], arguments: list[str], error: str) -> None:
    replaced(verbs=VERBS)
    ran = cli("sentiment", "shout", *arguments)
    assert ran.code == 2
    assert error in ran.error


def test_a_verb_in_python(replaced: Callable[..., AnyTask]) -> None:
    replaced(verbs=VERBS)
    pipeline = suite.pipeline("sentiment")
    assert [r.label for r in pipeline.shout("What a lovely film", times=2)] == ["positive!positive!"]
    for given, error in (
        ({"mark": "."}, r"^mark='\.': known: !, \?$"),
        ({"tims": 1}, r"^sentiment shout: no option 'tims'; did you mean 'times'\?$"),
    ):
        with pytest.raises(UsageError, match=error):
            pipeline.shout("x", **given)
    with pytest.raises(AttributeError, match="a sentiment pipeline has no 'whisper'"):
        pipeline.whisper("x")


def test_a_tasks_own_stream(cli: Any, replaced: Callable[..., AnyTask]) -> None:
    def stream(pipeline: Any) -> Iterator[Said]:
        yield Said(input=0, label="on and on")

    replaced(verbs=[Verb(name="stream", help="Without end.", run=stream, render=lambda r: r.label)])
    assert cli("sentiment", "stream").out == "on and on\n"


def test_a_task_that_takes_no_pieces_has_no_verb_for_them(cli: Any, replaced: Callable[..., AnyTask]) -> None:
    replaced(chunks=None)
    assert "stream " not in cli("sentiment", "--help").out
    assert "No such command 'stream'" in cli("sentiment", "stream").error


def test_answers_that_are_written(cli: Any, replaced: Callable[..., AnyTask], labels_file: Path) -> None:
    batches = []

    def answer(pipeline: Any, pieces: list[str], arrays: list[Any], **options: Any) -> list[Said]:
        batches.append(len(pieces))
        assert [len(a) for a in arrays] == [len(pipeline.codecs.input.encode(p)) for p in pieces]
        return [Said(input=piece, label=piece.upper()) for piece in pieces]

    task = replaced(answer=answer, render=lambda r: r.label)
    assert cli("sentiment", "predict", "one", "two").lines == ["ONE", "TWO"]
    assert [r.label for r in suite.pipeline("sentiment")(["a", "b", "c"], batch_size=2)] == ["A", "B", "C"]
    assert batches == [2, 2, 1]
    judged = []
    replaced(answer=answer, metrics=lambda results, examples: judged.extend(r.label for r in results) or {}, check=None)
    suite.evaluate("sentiment", labels_file)
    assert all(label.isupper() for label in judged)
    judged.clear()
    replaced(
        judged_by="outputs", answer=answer, metrics=lambda r, e: judged.extend(x.label for x in r) or {}, check=None
    )
    suite.evaluate("sentiment", labels_file)
    assert {*judged} <= {"positive", "neutral", "negative"}
    assert task.answer is answer


def test_arguments_that_hold_several_inputs(cli: Any, replaced: Callable[..., AnyTask], tmp_path: Path) -> None:
    def expand(argument: str, on_error: Any) -> Iterator[tuple[str, Any]]:
        if argument == "none":
            raise DataError("none: nothing in it")
        for number, word in enumerate(Path(argument).name.split("+"), 1):
            if word == "bad":
                on_error(DataError(f"{argument}:{number}: bad"))
                continue
            yield f"{argument}:{number}", word

    drawn = []
    replaced(expand=expand, render=lambda r: str(r.input), plot=lambda p, inputs, r, f: drawn.extend(inputs))
    assert cli("sentiment", "predict", "a+b", "c").lines == ["a", "b", "c"]
    ran = cli("sentiment", "predict", "a+bad+b", "none", "d", "--skip-errors", "--plot", "x.png")
    assert ran.lines == ["a", "b", "d"]
    assert drawn == ["a", "b", "d"]
    assert ran.err.splitlines()[:3] == [
        "suite: a+bad+b:2: bad (skipped)", "suite: none: nothing in it (skipped)", "drawn: x.png"
    ]  # fmt: skip
    ran = cli("sentiment", "predict", "a+b", "none")
    assert (ran.code, ran.lines, ran.error) == (1, ["a", "b"], "suite: none: nothing in it")
    (tmp_path / "list.txt").write_text("a+b\n\nc\n")
    names = [Path(line).name for line in cli("sentiment", "predict", "--input", tmp_path / "list.txt").lines]
    assert names == ["a", "b", "c"]
    assert cli("sentiment", "predict", stdin=b"a+b\nc\n").lines == ["a", "b", "c"]


def test_options_that_change_how_an_input_is_read(replaced: Callable[..., AnyTask]) -> None:
    class Louder:
        def __init__(self, codec: Any) -> None:
            self.codec = codec

        def encode(self, text: str) -> Any:
            return self.codec.encode(f"{text} I love it, it is lovely!")

        def __getattr__(self, name: str) -> Any:
            return getattr(self.codec, name)

    def adapt(codecs: Any, *, loud: bool = False, **options: Any) -> Any:
        return {**codecs, "input": Louder(codecs.input)} if loud else codecs

    replaced(
        adapt=adapt, options=[Option(name="loud", type=bool, help="", default=False)],
        decode=lambda outputs, codecs, text, final=None, **options: Said(input=text, label=f"{outputs[0]:.3f}"),
    )  # fmt: skip
    pipeline = suite.pipeline("sentiment")
    assert pipeline("film", loud=True).label != pipeline("film").label
    assert pipeline("film").label == pipeline("film", loud=False).label


def test_plot_is_offered_where_something_is_drawn(cli: Callable[..., Any], replaced: Callable[..., AnyTask]) -> None:
    for verb in ("predict", "demo", "evaluate"):
        assert "--plot" in cli("sentiment", verb, "--help").out
    replaced(plot=None, plot_evaluation=None)
    for verb in ("predict", "demo", "evaluate"):
        assert "--plot" not in cli("sentiment", verb, "--help").out
        ran = cli("sentiment", verb, "--plot", "x.png")
        assert (ran.code, ran.out, "No such option '--plot'" in ran.error) == (2, "", True)
    ran = cli("demo", "sentiment", "--plot", "x.png")
    assert (ran.code, ran.error) == (2, "suite: --plot: sentiment draws nothing")
