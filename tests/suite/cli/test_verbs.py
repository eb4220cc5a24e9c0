"""Commands that only a task has, predictions of its own, and arguments that hold several inputs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import suite
from suite.errors import DataError, UsageError
from suite.inference.model import LoadedModel
from suite.inference.pipeline import Pipeline
from suite.plugins import registry
from suite.task import AnyTask, Codecs, Command, DataSpec, ManyToOneTask, Option, Plots, Result, Streaming

Model = LoadedModel[Any, Any]
Replaced = Callable[..., AnyTask]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Said(Result):
    label: str


def shout(model: Model, *inputs: str, times: int, mark: str) -> Iterator[Said]:
    for text in inputs or ("nothing",):
        yield Said(input=text, label=f"{Pipeline(model)(text).label}{mark}" * times)


def count(model: Model, *inputs: str) -> dict[str, Any]:
    return {"inputs": len(inputs), "words": model.codecs.input.size}


def spell(model: None, *inputs: str) -> Iterator[Said]:
    assert model is None
    for text in inputs:
        yield Said(input=text, label=" ".join(text))


COMMANDS = (
    Command(
        name="shout", help="Say it aloud.", run=shout, inputs="[TEXT]...", plots=True, render=lambda r: r.label or None,
        options=(
            Option(name="times", type=int, help="how often", default=1, minimum=0, maximum=3),
            Option(name="mark", type=str, help="what after", default="!", choices=("!", "?")),
        ),
    ),
    Command(name="count", help="Count.", run=count, inputs="[TEXT]..."),
    Command(name="spell-out", help="Spell.", run=spell, inputs="[TEXT]...", needs_model=False, end=".\n",
            render=lambda r: r.label),
)  # fmt: skip


@pytest.fixture
def replaced(shipped: Path, replace: Callable[..., AnyTask]) -> Replaced:
    """The sentiment task with some of its attributes changed, and the small checkpoint as the one it ships."""

    def replaced(**changes: Any) -> AnyTask:
        return replace("sentiment", **changes)

    return replaced


def test_a_command_on_the_command_line(cli: Any, replaced: Replaced) -> None:
    replaced(commands=COMMANDS)
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


def test_a_command_that_needs_no_model(cli: Any, replaced: Replaced, shipped: Path) -> None:
    replaced(commands=COMMANDS)
    (shipped / "checkpoint" / "suite.json").unlink()
    assert cli("sentiment", "spell-out", "ab", "cd").out == "a b.\nc d.\n"
    assert "--checkpoint" not in cli("sentiment", "spell-out", "--help").out
    assert "--checkpoint" in cli("sentiment", "count", "--help").out


def test_a_command_draws(cli: Any, replaced: Replaced) -> None:
    drawn = []
    replaced(commands=COMMANDS, plot=lambda self, *given: drawn.append(given))
    ran = cli("sentiment", "shout", "good", "--plot", "x.png")
    assert (ran.code, ran.err) == (0, "drawn: x.png\n")
    (model, inputs, results, path) = drawn[0]
    assert isinstance(model, LoadedModel)
    assert inputs == [results[0].input] == ["good"]
    assert path == Path("x.png")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--mark", "."], "'.' is not one of '!', '?'"),
        (["--times", "many"], "'many' is not a valid integer"),
        (["--times", "4"], "times=4: expected a whole number of at most 3"),
    ],
)
def test_a_commands_options_are_checked(cli: Any, replaced: Replaced, arguments: list[str], error: str) -> None:
    replaced(commands=COMMANDS)
    ran = cli("sentiment", "shout", *arguments)
    assert ran.code == 2
    assert error in ran.error


def test_a_command_in_python(replaced: Replaced) -> None:
    replaced(commands=COMMANDS)
    pipeline = suite.pipeline("sentiment")
    assert [r.label for r in pipeline.shout("What a lovely film", times=2)] == ["positive!positive!"]
    assert {"shout", "count", "spell_out", "model"} <= set(dir(pipeline))
    for given, error in (
        ({"mark": "."}, r"^mark='\.': known: !, \?$"),
        ({"tims": 1}, r"^sentiment shout: no option 'tims'; did you mean 'times'\?$"),
        ({"times": -1}, r"^times=-1: expected a whole number of at least 0$"),
    ):
        with pytest.raises(UsageError, match=error):
            pipeline.shout("x", **given)
    with pytest.raises(AttributeError, match="a sentiment pipeline has no 'whisper'"):
        pipeline.whisper("x")


def test_a_tasks_own_stream(cli: Any, replaced: Replaced) -> None:
    def stream(model: Model) -> Iterator[Said]:
        yield Said(input=0, label="on and on")

    own = Command(name="stream", help="Without end.", run=stream, render=lambda r: r.label)
    replaced(commands=[own])
    assert cli("sentiment", "stream").out == "on and on\n"
    replaced(commands=[own], streaming=None)
    assert cli("sentiment", "stream").out == "on and on\n"
    with pytest.raises(UsageError, match=r"^sentiment: use pipeline\.stream\(…\)$"):
        suite.stream("sentiment")


@pytest.mark.parametrize("streaming", [None, Streaming()])
def test_a_task_that_parses_no_bytes_has_no_verb_for_them(
    cli: Any, replaced: Replaced, streaming: Streaming | None
) -> None:
    replaced(streaming=streaming)
    assert "stream " not in cli("sentiment", "--help").out
    assert "No such command 'stream'" in cli("sentiment", "stream").error


def test_a_task_that_does_not_stream_says_so_in_python(replaced: Replaced) -> None:
    replaced(streaming=None)
    with pytest.raises(UsageError, match=r"^sentiment: does not stream; use predict$"):
        suite.stream("sentiment")
    task = replaced(streaming=Streaming())
    with suite.stream("sentiment") as session:
        assert [update.input for update in session.feed("a good day")] == ["a", "good"]
    with pytest.raises(UsageError, match=r"^sentiment: its streams have no parser of bytes; feed a session with"):
        task.stream_parser()


def test_predictions_of_its_own(cli: Any, replaced: Replaced, labels_file: Path) -> None:
    batches, judged = [], []

    def predict(self: AnyTask, model: Model, pieces: list[str], arrays: list[Any], **options: Any) -> list[Said]:
        batches.append(len(pieces))
        assert [len(a) for a in arrays] == [len(model.codecs.input.encode(p)) for p in pieces]
        return [Said(input=piece, label=piece.upper()) for piece in pieces]

    def metrics(self: AnyTask, results: Any, examples: Any) -> dict[str, Any]:
        judged.extend(result.label for result in results)
        return {}

    changes = {"predict": predict, "render": lambda self, result: result.label, "metrics": metrics}
    changes["check_example"] = lambda self, example, codecs: example
    replaced(**changes)
    assert cli("sentiment", "predict", "one", "two").lines == ["ONE", "TWO"]
    assert [r.label for r in suite.pipeline("sentiment")(["a", "b", "c"], batch_size=2)] == ["A", "B", "C"]
    assert batches == [2, 2, 1]
    suite.evaluate("sentiment", labels_file)
    assert len(judged) == 60
    assert all(label.isupper() for label in judged)
    judged.clear()
    replaced(**changes, predict_for_evaluation=ManyToOneTask.predict)
    suite.evaluate("sentiment", labels_file)
    assert {*judged} <= {"positive", "neutral", "negative"}


def test_arguments_that_hold_several_inputs(cli: Any, replaced: Replaced, tmp_path: Path) -> None:
    def expand(self: AnyTask, argument: str, on_error: Any, **options: Any) -> Iterator[tuple[str, Any]]:
        if argument == "none":
            raise DataError("none: nothing in it")
        for number, word in enumerate(Path(argument).name.split("+"), 1):
            if word == "bad":
                on_error(DataError(f"{argument}:{number}: bad"))
                continue
            yield f"{argument}:{number}", word

    drawn = []
    data = DataSpec(columns=registry().task("sentiment").data.columns, inputs="files")
    replaced(
        data=data, expand_inputs=expand, render=lambda self, r: str(r.input),
        plot=lambda self, model, inputs, results, file: drawn.extend(inputs),
    )  # fmt: skip
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


def test_options_that_change_how_an_input_is_read(replaced: Replaced) -> None:
    class Louder:
        def __init__(self, codec: Any) -> None:
            self.codec = codec

        def encode(self, text: str) -> Any:
            return self.codec.encode(f"{text} I love it, it is lovely!")

        def __getattr__(self, name: str) -> Any:
            return getattr(self.codec, name)

    def configure(self: AnyTask, codecs: Codecs[Any, Any], *, loud: bool = False, **options: Any) -> Any:
        return codecs.replace(input=Louder(codecs.input)) if loud else codecs

    def decode(self: AnyTask, outputs: Any, codecs: Any, item: Any, *, final: Any = None, **options: Any) -> Said:
        return Said(input=item, label=f"{outputs[0]:.3f}")

    replaced(
        configure_codecs=configure, decode=decode, options=[Option(name="loud", type=bool, help="", default=False)]
    )  # fmt: skip
    pipeline = suite.pipeline("sentiment")
    assert pipeline("film", loud=True).label != pipeline("film").label
    assert pipeline("film").label == pipeline("film", loud=False).label


def test_options_have_bounds_on_the_command_line_and_in_python(cli: Any, replaced: Replaced) -> None:
    replaced(options=[Option(name="share", type=float, help="a share", default=0.5, minimum=0, maximum=1)])
    assert cli("sentiment", "predict", "x", "--share", "1").code == 0
    ran = cli("sentiment", "predict", "x", "--share", "1.5")
    assert (ran.code, ran.out, ran.error) == (2, "", "suite: share=1.5: expected a number of at most 1")
    with pytest.raises(UsageError, match=r"^share=-0\.1: expected a number of at least 0$"):
        suite.pipeline("sentiment")("x", share=-0.1)


def test_plot_is_offered_where_something_is_drawn(cli: Any, replaced: Replaced) -> None:
    for verb in ("predict", "demo", "evaluate"):
        assert "--plot" in cli("sentiment", verb, "--help").out
    replaced(plots=Plots())
    for verb in ("predict", "demo", "evaluate"):
        assert "--plot" not in cli("sentiment", verb, "--help").out
        ran = cli("sentiment", verb, "--plot", "x.png")
        assert (ran.code, ran.out, "No such option '--plot'" in ran.error) == (2, "", True)
    ran = cli("demo", "sentiment", "--plot", "x.png")
    assert (ran.code, ran.error) == (2, "suite: --plot: sentiment draws nothing")
