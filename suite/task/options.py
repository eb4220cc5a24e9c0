"""Options and commands that a task adds to the core's verbs, with types, defaults, bounds and a JSON schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any

from suite.errors import UsageError, nearest

_JSON_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of one task: a keyword of the Python call and ``--name`` on the command line.

    Attributes:
        name: A Python identifier; the command line shows it with hyphens.
        type: ``bool``, ``int``, ``float``, ``str`` or ``pathlib.Path``.
        help: A phrase for ``--help``.
        verbs: The verbs that take the option.
        choices: The allowed values of a ``str`` option; empty for any.
        minimum, maximum: Inclusive bounds of a number; None for none.
    """

    name: str
    type: type
    help: str
    default: Any = None
    verbs: tuple[str, ...] = ("predict",)
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    def parse(self, value: Any) -> Any:
        """``value`` as the option's type: a number may be given as text, a path as a string, and a whole number as any.

        None stays None. Raises UsageError for a value of another type, or one that is not finite or out of bounds.
        """
        if value is None:
            return None
        try:
            made = self._converted(value)
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"{self.name}={value!r}: expected {self.type.__name__}") from None
        if self.choices and made not in self.choices:
            raise UsageError(f"{self.name}={value!r}: {nearest(str(made), self.choices)}")
        if isinstance(made, float) and not math.isfinite(made):
            raise UsageError(f"{self.name}={value!r}: expected a finite number")
        if self.minimum is not None and not made >= self.minimum:
            raise UsageError(f"{self.name}={value!r}: expected {self._kind} of at least {self.minimum:g}")
        if self.maximum is not None and not made <= self.maximum:
            raise UsageError(f"{self.name}={value!r}: expected {self._kind} of at most {self.maximum:g}")
        return made

    def _converted(self, value: Any) -> Any:
        """``value`` as the option's type. Raises TypeError or ValueError if something would be lost."""
        number = (Real, str)  # numpy's numbers too
        given_as = {int: number, float: number, Path: (str, PathLike)}.get(self.type, self.type)
        if not isinstance(value, given_as) or (isinstance(value, bool) and self.type is not bool):
            raise TypeError
        made = value if isinstance(value, self.type) else self.type(value)
        if self.type is int and isinstance(value, Real) and made != value:
            raise ValueError
        return made

    @property
    def _kind(self) -> str:
        return "a whole number" if self.type is int else "a number"

    def json_schema(self) -> dict[str, Any]:
        """The option as a JSON Schema property (draft 2020-12)."""
        schema: dict[str, Any] = {"type": _JSON_TYPES[self.type], "description": self.help}
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        if self.default is not None:
            schema["default"] = str(self.default) if self.type is Path else self.default
        return schema


def recursive_option(item: str) -> Option:
    """``--recursive``, for tasks whose ``predict`` takes files and folders; ``item`` is a singular noun for a file."""
    return Option(name="recursive", type=bool, default=False, help=f"search folders and their subfolders for {item}s")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A verb that only one task has: ``suite TASK NAME`` and ``pipeline.NAME(…)``.

    Attributes:
        run: ``run(model, *inputs, **options)`` yields results, which are printed as they come, or returns a dict of
            figures. ``model`` is the ``LoadedModel``, or None if ``needs_model`` is False.
        options: Keywords of both the command line and the Python call.
        inputs: The metavar of positional arguments (``"[FILE]..."``); empty for none.
        plots: Adds ``--plot``, which draws the results with ``Task.plot``.
        render: Prints a result in place of ``Task.render``; returns None to print nothing.
        end: Printed after each rendered result.
    """

    name: str
    help: str
    run: Callable[..., Any]
    options: Sequence[Option] = ()
    inputs: str = ""
    plots: bool = False
    render: Callable[[Any], str | None] | None = None
    end: str = "\n"
    needs_model: bool = True

    def parse(self, task: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given options or their defaults. Raises UsageError for an unknown option or a wrong type."""
        return parse_options(f"{task} {self.name}", self.options, given)


def parse_options(
    owner: str, options: Sequence[Option], given: Mapping[str, Any], also_known: Sequence[str] = ()
) -> dict[str, Any]:
    """The values of ``options``: those given, converted, and defaults for the rest (None means the default).

    ``owner`` starts the error message; ``also_known`` are further names to suggest. Raises UsageError.
    """
    known = {option.name: option for option in options}
    for name in given:
        if name not in known:
            raise UsageError(f"{owner}: no option {name!r}; {nearest(name, [*known, *also_known])}")
    return {
        name: option.parse(option.default if given.get(name) is None else given[name]) for name, option in known.items()
    }


def json_schema(options: Sequence[Option]) -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) for an object with these options as properties."""
    return {
        "type": "object",
        "properties": {option.name: option.json_schema() for option in options},
        "additionalProperties": False,
    }
