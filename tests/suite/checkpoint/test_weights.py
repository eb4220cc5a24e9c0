"""Weights between a module and their file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from suite.checkpoint.weights import WEIGHTS, load_weights, round_weights, save_weights, transfer
from suite.errors import CheckpointError


class Net(nn.Module):
    def __init__(self, outputs: int = 3) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 5), nn.Linear(5, outputs)
        self.register_buffer("order", torch.tensor([3000, 2001]))


def test_rounded_weights_survive_their_file_exactly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Net()
    exact = {name: value.clone() for name, value in model.state_dict().items()}
    round_weights(model)
    save_weights(model, tmp_path / WEIGHTS)
    again = load_weights(tmp_path / WEIGHTS)
    assert again.keys() == exact.keys()
    for name, value in model.state_dict().items():
        assert torch.equal(again[name], value)
        assert again[name].dtype == value.dtype
        torch.testing.assert_close(value, exact[name], rtol=1e-3, atol=1e-6)
    assert not torch.equal(model.first.weight, exact["first.weight"])
    stored = load_file(tmp_path / WEIGHTS)
    assert stored["first.weight"].dtype == torch.float16
    # Whole numbers are not halved: 2001 and 3000 would not survive it.
    assert stored["order"].tolist() == [3000, 2001]


def test_weights_of_eight_bits_survive_their_file_exactly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Net()
    with torch.no_grad():
        model.first.weight[0] = 0
        model.first.weight[1] *= 1e-30
        model.first.weight[2] *= 1e30
    exact = {name: value.clone() for name, value in model.state_dict().items()}
    round_weights(model, "int8")
    save_weights(model, tmp_path / WEIGHTS, "int8")
    again = load_weights(tmp_path / WEIGHTS)
    assert again.keys() == exact.keys()
    for name, value in model.state_dict().items():
        assert torch.equal(again[name], value)
    for row, was in zip(model.first.weight, exact["first.weight"], strict=True):
        assert (row - was).abs().max() <= was.abs().max() / 200
    twice = {name: value.clone() for name, value in model.state_dict().items()}
    round_weights(model, "int8")
    assert all(torch.equal(value, twice[name]) for name, value in model.state_dict().items())
    kept = load_file(tmp_path / WEIGHTS)
    assert kept["first.weight"].dtype == torch.int8
    assert kept["first.bias"].dtype == torch.float16
    assert kept["order"].tolist() == [3000, 2001]


@pytest.mark.parametrize("content", [None, b"", b"not a safetensors file at all"])
def test_a_file_that_is_none_gives_one_line(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(CheckpointError, match="copy the checkpoint again") as caught:
        load_weights(tmp_path / WEIGHTS)
    assert "\n" not in str(caught.value)


def test_transfer_copies_what_fits_and_names_what_does_not() -> None:
    torch.manual_seed(0)
    source, model = Net(outputs=3), Net(outputs=2)
    before = model.second.weight.detach().clone()
    assert transfer(model, {**source.state_dict(), "unknown": torch.zeros(1)}) == ["second.bias", "second.weight"]
    assert torch.equal(model.first.weight, source.first.weight)
    assert torch.equal(model.second.weight, before)
    assert transfer(Net(), source.state_dict()) == []
