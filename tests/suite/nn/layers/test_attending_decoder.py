from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from suite.errors import UsageError
from suite.nn.cells.base import State
from suite.nn.layers.attending_decoder import AttendingDecoder
from suite.nn.specs import AttentionSpec, RecurrentSpec
from suite.plugins import registry

#: Attention below, between and above the layers, of both kinds, with and without feeding.
SHAPES = {
    "between": AttentionSpec(features=4, heads=2),
    "on top": AttentionSpec(features=4, kind="additive", after=0),
    "fed": AttentionSpec(features=4, feeding=True),
    "fed on top": AttentionSpec(features=4, after=2, feeding=True),
}
ALL = list(product(registry().cell_names(), SHAPES))


def made(cell: str, shape: str, **sizes: object) -> AttendingDecoder:
    torch.manual_seed(0)
    spec = RecurrentSpec(hidden=7, layers=2, norm="rms", **sizes)  # type: ignore[arg-type]
    return AttendingDecoder(registry().cell(cell), 5, 3, spec, SHAPES[shape], 6).double().eval()


def given(decoder: AttendingDecoder, rows: int = 3, steps: int = 6) -> tuple[Tensor, State, State]:
    torch.manual_seed(1)
    x, values = torch.randn(rows, steps, 5).double(), torch.randn(rows, 4, 3).double()
    state = {name: torch.randn_like(value) for name, value in decoder.initial(rows).items()}
    return x, state, decoder.attention.make_memory(values, torch.tensor([4, 1, 3])[:rows])


@pytest.mark.parametrize(("cell", "shape"), ALL)
def test_steps_equal_teacher_forcing(cell: str, shape: str) -> None:
    decoder = made(cell, shape)
    x, state, memory = given(decoder)
    features, last, weights = decoder(x, state, memory)
    assert features.shape == (3, 6, 6)
    assert weights.shape == (3, 6, 4)
    for t in range(6):
        feature, state, weight = decoder(x[:, t : t + 1], state, memory)
        torch.testing.assert_close(feature[:, 0], features[:, t], rtol=0, atol=1e-9)
        torch.testing.assert_close(weight[:, 0], weights[:, t], rtol=0, atol=1e-9)
    assert state.keys() == last.keys() == decoder.initial(1).keys()
    for name in last:
        torch.testing.assert_close(state[name], last[name], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("cell", "shape"), ALL)
def test_rows_may_be_reordered_repeated_and_taken_alone(cell: str, shape: str) -> None:
    decoder = made(cell, shape)
    x, state, memory = given(decoder)
    features, last, _ = decoder(x, state, memory)
    for order in ([2, 0, 1], [1, 1, 0], [2]):
        some = [{name: value[order] for name, value in part.items()} for part in (state, memory)]
        feature, after, _ = decoder(x[order], *some)
        torch.testing.assert_close(feature, features[order], rtol=0, atol=1e-9)
        for name in last:
            torch.testing.assert_close(after[name], last[name][order], rtol=0, atol=1e-9)


def test_a_step_writes_nothing_into_the_state_it_is_given() -> None:
    decoder = made("gru", "fed")
    x, state, memory = given(decoder)
    before = {name: value.clone() for name, value in state.items()}
    decoder(x, state, memory)
    assert all(torch.equal(state[name], before[name]) for name in before)


def test_what_was_found_is_carried_on_by_the_layers_above_and_by_feeding() -> None:
    """Another memory at the first step changes later ones, that of attention on top alone does not."""
    for shape, carries in (("between", True), ("fed on top", True), ("on top", False)):
        decoder = made("lstm", shape)
        x, state, memory = given(decoder)
        other = {**memory, "values": memory["values"] + 1}
        ends = []
        for first in (memory, other):
            _, after, _ = decoder(x[:, :1], state, first)
            ends.append(decoder(x[:, 1:], after, memory)[0])
        assert torch.allclose(*ends) is not carries, shape


def test_decoders_that_cannot_be() -> None:
    with pytest.raises(UsageError, match=r"decoder\.bidirectional must be false"):
        made("lstm", "between", bidirectional=True)
    with pytest.raises(UsageError, match="the decoder has 1 layers"):
        AttendingDecoder(registry().cell("gru"), 5, 3, RecurrentSpec(hidden=7), AttentionSpec(after=2), 6)
