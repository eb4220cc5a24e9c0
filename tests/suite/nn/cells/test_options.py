"""A cell with options of its own: made, checked, configured, trained, exported and described."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import suite
from suite.checkpoint import Checkpoint, Manifest
from suite.checkpoint.weights import WEIGHTS, round_weights, save_weights
from suite.config import to_dict
from suite.errors import UsageError
from suite.export.onnx import export
from suite.export.verify import verify
from suite.nn.build import series_to_one
from suite.nn.cells.base import Cell, State, make_cell, with_options
from suite.nn.cells.gru import GRU
from suite.nn.inspect import facts
from suite.nn.layers.recurrent import RecurrentStack
from suite.nn.specs import HeadSpec, RecurrentSpec
from suite.plugins import registry
from suite.plugins.entry_points import CELLS, EntryPoint
from suite.testing import LawBroken, check_cell

Cli = Callable[..., Any]


@dataclass(frozen=True)
class MixerOptions:
    heads: int = 2
    leak: float = 0.5
    gates: tuple[str, ...] = ("keep",)


class Mixer(Cell):
    """h' = (1 − leak) h + leak tanh(W x + U h), its U block-diagonal with one block for each head."""

    equation = "h' = (1 - leak) h + leak tanh(W x + U h)"
    source = "somebody"
    options = MixerOptions

    def __init__(self, inputs: int, hidden: int, *, options: MixerOptions) -> None:
        super().__init__(inputs, hidden)
        if hidden % options.heads:
            raise ValueError(f"hidden, {hidden}, must be a multiple of heads, {options.heads}")
        size = hidden // options.heads
        self.heads, self.leak = options.heads, options.leak
        self.input = nn.Linear(inputs, hidden)
        self.blocks = nn.Parameter(torch.randn(options.heads, size, size) * size**-0.5)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"S": (self.heads, self.hidden // self.heads)}

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def recur(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        mixed = (state["S"][:, :, None] * self.blocks).sum(3)
        new = torch.tanh(projected.view(-1, *self.state_shapes()["S"]) + mixed)
        s = (1 - self.leak) * state["S"] + self.leak * new
        return s.flatten(1), {"S": s}


@pytest.fixture
def mixer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell, registered as ``mixer``."""
    found = registry()
    found.cell("gru")  # whose module, once loaded, stands for this one's
    monkeypatch.setitem(
        found._entry_points, (CELLS, "mixer"), EntryPoint(CELLS, "mixer", "suite.nn.cells.gru", "tests", "0")
    )
    monkeypatch.setitem(found._found[CELLS], "mixer", Mixer)


def test_options_reach_the_cell() -> None:
    made = make_cell(Mixer, 3, 6, {"heads": 3, "leak": 1})
    assert isinstance(made, Mixer)
    assert (made.heads, made.leak) == (3, 1.0)
    assert make_cell(Mixer, 3, 6).state_shapes() == {"S": (2, 3)}
    assert type(make_cell(GRU, 3, 6)) is GRU
    assert with_options(GRU, {}) is GRU
    assert with_options(Mixer, {"heads": 6})(3, 6).state_shapes() == {"S": (6, 1)}


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        (Mixer, {"heds": 3}, "cell_options.heds: no such setting; did you mean 'heads'?"),
        (Mixer, {"heads": "many"}, "cell_options.heads: expected int, got 'many'"),
        (Mixer, {"heads": 4}, "cell_options: Mixer: hidden, 6, must be a multiple of heads, 4"),
        (GRU, {"heads": 4}, "cell_options: GRU has no options"),
    ],
)
def test_wrong_options(cell: type[Cell], options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as error:
        make_cell(cell, 3, 6, options)
    assert str(error.value) == message


def test_laws() -> None:
    check_cell(Mixer, hidden=6)
    check_cell(Mixer, hidden=6, options={"heads": 3, "leak": 0.9})
    with pytest.raises(UsageError, match="no such setting"):
        check_cell(Mixer, options={"heds": 3})
    with pytest.raises(LawBroken):
        check_cell(Mixer, hidden=6, options={"leak": float("nan")})


def test_a_stack_has_the_options_in_every_cell() -> None:
    spec = RecurrentSpec(hidden=6, layers=2, bidirectional=True, cell_options={"heads": 3})
    cells = [module for module in RecurrentStack(Mixer, 4, spec).modules() if isinstance(module, Mixer)]
    assert [cell.heads for cell in cells] == [3] * 4


def test_an_untouched_spec_is_written_as_before() -> None:
    assert list(to_dict(RecurrentSpec())) == [
        "cell", "hidden", "layers", "dropout", "residual", "norm", "feedforward", "bidirectional",
    ]  # fmt: skip


@pytest.mark.parametrize("bidirectional", [False, True])
def test_export(mixer: None, bidirectional: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    spec = RecurrentSpec("mixer", hidden=6, layers=2, bidirectional=bidirectional, cell_options={"heads": 3})
    model = series_to_one(4, spec, HeadSpec(), 3)
    round_weights(model)
    save_weights(model, tmp_path / WEIGHTS)
    names = export(model, tmp_path)
    assert verify(model, Checkpoint(tmp_path, Manifest("", "", {}, files=dict.fromkeys(names, "")))) < 1e-5


def test_a_task_is_trained_with_them(mixer: None, echo: object, echo_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    settings = ["encoder.cell_options.heads=3", "encoder.cell_options.gates=keep,drop"]
    suite.train("echo", data=echo_file, out=out, cell="mixer", settings=settings, epochs=1)
    config = json.loads((out / "suite.json").read_text())["config"]
    assert config["encoder"]["cell_options"] == {"heads": 3, "gates": ["keep", "drop"]}
    assert "| `encoder.cell_options.heads` | 3 |" in (out / "README.md").read_text()
    onnx, torch_ = (suite.pipeline("echo", out, runtime=kind) for kind in ("onnx", "torch"))
    assert onnx("abcdabcd").text == torch_("abcdabcd").text
    assert torch_.model.runtime.graph("encoder").initial(1)["state.0.S"].shape == (1, 3, 4)
    # Another cell does not inherit them; settings are checked before the data is.
    suite.train("echo", data=echo_file, out=tmp_path / "b", cell="gru", epochs=1, init_from=out)
    assert "cell_options" not in json.loads((tmp_path / "b" / "suite.json").read_text())["config"]["encoder"]
    for setting, message in (
        ("encoder.cell_options.heds=3", "--set encoder.cell_options.heds: no such setting; did you mean 'heads'?"),
        ("encoder.cell_options.heads=x", "--set encoder.cell_options.heads: expected int, got 'x'"),
    ):
        with pytest.raises(UsageError) as error:
            suite.train("echo", data=tmp_path / "absent", out=tmp_path / "c", cell="mixer", settings=[setting])
        assert str(error.value) == message
    with pytest.raises(UsageError, match="cell 'gru' has no options"):
        suite.train("echo", data="absent", out=tmp_path / "c", settings={"encoder.cell_options.heads": 3})


def test_facts_name_the_options() -> None:
    assert facts(GRU, 3, 6).options == {}
    found = facts(Mixer, 3, 6, {"heads": 3})
    assert found.options == {"heads": 3, "leak": 0.5, "gates": ["keep"]}
    assert found.state == {"S": (3, 2)}


def test_cells_are_shown_with_options(cli: Cli, mixer: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from suite.nn import inspect

    learn = inspect.learn_recall
    monkeypatch.setattr(inspect, "learn_recall", lambda *a, steps, **more: learn(*a, steps=2, **more))
    ran = cli("cells", "show", "mixer", "--set", "heads=4", "--hidden", "8")
    assert ran.code == 0
    assert "options      heads=4, leak=0.5, gates=['keep']" in ran.lines
    assert any(line.startswith("state        S [4, 2]") for line in ran.lines)
    ran = cli("cells", "compare", "mixer", "rnn", "--set", "mixer.heads=4", "--hidden", "8", "--json")
    assert [json.loads(line)["options"] for line in ran.lines] == [
        {"heads": 4, "leak": 0.5, "gates": ["keep"]}, {}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "mixer", "--set", "heds=4"], "--set heds: no such setting; did you mean 'heads'?"),
        (["show", "gru", "--set", "heads=4"], "--set heads=4: cell 'gru' has no options"),
        (["show", "mixer", "--set", "heads=5"], "hidden, 32, must be a multiple of heads, 5"),
        (["compare", "mixer", "--set", "heads=4"], "--set heads=4: expected NAME.OPTION=VALUE"),
        (["compare", "mixer", "--set", "mixxer.heads=4"], "did you mean 'mixer'?"),
        (["compare", "mixer", "--set", "mixer.heads=x"], "expected int, got 'x'"),
    ],
)
def test_wrong_options_of_shown_cells(cli: Cli, mixer: None, arguments: list[str], message: str) -> None:
    ran = cli("cells", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.error
