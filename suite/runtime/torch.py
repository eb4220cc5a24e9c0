"""The runtime on torch, with the same names and arrays. It needs the [train] extra."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from suite.runtime.base import Arrays, Kind

if TYPE_CHECKING:
    from suite.nn.models import Graph, Model


class TorchGraph:
    """One graph of a torch model."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._device = next(iter(graph.example.values())).device  # that of the model
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
    """The graphs of a torch model; ``load`` is called when the first one is needed."""

    kind: Kind = "torch"

    def __init__(self, load: Callable[[], Model]) -> None:
        self._load = load
        self._model: Model | None = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, model: Model) -> TorchRuntime:
        """The runtime of a model in memory, which is set to evaluation mode."""
        model.eval()
        return cls(lambda: model)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the graphs."""
        return tuple(self._loaded().graphs())

    def graph(self, name: str) -> TorchGraph:
        return TorchGraph(self._loaded().graphs()[name])

    def _loaded(self) -> Model:
        with self._lock:
            if self._model is None:
                self._model = self._load().eval()
            return self._model
