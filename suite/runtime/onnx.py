"""The runtime on ONNX Runtime. It needs no torch, and loads in a fraction of a second."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

# From 1.29 on, importing ONNX Runtime writes a device id and queues usage events unless it is told not to.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

from suite.errors import CheckpointError
from suite.runtime.base import Arrays, Kind, graph_path, threads

if TYPE_CHECKING:
    from suite.checkpoint import Checkpoint

_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


class OnnxGraph:
    """One graph, in an ``onnxruntime.InferenceSession`` on the CPU."""

    def __init__(self, checkpoint: Checkpoint, name: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised, so they need not be logged
        # Threads that spin between calls would use a CPU core as long as the session is open.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = graph_path(checkpoint, name)
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no public base class
            first = str(error).splitlines()[0]
            raise CheckpointError(f"{path}: cannot be loaded: {first}; export or download it again") from error
        self.session = session
        self.inputs = tuple(i.name for i in session.get_inputs())
        self.outputs = tuple(o.name for o in session.get_outputs())
        self._run = session.run
        self._names = list(self.outputs)
        self._starts = {
            i.name: (tuple(i.shape[1:]), _TYPES[i.type]) for i in session.get_inputs() if i.name.startswith("state.")
        }

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        return dict(zip(self._names, self._run(self._names, arrays), strict=True))

    def initial(self, batch: int) -> Arrays:
        return {name: np.zeros((batch, *shape), dtype) for name, (shape, dtype) in self._starts.items()}


class OnnxRuntime:
    """A checkpoint's ``.onnx`` files, each loaded when first used."""

    kind: Kind = "onnx"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self.names = tuple(n.removesuffix(".onnx") for n in checkpoint.manifest.files if n.endswith(".onnx"))
        self._graphs: dict[str, OnnxGraph] = {}
        self._lock = threading.Lock()

    def graph(self, name: str) -> OnnxGraph:
        with self._lock:
            if name not in self._graphs:
                self._graphs[name] = OnnxGraph(self._checkpoint, name)
            return self._graphs[name]
