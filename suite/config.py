"""Configurations: frozen dataclasses, read strictly and changed by dotted paths.

A task's configuration is one frozen dataclass, nested as deep as it likes, with a default for every field.
This module turns one into plain JSON and back, and applies ``--set encoder.hidden=512``. An unknown key or a
value of the wrong type is an error that names the place and the nearest field.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from suite.errors import SuiteError, UsageError, nearest

C = TypeVar("C")


def to_dict(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON values: tuples become lists, and numbers that JSON lacks (NaN, ∞) None."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def from_dict(kind: type[C], values: Mapping[str, Any], *, where: str = "", error: type[SuiteError] = UsageError) -> C:
    """Build ``kind`` from JSON values; every key must be a field, every value of the field's type.

    ``where`` prefixes the dotted path in messages; ``error`` is the class raised.
    """
    if not isinstance(values, Mapping):
        raise error(f"{where or kind.__name__}: expected an object, got {values!r}")
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    built: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{where}.{key}" if where else str(key)
        if key not in names:
            raise error(f"{path}: no such setting; {nearest(str(key), names)}")
        built[key] = _typed(hints[key], value, path, error)
    missing = [f.name for f in dataclasses.fields(kind) if f.name not in built and required(f)]  # type: ignore[arg-type]
    if missing:
        raise error(f"{where or kind.__name__}: {missing[0]} is missing")
    try:
        return kind(**built)
    except ValueError as problem:
        raise error(f"{where or kind.__name__}: {problem}") from problem


def check_ranges(config: Any, *, least: Mapping[str, float] | None = None, shares: Iterable[str] = ()) -> None:
    """Raise ValueError for a field below its ``least``, or a share outside 0 ≤ share < 1; for ``__post_init__``."""
    for name, low in (least or {}).items():
        value = getattr(config, name)
        if not low <= value < math.inf:
            raise ValueError(f"{name} must be {low:g} or more, not {value}")
    for name in shares:
        value = getattr(config, name)
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be at least 0 and below 1, not {value}")


def from_options(make: Callable[..., C], *values: Any, **more: Any) -> C:
    """What ``make`` makes of options that a user gave: where it raises ValueError, a UsageError says the same."""
    try:
        return make(*values, **more)
    except ValueError as error:
        raise UsageError(str(error)) from None


def stacks(config: Any) -> list[str]:
    """The parts of a task's configuration that are stacks of cells."""
    return [part for part in ("encoder", "decoder") if hasattr(getattr(config, part, None), "cell")]


def override(config: C, settings: Mapping[str, Any] | Iterable[str]) -> C:
    """A copy of ``config`` with settings applied, in order: ``{"encoder.hidden": 64}`` or ``["encoder.hidden=64"]``.

    Values of strings are JSON where they parse as JSON and strings where they do not: ``encoder.cell=gru``,
    ``encoder.dropout=0.2``, ``encoder.pooling=["last","mean"]`` or ``encoder.pooling=last,mean``.
    """
    if isinstance(settings, str):
        raise UsageError(f"settings={settings!r}: give a list of path=value, or a dict of paths and values")
    if isinstance(settings, Mapping):
        for path, value in settings.items():
            config = _replace(config, str(path).split("."), value, str(path))
        return config
    for setting in settings:
        path, equals, text = str(setting).partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: expected path=value, for example {_example(config)}")
        config = _replace(config, path.strip().split("."), _Text(text.strip()), path.strip())
    return config


class _Text(str):
    """The text of a setting, whose type is yet to be found."""


def paths(config: Any, prefix: str = "") -> dict[str, Any]:
    """Every dotted path of a configuration with its value."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value, path = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            found.update(paths(value, f"{path}."))
        else:
            found[path] = value
    return found


def _example(config: Any) -> str:
    path, value = next(iter(paths(config).items()))
    return f"{path}={json.dumps(_plain(value))}"


def required(field: dataclasses.Field[Any]) -> bool:
    """Whether a field has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _replace(config: Any, keys: list[str], given: Any, path: str) -> Any:
    names = [f.name for f in dataclasses.fields(config)]
    head, rest = keys[0], keys[1:]
    if head not in names:
        raise UsageError(
            f"--set {path}: no such setting; {nearest(path, paths(config)) if rest else nearest(head, names)}"
        )
    current = getattr(config, head)
    if rest:
        if not dataclasses.is_dataclass(current):
            raise UsageError(f"--set {path}: {head} has no settings of its own")
        return dataclasses.replace(config, **{head: _replace(current, rest, given, path)})
    hint = typing.get_type_hints(type(config))[head]
    if dataclasses.is_dataclass(current) and (isinstance(given, _Text) or not isinstance(given, type(current))):
        inner = ", ".join(f.name for f in dataclasses.fields(current))
        raise UsageError(f"--set {path}: name one of its settings: {inner}")
    value = _typed(hint, _parse(str(given), hint) if isinstance(given, _Text) else given, f"--set {path}", UsageError)
    try:
        return dataclasses.replace(config, **{head: value})
    except ValueError as problem:
        raise UsageError(f"--set {path}: {problem}") from problem


def _parse(text: str, hint: Any) -> Any:
    if hint is str:
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        if typing.get_origin(hint) is tuple:
            return [_parse(part.strip(), typing.get_args(hint)[0]) for part in text.split(",") if part.strip()]
        with contextlib.suppress(ValueError):
            return float(text)  # .5, 1e-3: numbers to everybody but JSON
        return {"True": True, "False": False, "None": None}.get(text, text)


def _typed(hint: Any, value: Any, path: str, error: type[SuiteError]) -> Any:
    """``value`` as the annotated type, or an error that names the place."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_dict(hint, value, where=path, error=error)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        options = [option for option in args if option is not type(None)]
        for option in options[:-1]:
            with contextlib.suppress(error):
                return _typed(option, value, path, error)
        return _typed(options[-1], value, path, error)
    if origin is typing.Literal:
        if value in args:
            return value
        raise error(f"{path}: {value!r} is not one of {', '.join(map(repr, args))}")
    if origin is tuple:
        if isinstance(value, str):
            value = [value]
        if isinstance(value, list | tuple):
            return tuple(_typed(args[0], item, path, error) for item in value)
    elif origin in (dict, Mapping, types.MappingProxyType) or hint is dict:
        if isinstance(value, Mapping):
            return dict(value)
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    elif isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    wanted = getattr(hint, "__name__", str(hint))
    raise error(f"{path}: expected {wanted}, got {value!r}")
