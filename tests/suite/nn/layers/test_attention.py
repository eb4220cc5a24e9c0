from __future__ import annotations

import pytest
import torch

from suite.nn.layers.attention import Attention
from suite.nn.specs import AttentionSpec

LENGTHS = torch.tensor([5, 2, 0])


def made(**sizes: object) -> tuple[Attention, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    attention = Attention(4, 3, AttentionSpec(features=6, **sizes)).double()  # type: ignore[arg-type]
    return attention, torch.randn(3, 2, 4).double(), torch.randn(3, 5, 3).double()


def test_multiplicative_attention_is_a_scaled_product() -> None:
    attention, x, values = made()
    found, weights = attention(x, attention.make_memory(values, LENGTHS))
    query, key, value = attention.query(x[0, 1]), attention.key(values[0]), attention.value(values[0])
    wanted = torch.softmax(key @ query / 6**0.5, dim=0)
    torch.testing.assert_close(weights[0, 1], wanted)
    torch.testing.assert_close(found[0, 1], wanted @ value)


def test_additive_attention_is_a_perceptron() -> None:
    attention, x, values = made(kind="additive")
    _, weights = attention(x, attention.make_memory(values, LENGTHS))
    assert attention.energy is not None
    energies = torch.tanh(attention.query(x[0, 1]) + attention.key(values[0])) @ attention.energy[0]
    torch.testing.assert_close(weights[0, 1], torch.softmax(energies, dim=0))


@pytest.mark.parametrize("kind", ["multiplicative", "additive"])
def test_each_head_looks_by_itself(kind: str) -> None:
    attention, x, values = made(kind=kind, heads=2)
    memory = attention.make_memory(values, LENGTHS)
    found, weights = attention(x, memory)
    other = {**memory, "keys": memory["keys"].clone(), "values": memory["values"].clone()}
    other["keys"][:, :, 3:], other["values"][:, :, 3:] = 0, 0
    changed, weights_after = attention(x, other)
    torch.testing.assert_close(changed[..., :3], found[..., :3])
    assert not torch.allclose(changed[..., 3:], found[..., 3:])
    assert not torch.allclose(weights_after, weights)


def test_places_beyond_a_rows_length_are_not_seen_and_an_empty_row_gives_numbers() -> None:
    attention, x, values = made(heads=3)
    found, weights = attention(x, attention.make_memory(values, LENGTHS))
    assert not weights[1, :, 2:].any()
    torch.testing.assert_close(weights.sum(2), torch.ones(3, 2).double())
    alone, _ = attention(x[1:2], attention.make_memory(values[1:2, :2], LENGTHS[1:2]))
    torch.testing.assert_close(found[1:2], alone)
    assert torch.isfinite(found[2]).all()


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="multiple of heads"):
        AttentionSpec(features=6, heads=4)
