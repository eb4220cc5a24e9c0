"""Options mean the same on the command line, in Python and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest

from suite.cli.task import task_group
from suite.errors import UsageError
from suite.plugins import registry
from suite.task import AnyTask, Command, Option
from suite.task.options import json_schema, parse_options

VERBS = ("predict", "evaluate", "stream", "train")
#: What JSON has for each name of a JSON Schema type.
JSON_TYPES: dict[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
}


def valid(values: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    """Whether an object fits a schema of options; of JSON Schema, what such a schema uses."""
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    for name, value in values.items():
        own = schema["properties"].get(name)
        if own is None or not JSON_TYPES[own["type"]](value) or value not in own.get("enum", [value]):
            return False
        if ("minimum" in own and value < own["minimum"]) or ("maximum" in own and value > own["maximum"]):
            return False
    return True


def values_of(option: Option) -> list[Any]:
    """Values that an option may have, as JSON."""
    if option.choices:
        return list(option.choices)
    if option.type is bool:
        return [True, False]
    if option.type in (int, float):
        low = option.minimum if option.minimum is not None else -2
        high = option.maximum if option.maximum is not None else low + 7
        found = {low, high, (low + high) / 2, 0.5 * low + 0.25 * high, 2}
        inside = sorted(value for value in found if low <= value <= high)
        return sorted({round(v) for v in inside if low <= round(v) <= high}) if option.type is int else inside
    return ["a word", "-x", "näme.txt"]


def refused_by(option: Option) -> Iterator[Any]:
    """Values that an option cannot have, as JSON."""
    if option.choices:
        yield "not-a-choice"
    if option.minimum is not None:
        yield option.minimum - 1
    if option.maximum is not None:
        yield option.maximum + 1
    yield {bool: "yes", int: 2.5, float: "much", str: 7, Path: 7}[option.type]
    if option.type in (int, float):
        yield True
    yield []


def typed(command: click.Command, option: Option, value: Any) -> Any:
    """What the command line gives for an option."""
    flag = "--" + option.name.replace("_", "-")
    arguments = ([flag] if value else []) if option.type is bool else [f"{flag}={value}"]
    return command.make_context(command.name, arguments).params[option.name]


def places(task: AnyTask) -> Iterator[tuple[click.Command | None, Sequence[Option], Any, Mapping[str, Any]]]:
    """The options of each verb and command: its click command, the options, their parser and their schema."""
    commands = task_group(task).commands
    own = {command.name for command in task.commands}
    for verb in VERBS:
        typed_as = None if verb in own else commands.get(verb)
        yield typed_as, task.options_of(verb), partial(task.parse_options, verb), task.options_schema(verb)
    for command in task.commands:
        parse = partial(command.parse, task.name)
        yield commands[command.name], command.options, parse, json_schema(command.options)


@pytest.mark.parametrize("name", registry().task_names())
def test_every_option_round_trips_command_line_python_and_json(name: str) -> None:
    task = registry().task(name)
    for command, options, parse, schema in places(task):
        assert set(schema["properties"]) == {option.name for option in options}
        defaults = parse({})
        for option in options:
            assert defaults[option.name] == option.parse(option.default)
            if command is not None:
                assert parse({option.name: typed_default(command, option)}) == defaults
            if "default" in schema["properties"][option.name]:
                default = schema["properties"][option.name]["default"]
                assert valid({option.name: default}, schema), option
                assert parse({option.name: default}) == defaults
            for value in values_of(option):
                given = json.loads(json.dumps({option.name: value}))
                assert valid(given, schema), (option, value)
                wanted = parse({option.name: option.type(value)})
                assert isinstance(wanted[option.name], option.type)
                assert parse(given) == wanted, (option, value)
                if command is not None and (option.type is not bool or value or not option.default):
                    assert parse({option.name: typed(command, option, value)}) == wanted, (option, value)
            for value in refused_by(option):
                given = json.loads(json.dumps({option.name: value}))
                assert not valid(given, schema), (option, value)
                with pytest.raises(UsageError, match=rf"^{option.name}="):
                    parse(given)
        assert not valid({"no_such_option": 1}, schema)
        with pytest.raises(UsageError, match="no option 'no_such_option'"):
            parse({"no_such_option": 1})


def typed_default(command: click.Command, option: Option) -> Any:
    """What the command line gives if an option is not there."""
    return command.make_context(command.name, []).params[option.name]


def test_values_are_converted_only_where_nothing_is_lost() -> None:
    number, share = Option(name="n", type=int, help=""), Option(name="share", type=float, help="")
    assert [number.parse(value) for value in (4, "4", 4.0)] == [4, 4, 4]
    assert [share.parse(value) for value in (1, "0.5", 0.25)] == [1.0, 0.5, 0.25]
    assert isinstance(share.parse(1), float)
    text, place = Option(name="text", type=str, help=""), Option(name="place", type=Path, help="")
    assert place.parse("a/b") == place.parse(Path("a/b")) == Path("a/b")
    flag = Option(name="flag", type=bool, help="")
    for option, value in (
        (number, "many"), (number, 2.5), (number, True), (number, "2.5"), (number, float("inf")), (share, "much"),
        (share, False), (text, 5), (text, Path("a")), (place, 5), (flag, "false"), (flag, 1), (number, [1]),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=rf"^{option.name}=.*: expected {option.type.__name__}$"):
            option.parse(value)


def test_bounds_and_choices_are_named() -> None:
    beam = Option(name="beam", type=int, help="", minimum=1, maximum=9)
    for value in (0, 10):
        with pytest.raises(UsageError, match=rf"^beam={value}: expected a whole number of at "):
            beam.parse(value)
    kind = Option(name="kind", type=str, help="", choices=("big", "small"))
    with pytest.raises(UsageError, match=r"^kind='bug': did you mean 'big'\?$"):
        kind.parse("bug")
    command = Command(name="make", help="", run=print, options=(beam, kind))
    assert command.parse("task", {"beam": "3"}) == {"beam": 3, "kind": None}
    with pytest.raises(UsageError, match=r"^task make: no option 'baem'; did you mean 'beam'\?$"):
        command.parse("task", {"baem": 3})
    with pytest.raises(UsageError, match=r"^task: no option 'runtme'; did you mean 'runtime'\?$"):
        parse_options("task", (beam,), {"runtme": "onnx"}, ("runtime",))
    assert json_schema((beam,))["properties"]["beam"] == {
        "type": "integer", "description": "", "minimum": 1, "maximum": 9
    }  # fmt: skip
