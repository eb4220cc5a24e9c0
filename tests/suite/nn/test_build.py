"""Builders: from specs to models."""

from __future__ import annotations

import re

import torch

from suite.nn.build import one_to_many, series_to_one, tokens_to_one
from suite.nn.specs import AttentionSpec, EmbeddingSpec, HeadSpec, RecurrentSpec, StepHeadSpec
from suite.plugins import registry


def test_builders() -> None:
    tokens = tokens_to_one(50, EmbeddingSpec(features=7), RecurrentSpec(cell="gru", hidden=6), HeadSpec(), 2)
    outputs, _ = tokens(torch.tensor([[1, 49]]), torch.tensor([2]), tokens.initial(1))
    assert outputs.shape == (1, 2)
    assert type(tokens.encoder.layers[0].cell) is registry().cell("gru")
    series = series_to_one(4, RecurrentSpec(cell="mingru", hidden=6), HeadSpec(), 3)
    outputs, _ = series(torch.zeros(2, 5, 4), torch.tensor([5, 0]), series.initial(2))
    assert outputs.shape == (2, 3)


def test_a_picture_like_input_of_any_front_end() -> None:
    class Views(torch.nn.Module):
        """Three numbers to two places."""

        features = 4

        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(3, 8)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.linear(inputs).view(-1, 2, 4)

    sizes = (EmbeddingSpec(features=5), RecurrentSpec("gru", hidden=6), AttentionSpec(features=4), StepHeadSpec())
    made = one_to_many(Views(), *sizes, 7, example=torch.zeros(2, 3))
    assert made.graphs()["encoder"].call({"inputs": torch.zeros(3, 3)})["memory.keys"].shape == (3, 2, 4)


def test_every_builder_is_in_the_overview() -> None:
    from suite.nn import build

    builders = [name for name, value in vars(build).items() if getattr(value, "__module__", "") == build.__name__]
    public = {name for name in builders if not name.startswith("_")}
    assert build.__doc__ is not None
    assert public == set(re.findall(r"^``(\w+)``", build.__doc__, re.MULTILINE))
    for name in public:
        assert "Args:" in str(getattr(build, name).__doc__)
