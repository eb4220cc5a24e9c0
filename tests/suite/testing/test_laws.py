"""The laws of what a plugin provides: each is checked, and a message says what is wrong."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from suite.errors import UsageError
from suite.nn.specs import RecurrentSpec
from suite.plugins import Registry, registry
from suite.plugins.entry_points import COMMANDS, EntryPoint
from suite.task import AlignedTask, AnyTask, Column, Command, DataSpec, Option, Plots, Streaming
from suite.testing import LawBroken, check_plugin
from suite.testing.laws import Law, _Checked, _of_task, declaration_is_complete, find_prepared, laws, run
from suite.training.specs import TrainingSpec

SHOUT = """
import click
from suite.hooks import hookimpl
{more}
@hookimpl
def suite_commands(cli):
    cli.add_command(click.Command("shout"))
"""


@dataclass(frozen=True)
class NoTraining:
    encoder: RecurrentSpec = field(default_factory=RecurrentSpec)


@dataclass(frozen=True)
class NoStack:
    training: TrainingSpec = field(default_factory=TrainingSpec)


@dataclass(frozen=True)
class NoDefault(NoStack):
    size: int = dataclasses.field(kw_only=True)


CELL = Option(name="cell", type=str, help="", verbs=("train",))


class Bare(AlignedTask[Any, Any, Any, Any]):
    """A task that sets nothing."""


for method in Bare.__abstractmethods__:
    setattr(Bare, method, None)
Bare.__abstractmethods__ = frozenset()

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "mapping": ({"mapping": "many-to-many"}, "mapping is 'many-to-many'; one of many-to-one, one-to-many, "),
    "config": ({"config": int}, "config is not a dataclass"),
    "default": ({"config": NoDefault}, "config.size has no default; every field needs one"),
    "training": ({"config": NoTraining}, "config has no field training"),
    "stack": ({"config": NoStack}, "config has no field encoder or decoder"),
    "result": ({"result": dict}, "result is not a subclass of suite.Result"),
    "columns": ({"data": DataSpec(columns=())}, "data.columns is empty"),
    "monitor": ({"monitor": ()}, "monitor is empty"),
    "tables": (
        {"data": DataSpec(columns=(Column(name="text", help=""),), tables=False)},
        "read_file must be overridden: data.tables is False",
    ),
    "files": (
        {"data": DataSpec(columns=(Column(name="text", help=""),), inputs="files")},
        'expand_inputs must be overridden: data.inputs is "files"',
    ),
    "plot": ({"plots": Plots(results="draw it")}, "plot must be overridden: plots.results is set"),
    "evaluation": ({"plots": Plots(evaluation=True)}, "plot_evaluation must be overridden: plots.evaluation is True"),
    "decoder": (
        {"streaming": Streaming(kind="decoder")}, 'stream_decoder must be overridden: streaming.kind is "decoder"'
    ),
    "segments": (
        {"streaming": Streaming(kind="segments")}, 'segmenter must be overridden: streaming.kind is "segments"'
    ),
    "augments": ({"augments": True}, "augments must be True exactly if augment is overridden"),
    "augment": ({"augment": lambda task, item, *more: item}, "augments must be True exactly if augment is overridden"),
    "option": ({"options": (CELL,)}, "train has an option 'cell'; rename yours"),
    "name": ({"options": (dataclasses.replace(CELL, name="a-b"),)}, "option 'a-b' is not a Python name"),
    "command": ({"commands": (Command(name="predict", help="", run=print),)}, "command 'predict' is one that every"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_declaration_that_does_not_fit_together(echo: AnyTask, changed: Any, what: str) -> None:
    changes, reason = WRONG[what]
    declaration_is_complete(echo)
    with pytest.raises(LawBroken) as error:
        declaration_is_complete(changed(echo, **changes))
    assert str(error.value).startswith(f"its declaration is complete: {reason}")


def test_an_attribute_that_is_not_set_is_named() -> None:
    for set_before, missing in (((), "name"), (("name",), "config"), (("name", "config"), "result")):
        task = type("Some", (Bare,), dict.fromkeys(set_before, "x"))()
        with pytest.raises(LawBroken, match=f"^its declaration is complete: {missing} is not set$"):
            declaration_is_complete(task)


@pytest.mark.parametrize("name", registry().task_names())
def test_the_declarations_of_all_tasks_are_complete(name: str) -> None:
    declaration_is_complete(registry().task(name))


@pytest.fixture
def shout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Registry]:
    """``shout(source)``: a registry with a plugin of one command, which has this in it too."""

    def make(more: str) -> Registry:
        path = tmp_path / "shout.py"
        path.write_text(SHOUT.format(more=more))
        return Registry([EntryPoint(COMMANDS, "shout", str(path), str(tmp_path))])

    return make


def results(found: Registry) -> list[tuple[str, str]]:
    return [(one.verdict, one.message) for one in map(run, laws("shout", found))]


def test_a_plugin_that_keeps_the_laws(shout: Any) -> None:
    assert results(shout("")) == [("holds", ""), ("holds", "")]


def test_what_is_wrong_with_a_plugin_is_said(shout: Any) -> None:
    assert results(shout("print('hello there')")) == [
        ("holds", ""), ("broken", "it prints 'hello there' when it is imported; remove that"),
    ]  # fmt: skip
    assert results(shout("1 / 0")) == [("broken", "ZeroDivisionError: division by zero")]
    assert results(shout("raise ModuleNotFoundError('no', name='torch')")) == [
        ("broken", "needs the [train] extra: pip install 'sequence-suite[train]'")
    ]


def test_what_somebodys_code_raises_is_located() -> None:
    def fails() -> None:
        raise KeyError("tag")

    result = run(Law("task x", "it works", fails))
    assert result.verdict == "broken"
    assert result.message.startswith("KeyError: 'tag' in fails, ")
    assert result.message.partition(", ")[2].startswith(__file__)
    assert run(Law("x", "y", lambda: ["no torch"])).verdict == "not checked"
    assert find_prepared(ValueError("never raised")) == "ValueError: never raised"


def test_every_broken_law_is_in_one_error(shout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shout("print('hello')")
    monkeypatch.setattr("suite.testing.laws.registry", lambda: found)
    with pytest.raises(
        LawBroken, match=r"^1 of 2 laws do not hold:\n.*shout\.py: it prints nothing while it loads: it "
    ):
        check_plugin("shout")
    found = shout("")
    assert check_plugin("shout") == []


def test_the_laws_of_a_task_are_checked_one_by_one(
    echo: AnyTask, changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suite.testing.check_light", lambda module, task: None)
    made = list(_of_task("echo", _Checked(changed(echo, monitor=())), "a_module"))
    assert str(made[0]) == "task echo: its declaration is complete"
    verdicts = [run(law) for law in made[:3]]
    assert [one.verdict for one in verdicts] == ["broken", "holds", "not checked"]
    assert verdicts[2].message == "there is no labelled data: give --data FILE, or ship samples named labelled…"


def test_a_task_is_checked_on_data_and_with_a_checkpoint(echo: AnyTask, echo_file: Path, tmp_path: Path) -> None:
    checked = _Checked(echo, [echo_file])
    assert checked.untrainable == checked.missing == []
    assert checked.outputs_fit() is checked.codecs_survive() is checked.results() is None
    assert len(checked.inputs) == 16
    made = tmp_path / "made"
    shutil.copytree(checked.checkpoint.path, made)
    again = _Checked(echo, checkpoint=made)
    assert again.checkpoint.path == made
    assert again.missing == []
    assert again.untrainable
    with pytest.raises(LawBroken, match="there is nothing to check with: give --data FILE"):
        _ = again.inputs
    both = _Checked(echo, [echo_file], made)
    assert both.checkpoint.path == made
    assert both.results() is None


def test_data_and_a_checkpoint_are_of_one_task(shout: Any) -> None:
    for given in ({"data": ["a.csv"]}, {"checkpoint": "a"}):
        with pytest.raises(UsageError, match=r"^data and checkpoint are of one task, and shout has none: name a task$"):
            laws("shout", shout(""), **given)
