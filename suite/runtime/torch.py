"""The torch implementation: the same names and arrays, from the module itself. Needs the [train] extra."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from suite.errors import MissingExtra
from suite.runtime import Arrays, Kind

if TYPE_CHECKING:
    from suite.checkpoint import Checkpoint
    from suite.nn.models import Graph, Model


class TorchGraph:
    """One graph of a torch model."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._device = next(iter(graph.example.values())).device  # where the model is
        self.inputs = tuple(graph.example)
        self.outputs = tuple(name for name in graph.axes if name not in graph.example)

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        import torch

        with torch.inference_mode():
            given = {name: torch.from_numpy(np.array(a)).to(self._device) for name, a in arrays.items()}
            results = self._graph.call(given)
        return {name: value.cpu().numpy() for name, value in results.items()}

    def initial(self, batch: int) -> Arrays:
        state = {name: value for name, value in self._graph.example.items() if name.startswith("state.")}
        return {name: np.zeros((batch, *value.shape[1:]), value.cpu().numpy().dtype) for name, value in state.items()}


class TorchRuntime:
    """A checkpoint's model, rebuilt from its configuration and weights."""

    kind: Kind = "torch"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._model: Model | None = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, model: Model) -> TorchRuntime:
        """A runtime over a model that is in memory."""
        runtime = cls.__new__(cls)
        runtime._model, runtime._lock = model.eval(), threading.Lock()
        return runtime

    @property
    def names(self) -> tuple[str, ...]:
        """The model's graphs."""
        return tuple(self._opened().graphs())

    def graph(self, name: str) -> TorchGraph:
        return TorchGraph(self._opened().graphs()[name])

    def _opened(self) -> Model:
        with self._lock:
            if self._model is None:
                try:
                    from suite.nn.weights import load_model
                except ImportError as error:
                    raise MissingExtra("the torch runtime", "train", error) from error
                self._model = load_model(self._checkpoint).eval()
            return self._model
