"""The laws of what a plugin brings: each is tried, and what is wrong is said in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from suite.nn.specs import RecurrentSpec
from suite.plugins import Registry, registry
from suite.plugins.entry_points import COMMANDS, Offer
from suite.task import AnyTask, Option, Verb
from suite.testing import LawBroken, check_plugin
from suite.testing.laws import Law, _of_task, declaration_is_whole, laws, tried, where
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


SEED = Option(name="cell", type=str, help="", verbs=("train",))
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "mapping": ({"mapping": "many-to-many"}, "mapping is 'many-to-many'; one of many-to-one, one-to-many, "),
    "config": ({"config": int}, "config is no dataclass"),
    "default": ({"config": NoDefault}, "config.size has no default; every field needs one"),
    "training": ({"config": NoTraining}, "config has no field training"),
    "stack": ({"config": NoStack}, "config has no field encoder or decoder"),
    "result": ({"result": dict}, "result is no subclass of suite.Result"),
    "columns": ({"columns": ()}, "columns is empty"),
    "codecs": ({"codecs": {"input": None}}, "codecs needs the keys 'input' and 'target'"),
    "best": ({"best": ()}, "best is empty"),
    "decode": ({"decode": None}, "neither decode nor answer says how an answer is made"),
    "answer": ({"mapping": "unaligned"}, "a task that is unaligned needs answer"),
    "segments": ({"unit": "segment"}, "unit is 'segment', so that segments must be given"),
    "option": ({"options": (SEED,)}, "train has an option 'cell'; rename yours"),
    "name": ({"options": (dataclasses.replace(SEED, name="a-b"),)}, "option 'a-b' is no Python name"),
    "verb": ({"verbs": (Verb(name="predict", help="", run=print),)}, "verb 'predict' is one that every task has"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_declaration_that_does_not_go_together(echo: AnyTask, what: str) -> None:
    changes, reason = WRONG[what]
    declaration_is_whole(echo)
    with pytest.raises(LawBroken) as error:
        declaration_is_whole(dataclasses.replace(echo, **changes))
    assert str(error.value).startswith(f"its declaration is whole: {reason}")


@pytest.mark.parametrize("name", registry().task_names())
def test_the_declarations_of_all_tasks_are_whole(name: str) -> None:
    declaration_is_whole(registry().task(name))


@pytest.fixture
def shout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Registry]:
    """``shout(source)``: a registry with a plugin of one command, which has this in it too."""

    def make(more: str) -> Registry:
        path = tmp_path / "shout.py"
        path.write_text(SHOUT.format(more=more))
        return Registry([Offer(COMMANDS, "shout", str(path), str(tmp_path))])

    return make


def outcomes(found: Registry) -> list[tuple[str, str]]:
    return [(one.verdict, one.said) for one in map(tried, laws("shout", found))]


def test_a_plugin_that_keeps_the_laws(shout: Any) -> None:
    assert outcomes(shout("")) == [("holds", ""), ("holds", "")]


def test_what_is_wrong_with_a_plugin_is_said(shout: Any) -> None:
    assert outcomes(shout("print('hello there')")) == [
        ("holds", ""), ("broken", "it prints 'hello there' when it is imported; leave that out"),
    ]  # fmt: skip
    assert outcomes(shout("1 / 0")) == [("broken", "ZeroDivisionError: division by zero")]
    assert outcomes(shout("raise ModuleNotFoundError('no', name='torch')")) == [
        ("broken", "needs the [train] extra: pip install 'sequence-suite[train]'")
    ]


def test_what_somebodys_code_raises_is_located() -> None:
    def fails() -> None:
        raise KeyError("tag")

    outcome = tried(Law("task x", "it works", fails))
    assert outcome.verdict == "broken"
    assert outcome.said.startswith("KeyError: 'tag' in fails, ")
    assert outcome.said.partition(", ")[2].startswith(__file__)
    assert tried(Law("x", "y", lambda: ["no torch"])).verdict == "not checked"
    assert where(ValueError("never raised")) == "ValueError: never raised"


def test_every_broken_law_is_in_one_error(shout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shout("print('hello')")
    monkeypatch.setattr("suite.testing.laws.registry", lambda: found)
    with pytest.raises(
        LawBroken, match=r"^1 of 2 laws do not hold:\n.*shout\.py: it prints nothing while it loads: it "
    ):
        check_plugin("shout")
    found = shout("")
    assert check_plugin("shout") == []


def test_the_laws_of_a_task_are_tried_one_by_one(echo: AnyTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.testing.check_light", lambda module, task: None)
    made = list(_of_task("echo", dataclasses.replace(echo, best=()), "a_module"))
    assert str(made[0]) == "task echo: its declaration is whole"
    verdicts = [tried(law) for law in made[:3]]
    assert [one.verdict for one in verdicts] == ["broken", "holds", "not checked"]
    assert verdicts[2].said == "no file labelled… among its samples to train on"
