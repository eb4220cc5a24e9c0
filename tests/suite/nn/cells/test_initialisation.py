"""Initial weights, gate by gate."""

from __future__ import annotations

import torch

from suite.nn.cells.initialisation import glorot_gates_, orthogonal_gates_


def test_first_weights_are_filled_gate_by_gate() -> None:
    torch.manual_seed(0)
    weight = torch.zeros(12, 4)
    orthogonal_gates_(weight)
    for block in weight.split(4):
        torch.testing.assert_close(block @ block.T, torch.eye(4))
    wide = torch.zeros(3 * 50, 70)
    glorot_gates_(wide, gates=3)
    bound = (6 / 120) ** 0.5
    assert 0.99 * bound < float(wide.abs().max()) <= bound
    assert abs(float(wide.std()) - bound / 3**0.5) < 0.01
