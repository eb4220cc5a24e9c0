"""The mappings: whole models, built of a front end, an encoder and what follows it.

A model is one graph or several over named arrays. ``graphs`` describes them; the torch runtime calls them and
the exporter writes each to ONNX, so that both runtimes take and give the same names.
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
    """One graph: a function over named arrays, an example of its inputs, and the names of moving axes."""

    call: Callable[[Tensors], Tensors]
    example: Tensors
    axes: dict[str, dict[int, str]]


class Model(nn.Module):
    """What every mapping is: a module whose graphs can run, be exported, and carry state."""

    causal: bool = True

    def graphs(self) -> dict[str, Graph]:
        """The model's graphs by name: ``encoder``, ``decoder``, or both; a transducer's are three."""
        raise NotImplementedError


class SingleGraphModel(Model):
    """A front end, an encoder and what follows it as one graph: what the mappings of one graph have in common.

    ``forward(inputs [B, T, …], lengths [B], state) -> (outputs, next)``. The graph is called ``graph``;
    ``over_time`` says whether its outputs have a time axis.
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
        # One row of two steps: what tracing needs to know of the inputs' type and shape.
        self.register_buffer("example", example, persistent=False)

    def initial(self, batch: int) -> State:
        """The state before any input: that of a front end with state is named ``frontend.*``."""
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
    """The arrays under the names ``part.NAME``."""
    return {f"{part}.{name}": value for name, value in arrays.items()}


def output_head(width: int, spec: HeadSpec | StepHeadSpec) -> tuple[nn.Sequential, int]:
    """What comes before the outputs, and how many features it gives them."""
    head = nn.Sequential(nn.Dropout(spec.dropout))
    if spec.hidden:
        head.extend([nn.Linear(width, spec.hidden), nn.GELU(), nn.Dropout(spec.dropout)])
    return head, spec.hidden or width
