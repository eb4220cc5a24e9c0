"""Front ends: the base classes, and those with state.

A front end turns a model's inputs ``[B, T, …]`` into feature vectors ``[B, T, F]`` for the first recurrent layer. Most
look at one step at a time (``suite.nn.layers.embeddings``). One that needs earlier steps, such as a convolution over
time, subclasses ``StatefulFrontend``: it carries what it needs of them from chunk to chunk, so that the model still
streams. Letters: B rows, T steps, D input features, F output features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.nn.cells.state import State


class Frontend(nn.Module):
    """A front end without state: ``forward(inputs [B, T, …]) -> features [B, T, F]``.

    Attributes:
        features: The number of output features, F.
    """

    features: int

    def example(self) -> Tensor:
        """Two rows of two steps of valid inputs, ``[2, 2, …]``: their type and shape are what tracing needs."""
        raise NotImplementedError(f"{type(self).__name__} defines no example; give one where the model is built")


class StatefulFrontend(Frontend):
    """A causal front end that carries state from chunk to chunk.

    A subclass sets ``features`` and defines ``forward``, ``state_shapes`` and ``example``. In a model's state its
    arrays are prefixed ``frontend.``; the exported graph takes them as ``state.frontend.*`` and gives them as
    ``next.frontend.*``. ``suite.testing.check_frontend`` checks that chunks give what the whole gives, and a padded
    row what that row alone gives.

    A front end that embeds tokens, then convolves their vectors::

        class ConvolvedTokens(StatefulFrontend):
            def __init__(self, vocabulary: int, spec: EmbeddingSpec) -> None:
                super().__init__()
                self.embedding = Embedding(vocabulary, spec)
                self.convolution = CausalConvolution(spec.features, 64, kernel=3)
                self.features = 64

            def state_shapes(self) -> dict[str, tuple[int, ...]]:
                return self.convolution.state_shapes()

            def example(self) -> Tensor:
                return self.embedding.example()

            def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
                return self.convolution(self.embedding(inputs), lengths, state)
    """

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The state's arrays by name, without the batch axis; they start at zero."""
        raise NotImplementedError

    def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        """Features of a chunk, and the next state. Pure.

        Args:
            inputs: The chunk, ``[B, T, …]``.
            lengths: The number of steps in each row, ``[B]``; the steps beyond are padding.
            state: The arrays that ``state_shapes`` names, ``[B, …]``.

        Returns:
            Features ``[B, T, F]``, whose values beyond a row's length do not matter; and the state after each row's own
            last step, which for a row of length 0 is the one it came with.
        """
        raise NotImplementedError


class FrameDifference(StatefulFrontend):
    """The difference of each feature vector from the one before, ``x[t] − x[t − 1]``; zero at the first step.

    Args:
        inputs: The number of input features, D.
        keep: Whether the vector itself goes before its difference, so that F = 2 D; else F = D.
    """

    def __init__(self, inputs: int, *, keep: bool = True) -> None:
        super().__init__()
        self.inputs, self.keep = inputs, keep
        self.features = 2 * inputs if keep else inputs

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"last": (self.inputs,), "begun": (1,)}

    def example(self) -> Tensor:
        return torch.zeros(2, 2, self.inputs)

    def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        steps = torch.cat([state["last"][:, None], inputs], dim=1)
        later = torch.arange(inputs.shape[1], device=inputs.device)[None, :] > 0
        known = later | (state["begun"] > 0)
        difference = torch.where(known[:, :, None], steps[:, 1:] - steps[:, :-1], 0.0)
        begun = torch.maximum(state["begun"], (lengths > 0)[:, None].to(state["begun"].dtype))
        following = {"last": last_steps(steps, lengths, 1)[:, 0], "begun": begun}
        return torch.cat([inputs, difference], dim=2) if self.keep else difference, following


class CausalConvolution(StatefulFrontend):
    """A convolution over the present step and the ``kernel − 1`` before it: ``[B, T, D] → [B, T, F]``.

    Before the first step there are zeros. The number of steps stays the same.

    Args:
        inputs: The number of input features, D.
        features: The number of output features, F.
        kernel: The number of steps that each output sees.
    """

    def __init__(self, inputs: int, features: int, kernel: int = 4) -> None:
        super().__init__()
        if kernel < 1:
            raise ValueError(f"kernel must be 1 or more, not {kernel}")
        self.inputs, self.features, self.kernel = inputs, features, kernel
        self.weight = nn.Parameter(torch.empty(features, inputs, kernel))
        self.bias = nn.Parameter(torch.zeros(features))
        nn.init.xavier_uniform_(self.weight)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"past": (self.kernel - 1, self.inputs)} if self.kernel > 1 else {}

    def example(self) -> Tensor:
        return torch.zeros(2, 2, self.inputs)

    def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        steps = torch.cat([state["past"], inputs], dim=1) if self.kernel > 1 else inputs
        features = functional.conv1d(steps.transpose(1, 2), self.weight, self.bias).transpose(1, 2)
        following = {"past": last_steps(steps, lengths, self.kernel - 1)} if self.kernel > 1 else {}
        return features, following


def last_steps(steps: Tensor, lengths: Tensor, count: int) -> Tensor:
    """The last ``count`` steps of each row, ``[B, count, D]``.

    Args:
        steps: ``count`` steps of the past, then a chunk: ``[B, count + T, D]``.
        lengths: The number of steps of the chunk in each row, ``[B]``.
        count: How many steps a front end keeps.
    """
    index = lengths[:, None] + torch.arange(count, device=steps.device)[None, :]
    return steps.gather(1, index[:, :, None].expand(-1, -1, steps.shape[2]))


def initial_state(frontend: nn.Module, batch: int, like: Tensor) -> State:
    """The first state of a front end, zeros of the type and device of ``like``; empty for one without state."""
    if not isinstance(frontend, StatefulFrontend):
        return {}
    return {
        name: torch.zeros(batch, *shape, dtype=like.dtype, device=like.device)
        for name, shape in frontend.state_shapes().items()
    }


def apply_frontend(
    frontend: nn.Module, inputs: Tensor, lengths: Tensor, state: State
) -> tuple[Tensor, State]:  # fmt: skip
    """The features of any front end, and its next state, which is empty for one without state."""
    if isinstance(frontend, StatefulFrontend):
        features, following = frontend(inputs, lengths, state)
        return features, following
    return frontend(inputs), {}
