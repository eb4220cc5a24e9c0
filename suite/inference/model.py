"""A loaded model: a task, the codecs of a checkpoint and its graphs, ready to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic

import numpy as np

from suite.data.batching import pad
from suite.inference.loading import open_config, open_runtime, task_and_checkpoint
from suite.inference.session_state import dump_state, load_state
from suite.runtime import Kind, Runtime, carried
from suite.task import AnyTask
from suite.task.codecs import Codecs, In, Target

#: Longer inputs are run in chunks of this many steps with carried state, in bounded memory.
CHUNK_STEPS = 4096


class LoadedModel(Generic[In, Target]):
    """A task's model with its codecs, over a runtime. Safe to use from many threads.

    Attributes:
        task, codecs, runtime: The task, its codecs, and the graphs by name.
        causal: Whether the model can stream: it never looks ahead.
        name: Where it came from, for messages.
        fingerprint: The checkpoint's identity, which a saved session must match; empty for a model in memory.
        options: The options of the verb that the codecs are configured for.
    """

    def __init__(
        self, task: AnyTask, codecs: Codecs[In, Target], runtime: Runtime, *, causal: bool = True, name: str = "",
        fingerprint: str = "", options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self.task, self.codecs, self.runtime, self.causal, self.name = task, codecs, runtime, causal, name
        self.fingerprint, self.options = fingerprint, options

    @classmethod
    def open(
        cls, task: str | AnyTask, checkpoint: str | Path | None = None, *, runtime: Kind | None = None
    ) -> LoadedModel[Any, Any]:
        """The model of a task (by name, or the task itself), shipped or from a checkpoint directory.

        Raises UsageError for an unknown task and CheckpointError for a directory that cannot be used.
        """
        found, opened = task_and_checkpoint(task, checkpoint)
        _, codecs = open_config(found, opened)
        return LoadedModel(
            found, codecs, open_runtime(opened, runtime), causal=opened.manifest.streams, name=str(opened.path),
            fingerprint=opened.fingerprint,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<LoadedModel {self.task.name!r} from {self.name or 'memory'} ({self.runtime.kind})>"

    def configured(self, options: Mapping[str, Any]) -> LoadedModel[In, Target]:
        """This model with its codecs configured by a verb's ``options`` (see ``Task.configure_codecs``)."""
        return LoadedModel(
            self.task, self.task.configure_codecs(self.codecs, **options), self.runtime, causal=self.causal,
            name=self.name, fingerprint=self.fingerprint, options=options,
        )  # fmt: skip

    def dump_state(self, state: Mapping[str, Any]) -> bytes:
        """The state of a session or a generation as bytes: JSON with a digest and the identity of the checkpoint."""
        return dump_state(dict(state), task=self.task.name, model=self.fingerprint)

    def load_state(self, data: bytes) -> dict[str, Any]:
        """The state that ``dump_state`` gave. Raises UsageError for data that is altered or of another checkpoint."""
        return load_state(data, task=self.task.name, model=self.fingerprint)

    @property
    def sequence_graph(self) -> str:
        """The graph that reads an input: ``encoder``, or ``decoder`` for a model that is a decoder alone."""
        names = self.runtime.names
        return "decoder" if "decoder" in names and "encoder" not in names else "encoder"

    def outputs_of(self, inputs: Sequence[Any], batch_size: int = 64) -> np.ndarray:
        """Raw outputs ``[N, K]`` of whole inputs, for what needs more than results, such as calibration."""
        arrays = [self.codecs.input.encode(item) for item in inputs]
        order = sorted(range(len(arrays)), key=lambda i: len(arrays[i]))
        rows = dict(zip(order, self.batches([arrays[i] for i in order], batch_size), strict=True))
        return np.stack([rows[i] for i in range(len(arrays))])

    def batches(self, arrays: list[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
        """The outputs of each array, computed ``batch_size`` at a time."""
        for start in range(0, len(arrays), batch_size):
            yield from self.outputs(arrays[start : start + batch_size])

    def outputs(self, arrays: list[np.ndarray]) -> Any:
        """The model's raw outputs for encoded inputs ``[T, …]`` each.

        One array ``[N, K]``; of a task with outputs per step, a list of N arrays ``[T, K]``.
        """
        per_step = self.task.per_step
        graph = self.runtime.graph(self.sequence_graph)
        longest = max(map(len, arrays))
        if not self.causal or longest <= CHUNK_STEPS:
            inputs, lengths = pad(arrays)
            outputs = graph({"inputs": inputs, "lengths": lengths, **graph.initial(len(arrays))})["outputs"]
            return [row[:length] for row, length in zip(outputs, lengths, strict=True)] if per_step else outputs
        if len(arrays) > 1:
            # One long input would have all the others padded to its length.
            each = [self.outputs([array]) for array in arrays]
            return [row for rows in each for row in rows] if per_step else np.concatenate(each)
        state = graph.initial(1)
        chunks = []
        for start in range(0, longest, CHUNK_STEPS):
            inputs, lengths = pad([arrays[0][start : start + CHUNK_STEPS]])
            results = graph({"inputs": inputs, "lengths": lengths, **state})
            state = carried(results)
            if per_step:
                chunks.append(results["outputs"][0])
        return [np.concatenate(chunks)] if per_step else results["outputs"]
