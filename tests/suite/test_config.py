"""Configurations: strict to read, changed by dotted paths."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from suite.config import (
    check_options,
    check_ranges,
    from_dict,
    from_options,
    options_field,
    override,
    paths,
    stacks,
    to_dict,
)  # fmt: skip
from suite.errors import CheckpointError, UsageError
from suite.nn.specs import HeadSpec, RecurrentSpec
from suite.training.specs import TrainingSpec


@dataclass(frozen=True)
class Inner:
    size: int = 3
    rate: float = 0.5
    share: float = 0.1

    def __post_init__(self) -> None:
        check_ranges(self, least={"size": 1}, shares=("share",))


@dataclass(frozen=True)
class Outer:
    name: str = "x"
    on: bool = False
    kind: Literal["a", "b", "none"] = "a"
    layers: tuple[str, ...] = ("last",)
    sizes: tuple[int, ...] = (1, 2)
    limit: int | None = None
    word: str | None = None
    either: int | str = 0
    table: Mapping[str, Any] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True)
class Needs:
    must: int
    may: int = 0


def test_round_trip_through_json() -> None:
    config = Outer(layers=("a", "b"), limit=4, inner=Inner(size=9), table={"k": [1]})
    text = json.dumps(to_dict(config))
    assert from_dict(Outer, json.loads(text)) == config
    assert from_dict(Outer, {}) == Outer()


def test_paths() -> None:
    found = paths(Outer())
    assert found["inner.size"] == 3
    assert found["name"] == "x"
    assert "inner" not in found


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nam": "y"}, "nam: no such setting; did you mean 'name'?"),
        ({"inner": {"siz": 1}}, "inner.siz: no such setting; did you mean 'size'?"),
        ({"inner": 3}, "inner: expected an object, got 3"),
        ({"name": 3}, "name: expected str, got 3"),
        ({"on": 1}, "on: expected bool, got 1"),
        ({"kind": "c"}, "kind: 'c' is not one of 'a', 'b', 'none'"),
        ({"layers": 5}, "layers: expected tuple"),
        ({"sizes": ["one"]}, "sizes: expected int, got 'one'"),
        ({"limit": "4"}, "limit: expected int, got '4'"),
        ({"inner": {"size": True}}, "inner.size: expected int, got True"),
        ({"inner": {"rate": "fast"}}, "inner.rate: expected float, got 'fast'"),
        ({"inner": {"size": 0}}, "inner: size must be 1 or more, not 0"),
        ({"table": 3}, "table: expected"),
        ([1], "Outer: expected an object, got [1]"),
    ],
)
def test_what_is_wrong_is_named(values: Any, message: str) -> None:
    with pytest.raises(UsageError) as error:
        from_dict(Outer, values)
    assert str(error.value).startswith(message)


def test_where_and_the_kind_of_error() -> None:
    with pytest.raises(CheckpointError, match=r"^suite\.json: config\.inner\.siz: no such"):
        from_dict(Outer, {"inner": {"siz": 1}}, where="suite.json: config", error=CheckpointError)
    with pytest.raises(CheckpointError, match=r"^here: must is missing$"):
        from_dict(Needs, {"may": 1}, where="here", error=CheckpointError)


@pytest.mark.parametrize(
    ("setting", "changed"),
    [
        ("name=y", {"name": "y"}),
        ("name=5", {"name": "5"}),
        ("name=", {"name": ""}),
        ("name=a=b", {"name": "a=b"}),
        ("on=true", {"on": True}),
        ("on=True", {"on": True}),
        ("on=false", {"on": False}),
        ("kind=none", {"kind": "none"}),
        ("kind=b", {"kind": "b"}),
        ("layers=mean", {"layers": ("mean",)}),
        ("layers=last, mean", {"layers": ("last", "mean")}),
        ('layers=["last","mean"]', {"layers": ("last", "mean")}),
        ("sizes=4,5", {"sizes": (4, 5)}),
        ("sizes=[4]", {"sizes": (4,)}),
        ("sizes=[]", {"sizes": ()}),
        ("limit=7", {"limit": 7}),
        ("limit=null", {"limit": None}),
        ("limit=None", {"limit": None}),
        ("word=hello", {"word": "hello"}),
        ("either=4", {"either": 4}),
        ("either=four", {"either": "four"}),
        (" name = y ", {"name": "y"}),
    ],
)
def test_override(setting: str, changed: dict[str, Any]) -> None:
    assert override(Outer(), [setting]) == dataclasses.replace(Outer(), **changed)


@pytest.mark.parametrize(
    ("setting", "value"), [("inner.rate=2", 2.0), ("inner.rate=.25", 0.25), ("inner.rate=1e-3", 0.001)]
)
def test_numbers(setting: str, value: float) -> None:
    found = override(Outer(), [setting]).inner.rate
    assert (found, type(found)) == (value, float)


def test_a_whole_float_is_an_int() -> None:
    assert override(Outer(), ["inner.size=1e2"]).inner.size == 100


def test_settings_apply_in_order_and_change_nothing_else() -> None:
    before = Outer()
    after = override(before, ["inner.size=5", "inner.size=6", "name=y"])
    assert after == Outer(name="y", inner=Inner(size=6))
    assert before == Outer()


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("name", "a=b", {"name": "a=b"}),
        ("on", True, {"on": True}),
        ("layers", ["last", "mean"], {"layers": ("last", "mean")}),
        ("layers", ("mean",), {"layers": ("mean",)}),
        ("layers", "mean", {"layers": ("mean",)}),
        ("limit", None, {"limit": None}),
        ("limit", 7, {"limit": 7}),
        ("either", "4", {"either": "4"}),
        ("table", {"a": 1}, {"table": {"a": 1}}),
        ("inner", Inner(size=9), {"inner": Inner(size=9)}),
        ("inner.rate", 2, {"inner": Inner(rate=2.0)}),
        ("inner.size", 1e2, {"inner": Inner(size=100)}),
    ],
)
def test_a_dict_of_settings(path: str, value: Any, changed: dict[str, Any]) -> None:
    assert override(Outer(), {path: value}) == dataclasses.replace(Outer(), **changed)


def test_settings_of_a_dict_apply_in_order_and_values_are_not_read_as_text() -> None:
    assert override(Outer(), {"inner.size": 5, "inner": Inner(rate=2), "inner.share": 0.2}) == Outer(
        inner=Inner(rate=2, share=0.2)
    )
    for path, value, message in (
        ("on", "true", "--set on: expected bool, got 'true'"),
        ("inner.size", "5", "--set inner.size: expected int, got '5'"),
        ("inner.size", True, "--set inner.size: expected int, got True"),
        ("inner.size", 0, "--set inner.size: size must be 1 or more, not 0"),
        ("inner", {"size": 5}, "--set inner: name one of its settings: size, rate, share"),
        ("inner.siz", 5, "--set inner.siz: no such setting; did you mean 'size'?"),
    ):
        with pytest.raises(UsageError) as error:
            override(Outer(), {path: value})
        assert str(error.value) == message
    with pytest.raises(
        UsageError, match=r"^settings='inner\.size=5': give a list of path=value, or a dict of paths and"
    ):
        override(Outer(), "inner.size=5")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("name", "--set name: expected path=value, for example name="),
        ("nam=y", "--set nam: no such setting; did you mean 'name'?"),
        ("inner.siz=1", "--set inner.siz: no such setting; did you mean 'size'?"),
        ("iner.size=1", "--set iner.size: no such setting; did you mean 'inner.size'?"),
        ("inner=1", "--set inner: name one of its settings: size, rate, share"),
        ("name.size=1", "--set name.size: name has no settings of its own"),
        ("inner.size=big", "--set inner.size: expected int, got 'big'"),
        ("inner.size=1.5", "--set inner.size: expected int, got 1.5"),
        ("inner.size=0", "--set inner.size: size must be 1 or more, not 0"),
        ("inner.size=true", "--set inner.size: expected int, got True"),
        ("inner.share=1", "--set inner.share: share must be at least 0 and below 1, not 1.0"),
        ("inner.share=nan", "--set inner.share: share must be at least 0 and below 1"),
        ("on=yes", "--set on: expected bool, got 'yes'"),
        ("kind=c", "--set kind: 'c' is not one of"),
        ("sizes=1,b", "--set sizes: expected int, got 'b'"),
        ("=1", "--set : no such setting"),
        ("", "--set : expected path=value"),
    ],
)
def test_a_bad_setting(setting: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        override(Outer(), [setting])
    assert str(error.value).startswith(message)


def test_ranges() -> None:
    with pytest.raises(ValueError, match="size must be 1 or more, not inf"):
        Inner(size=float("inf"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (RecurrentSpec, {"hidden": 0}), (RecurrentSpec, {"layers": 0}), (RecurrentSpec, {"dropout": 1.0}),
        (RecurrentSpec, {"feedforward": -1.0}), (HeadSpec, {"pooling": ()}), (HeadSpec, {"hidden": -1}),
        (TrainingSpec, {"epochs": 0}), (TrainingSpec, {"batch_size": 0}), (TrainingSpec, {"lr": float("nan")}),
        (TrainingSpec, {"ema": 1.0}), (TrainingSpec, {"patience": -1}), (TrainingSpec, {"clip": -1.0}),
    ],
)  # fmt: skip
def test_sizes_that_make_no_sense(kind: type, values: dict[str, Any]) -> None:
    (name,) = values
    with pytest.raises(ValueError, match=f"^{name} must "):
        kind(**values)


def test_options_that_a_user_gave() -> None:
    assert from_options(Inner, 4, share=0.2) == Inner(4, 0.5, 0.2)
    with pytest.raises(UsageError, match=r"^size must be 1 or more, not 0$"):
        from_options(Inner, 0)


def test_the_stacks_of_a_configuration() -> None:
    both = dataclasses.make_dataclass("Both", ["decoder", "encoder", "head"])
    assert stacks(both(RecurrentSpec(), RecurrentSpec(), HeadSpec())) == ["encoder", "decoder"]
    assert stacks(both(None, RecurrentSpec(), RecurrentSpec())) == ["encoder"]
    assert stacks(Outer()) == []


# --- options of what another field names ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Heads:
    heads: int = 2
    rate: float = 0.5
    names: tuple[str, ...] = ("a",)
    title: str = ""

    def __post_init__(self) -> None:
        check_ranges(self, least={"heads": 1})


@dataclass(frozen=True)
class Stack:
    cell: str = "plain"
    hidden: int = 4
    cell_options: Mapping[str, object] = options_field("cell", {"plain": None, "heads": Heads, "other": Inner}.get)


@dataclass(frozen=True)
class Model:
    encoder: Stack = field(default_factory=Stack)
    decoder: Stack = field(default_factory=lambda: Stack(cell="heads", cell_options={"heads": 3}))


def test_options_are_left_out_of_json_while_there_are_none() -> None:
    assert to_dict(Model())["encoder"] == {"cell": "plain", "hidden": 4}
    assert to_dict(Model())["decoder"] == {"cell": "heads", "hidden": 4, "cell_options": {"heads": 3}}
    assert from_dict(Model, json.loads(json.dumps(to_dict(Model())))) == Model()
    assert list(paths(Model())) == [
        "encoder.cell", "encoder.hidden", "decoder.cell", "decoder.hidden", "decoder.cell_options.heads"
    ]  # fmt: skip
    assert hash(Model()) == hash(Model())


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (["encoder.cell_options.heads=4", "encoder.cell=heads"], {"heads": 4}),
        (["encoder.cell=heads", "encoder.cell_options.names=a,b"], {"names": ["a", "b"]}),
        (["encoder.cell=heads", "encoder.cell_options.title=5"], {"title": "5"}),
        (["encoder.cell=heads", "encoder.cell_options.rate=1", "encoder.cell_options.heads=1"],
         {"rate": 1.0, "heads": 1}),
        (['encoder.cell_options={"heads": 5}', "encoder.cell=heads"], {"heads": 5}),
        ({"encoder.cell": "heads", "encoder.cell_options.heads": 4}, {"heads": 4}),
        ({"encoder.cell": "heads", "encoder.cell_options": {"heads": 4}}, {"heads": 4}),
    ],
)  # fmt: skip
def test_an_option_is_set_in_any_order(settings: Any, options: dict[str, Any]) -> None:
    found = override(Model(), settings)
    assert found.encoder.cell_options == options
    check_options(found)


def test_options_go_with_what_they_are_of() -> None:
    assert override(Model(), ["decoder.cell=other"]).decoder.cell_options == {}
    assert override(Model(), ["decoder.cell=heads", "decoder.hidden=9"]).decoder.cell_options == {"heads": 3}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["decoder.cell_options.heds=1"],
         "--set decoder.cell_options.heds: no such setting; did you mean 'heads'?"),
        (["decoder.cell_options.heads=many"], "--set decoder.cell_options.heads: expected int, got 'many'"),
        (["decoder.cell_options.heads=0"], "--set decoder.cell_options.heads: heads must be 1 or more, not 0"),
        (["decoder.cell_options.heads.more=0"], "--set decoder.cell_options.heads.more: heads has no settings"),
        (['decoder.cell_options={"heds": 1}'], "--set decoder.cell_options.heds: no such setting"),
        (["decoder.cell_options=1"], "--set decoder.cell_options: expected an object, got 1"),
        (["encoder.cell_options.heads=1"], "--set encoder.cell_options.heads: cell 'plain' has no options"),
        ({"decoder.cell_options.rate": "fast"}, "--set decoder.cell_options.rate: expected float, got 'fast'"),
    ],
)  # fmt: skip
def test_a_bad_option(settings: Any, message: str) -> None:
    with pytest.raises(UsageError) as error:
        override(Model(), settings)
    assert str(error.value).startswith(message)


def test_options_that_code_gave_are_checked() -> None:
    with pytest.raises(UsageError, match=r"^encoder\.cell_options: cell 'plain' has no options$"):
        check_options(Model(encoder=Stack(cell_options={"heads": 1})))
    with pytest.raises(UsageError, match=r"^encoder\.cell_options\.heds: no such setting; did you mean 'heads'"):
        check_options(Model(encoder=Stack(cell="heads", cell_options={"heds": 1})))
