"""Runtimes: a checkpoint's graphs as functions over dicts of numpy arrays.

There are two implementations of one interface: ``onnx`` (the default where a checkpoint has graphs) and ``torch``.
Decoding, pipelines and streams are written once, on this interface. ``suite.inference.loading.open_runtime`` opens one.
"""

from suite.runtime.base import Arrays, GraphRuntime, Kind, Runtime, carried, graph_path, threads

__all__ = ["Arrays", "GraphRuntime", "Kind", "Runtime", "carried", "graph_path", "threads"]
