"""Configurations: frozen dataclasses, read strictly and changed by dotted paths.

A task's configuration is one frozen dataclass, nested as deep as it likes, with a default for every field.
This module turns one into plain JSON and back, and applies ``--set encoder.hidden=512``. An unknown key or a
value of the wrong type is an error that names the place and the nearest field.

A field made by ``options_field`` holds the options of something that another field names, such as the options of a
recurrent cell: ``--set encoder.cell_options.heads=4``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from suite.errors import SuiteError, UsageError, nearest

C = TypeVar("C")

_OPTIONS = "suite.options"


@dataclass(frozen=True)
class _Options:
    """The metadata of a field made by ``options_field``."""

    of: str
    find: Callable[[str], type | None]


def options_field(of: str, find: Callable[[str], type | None]) -> Any:
    """A dataclass field for the options of what the field ``of`` names: a dict from option names to values.

    The options' names, types and defaults are those of a frozen dataclass that is looked up only when an option is set
    or checked. The field is left out of a configuration's JSON while it is empty, and it is emptied by a setting that
    changes ``of``.

    Args:
        of: The name of the field, in the same dataclass, whose value has options, such as ``cell``.
        find: Returns the dataclass of the options for a value of that field, or None where it has none.
    """
    return dataclasses.field(default_factory=dict, hash=False, metadata={_OPTIONS: _Options(of, find)})


def check_options(config: Any, where: str = "") -> None:
    """Check the values of every options field in ``config``, at any depth.

    Raises:
        UsageError: For an unknown option, or a value of the wrong type.
    """
    for field in dataclasses.fields(config):
        value, path = getattr(config, field.name), f"{where}{field.name}"
        if dataclasses.is_dataclass(value):
            check_options(value, f"{path}.")
        elif _OPTIONS in field.metadata and value:
            from_dict(_options_type(config, field, path), value, where=path)


def to_dict(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON values: tuples become lists, and numbers that JSON lacks (NaN, ∞) None."""
    return {f.name: _plain(getattr(config, f.name)) for f in _written(config)}


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
    changes: list[tuple[str, Any]] = []
    if isinstance(settings, Mapping):
        changes += ((str(path), value) for path, value in settings.items())
    else:
        for setting in settings:
            path, equals, text = str(setting).partition("=")
            if not equals:
                raise UsageError(f"--set {setting}: expected path=value, for example {_example(config)}")
            changes.append((path.strip(), _Text(text.strip())))
    # Options are set last: which ones there are depends on another setting.
    for path, value in sorted(changes, key=lambda change: _sets_option(config, change[0])):
        config = _replace(config, path.split("."), value, path)
    return config


class _Text(str):
    """The text of a setting, whose type is yet to be found."""


def paths(config: Any, prefix: str = "") -> dict[str, Any]:
    """Every dotted path of a configuration with its value."""
    found: dict[str, Any] = {}
    for field in _written(config):
        value, path = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            found.update(paths(value, f"{path}."))
        elif _OPTIONS in field.metadata:
            found.update({f"{path}.{name}": option for name, option in value.items()})
        else:
            found[path] = value
    return found


def _example(config: Any) -> str:
    path, value = next(iter(paths(config).items()))
    return f"{path}={json.dumps(_plain(value))}"


def required(field: dataclasses.Field[Any]) -> bool:
    """Whether a field has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _written(config: Any) -> Iterator[dataclasses.Field[Any]]:
    """The fields of a configuration, without options fields that are empty."""
    return (f for f in dataclasses.fields(config) if _OPTIONS not in f.metadata or getattr(config, f.name))


def _options_type(config: Any, field: dataclasses.Field[Any], where: str) -> type:
    """The dataclass of the options in a field. Raises UsageError if there are none."""
    options: _Options = field.metadata[_OPTIONS]
    name = getattr(config, options.of)
    found = options.find(name)
    if found is None:
        raise UsageError(f"{where}: {options.of} {name!r} has no options")
    return found


def _sets_option(config: Any, path: str) -> bool:
    """Whether a path leads into an options field."""
    for key in path.split("."):
        field = next((f for f in dataclasses.fields(config) if f.name == key), None)
        if field is None:
            return False
        if _OPTIONS in field.metadata:
            return True
        config = getattr(config, key)
        if not dataclasses.is_dataclass(config):
            return False
    return False


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
    field = next(f for f in dataclasses.fields(config) if f.name == head)
    if _OPTIONS in field.metadata:
        return dataclasses.replace(config, **{head: _replace_options(config, field, rest, given, path)})
    if rest:
        if not dataclasses.is_dataclass(current):
            raise UsageError(f"--set {path}: {head} has no settings of its own")
        return dataclasses.replace(config, **{head: _replace(current, rest, given, path)})
    hint = typing.get_type_hints(type(config))[head]
    if dataclasses.is_dataclass(current) and (isinstance(given, _Text) or not isinstance(given, type(current))):
        inner = ", ".join(f.name for f in dataclasses.fields(current))
        raise UsageError(f"--set {path}: name one of its settings: {inner}")
    value = _typed(hint, _parse(str(given), hint) if isinstance(given, _Text) else given, f"--set {path}", UsageError)
    changed = {head: value}
    if value != current:
        changed |= {f.name: {} for f in dataclasses.fields(config) if _has_options_of(f, head)}
    try:
        return dataclasses.replace(config, **changed)
    except ValueError as problem:
        raise UsageError(f"--set {path}: {problem}") from problem


def _has_options_of(field: dataclasses.Field[Any], name: str) -> bool:
    return _OPTIONS in field.metadata and field.metadata[_OPTIONS].of == name


def _replace_options(
    config: Any, field: dataclasses.Field[Any], rest: list[str], given: Any, path: str
) -> dict[str, Any]:  # fmt: skip
    """The options of a field after one of them (``rest``) is set, or all of them. Raises UsageError."""
    where = f"--set {path}"
    kind = _options_type(config, field, where)
    if not rest:
        values = _parse(str(given), dict) if isinstance(given, _Text) else given
        from_dict(kind, values, where=where)
        return dict(values)
    if len(rest) > 1:
        raise UsageError(f"{where}: {rest[0]} has no settings of its own")
    own = getattr(config, field.name)
    changed = _replace(from_dict(kind, own, where=where), rest, given, path)
    return {**own, rest[0]: _plain(getattr(changed, rest[0]))}


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
