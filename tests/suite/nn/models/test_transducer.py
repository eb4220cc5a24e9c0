"""Transducers: encoder, prediction network and joiner."""

from __future__ import annotations

import pytest
import torch

from suite.errors import UsageError
from suite.nn.build import (
    frames_to_tokens,
)
from suite.nn.models import Transducer
from suite.nn.specs import MaskSpec, RecurrentSpec, StepHeadSpec


def transducer(cell: str = "lstm") -> Transducer:
    torch.manual_seed(0)
    encoder, prediction = RecurrentSpec(cell=cell, hidden=6), RecurrentSpec(cell="gru", hidden=5, dropout=0)
    masks = MaskSpec(bands=0, times=0)
    return frames_to_tokens(4, 2, masks, encoder, StepHeadSpec(), 7, prediction, 3).eval()


@pytest.mark.parametrize("cell", ["lstm", "mingru"])
def test_the_graphs_of_a_transducer_step_by_step_give_what_training_sees(cell: str) -> None:
    model = transducer(cell)
    graphs = model.graphs()
    assert list(graphs) == ["encoder", "decoder", "joiner"]
    x, tokens = torch.randn(2, 5, 8), torch.tensor([[1, 2, 2], [2, 1, 0]])
    lengths = torch.tensor([5, 5])
    frames, _ = model(x, lengths, model.initial(2))
    predicted = model.predict(tokens)
    logits = model.join(frames[:, :, None], predicted[:, None])
    assert logits.shape == (2, 5, 4, 3)
    state = {name: value for name, value in graphs["decoder"].example.items() if name.startswith("state.")}
    for u, token in enumerate([torch.zeros(2, dtype=torch.int64), *tokens.T]):
        outputs = graphs["decoder"].call({"token": token, **state})
        state = {f"state.{name[5:]}": value for name, value in outputs.items() if name.startswith("next.")}
        assert torch.allclose(outputs["prediction"], predicted[:, u], atol=1e-6)
        for t in range(5):
            joined = graphs["joiner"].call({"frame": frames[:, t], "prediction": outputs["prediction"]})
            assert torch.allclose(joined["logits"], logits[:, t, u], atol=1e-6)


def test_a_prediction_network_reads_forwards() -> None:
    prediction = RecurrentSpec(hidden=4, bidirectional=True)
    with pytest.raises(UsageError, match="a prediction network is causal"):
        frames_to_tokens(4, 1, MaskSpec(), RecurrentSpec(hidden=4), StepHeadSpec(), 4, prediction, 3)
