"""The base classes of models.

A model is one graph or several over named arrays. ``graphs`` describes them; the torch runtime calls them, and the
exporter writes each to ONNX, so that inputs and outputs have the same names in both runtimes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from suite.nn.cells.base import Cell
from suite.nn.cells.state import State
from suite.nn.layers.frontends import apply_frontend, initial_state
from suite.nn.layers.recurrent import RecurrentStack
from suite.nn.specs import HeadSpec, RecurrentSpec, StepHeadSpec

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Graph:
    """One graph of a model.

    Attributes:
        call: From input arrays to output arrays, by name.
        example: An example of the inputs.
        axes: The dynamic axes of inputs and outputs, by array name: axis index to ``"batch"`` or ``"time"``.
    """

    call: Callable[[Tensors], Tensors]
    example: Tensors
    axes: dict[str, dict[int, str]]


class Model(nn.Module):
    """A module made of graphs, which run, are exported, and carry state.

    Attributes:
        causal: Whether the model can stream: no output depends on later inputs.
    """

    causal: bool = True

    def graphs(self) -> dict[str, Graph]:
        """The model's graphs by name: ``encoder``, ``decoder``, or both; a transducer also has a ``joiner``."""
        raise NotImplementedError


class SingleGraphModel(Model):
    """A front end, an encoder and a head as one graph: the base of many-to-one and aligned models.

    ``forward(inputs [B, T, …], lengths [B], state) -> (outputs, next)``.

    Args:
        frontend: From inputs to vectors, with the attribute ``features`` (see ``suite.nn.layers.frontends``).
        cell: The cell class of the encoder.
        encoder: The sizes of the encoder.
        example: Two rows of two steps of valid inputs, ``[2, 2, …]``, for tracing.
        graph: The name of the graph.

    Attributes:
        over_time: Whether the outputs have a time axis.
    """

    over_time = False

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], encoder: RecurrentSpec, example: Tensor, graph: str = "encoder"
    ) -> None:
        super().__init__()
        self.frontend = frontend
        self.encoder = RecurrentStack(cell, int(frontend.features), encoder)  # type: ignore[arg-type]
        self.causal = self.encoder.causal
        self.graph = graph
        # The type and shape of inputs, for tracing.
        self.register_buffer("example", example, persistent=False)

    def initial(self, batch: int) -> State:
        """The first state of ``batch`` rows, zeros; arrays of a front end with state are prefixed ``frontend.``."""
        own = initial_state(self.frontend, batch, next(self.parameters()))
        return {**prefixed("frontend", own), **self.encoder.initial(batch)}

    def encode(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        """Front end and encoder: inputs ``[B, T, …]`` to features ``[B, T, H]``, and their next state."""
        own = {name[9:]: value for name, value in state.items() if name.startswith("frontend.")}
        x, after = apply_frontend(self.frontend, inputs, lengths, own)
        y, following = self.encoder(x, lengths, state)
        return y, {**prefixed("frontend", after), **following}

    def graphs(self) -> dict[str, Graph]:
        example = self.example
        assert isinstance(example, Tensor)
        state = self.initial(example.shape[0])
        lengths = torch.full((example.shape[0],), example.shape[1], dtype=torch.int64, device=example.device)
        axes = {"inputs": {0: "batch", 1: "time"}, "lengths": {0: "batch"}}
        axes["outputs"] = {0: "batch", 1: "time"} if self.over_time else {0: "batch"}
        for name in state:
            axes[f"state.{name}"] = axes[f"next.{name}"] = {0: "batch"}

        def call(arrays: Tensors) -> Tensors:
            carried = {name: arrays[f"state.{name}"] for name in state}
            outputs, following = self(arrays["inputs"], arrays["lengths"], carried)
            return {"outputs": outputs, **{f"next.{name}": following[name] for name in state}}

        inputs = {"inputs": example, "lengths": lengths, **{f"state.{k}": v for k, v in state.items()}}
        return {self.graph: Graph(call, inputs, axes)}


def prefixed(part: str, arrays: State) -> Tensors:
    """The arrays with the prefix ``part.`` before their names."""
    return {f"{part}.{name}": value for name, value in arrays.items()}


def output_head(width: int, spec: HeadSpec | StepHeadSpec) -> tuple[nn.Sequential, int]:
    """The layers of a head before its last linear map, and the number of features they give."""
    head = nn.Sequential(nn.Dropout(spec.dropout))
    if spec.hidden:
        head.extend([nn.Linear(width, spec.hidden), nn.GELU(), nn.Dropout(spec.dropout)])
    return head, spec.hidden or width
