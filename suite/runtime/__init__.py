"""Runtimes: a checkpoint's graphs as functions over dicts of numpy arrays.

There are two implementations: ``onnx``, the default for checkpoints with graphs, and ``torch``. Decoding, pipelines and
sessions use this interface alone. ``suite.inference.loading.open_runtime`` opens one.
"""

from suite.runtime.base import Arrays, GraphRuntime, Kind, Runtime, carried, graph_path, threads

__all__ = ["Arrays", "GraphRuntime", "Kind", "Runtime", "carried", "graph_path", "threads"]
