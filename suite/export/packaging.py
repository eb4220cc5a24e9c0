"""Writing a checkpoint: weights, verified ONNX graphs, codec files, model card."""

from __future__ import annotations

import dataclasses
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from suite.checkpoint import Checkpoint, Manifest, save
from suite.errors import MissingExtra, SuiteError, one_line
from suite.inference.loading import open_config
from suite.plugins import registry
from suite.task import AnyTask, Codecs

CURVES = "curves.png"


def finish(
    task: AnyTask, model: Any, codecs: Codecs[Any, Any], manifest: Manifest, out: Path, inputs: Sequence[Any], *,
    metrics: Mapping[str, Any] | None = None, draw: Callable[[Path], None] | None = None,
    say: Callable[[str], None] = lambda line: None, more: Mapping[str, bytes] | None = None,
) -> Checkpoint:  # fmt: skip
    """Write a model as a checkpoint, with verified graphs.

    Args:
        task: The task.
        model: The torch model.
        codecs: Its codecs.
        manifest: The manifest, without the files.
        out: The directory to write; it is replaced only once all is written.
        inputs: Encoded inputs to verify the graphs on; random ones if empty.
        metrics: Metrics for the manifest.
        draw: ``draw(path)`` draws the training curves.
        say: Called with lines of progress.
        more: Further files, by name.

    Raises:
        SuiteError: If the graphs differ from torch, or a file cannot be written; ``out`` is then unchanged.
    """
    from suite.export.model_card import card

    if metrics is not None:
        manifest = dataclasses.replace(manifest, metrics=dict(metrics))
    files = dict(codecs.files())
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            graphs, worst = export_verified(model, manifest, folder, inputs, then=f"{out} was not written")
            say(f"ONNX graphs agree with torch to {worst:.1e} at batch sizes and lengths that were not traced")
            if draw is not None:
                draw(folder / CURVES)
            files["README.md"] = card(task, manifest, graphs).encode()
            return save(out, manifest, {**(more or {}), **files}, folder)
    except OSError as error:
        raise SuiteError(f"cannot write a checkpoint for {out}: {one_line(error)}; make room and try again") from error


def export_verified(
    model: Any, manifest: Manifest, folder: Path, inputs: Sequence[Any], *, then: str
) -> tuple[list[str], float]:
    """Write weights and graphs into ``folder`` and compare ONNX Runtime with torch.

    Returns:
        The names of the graph files, and the largest difference (see ``suite.export.verify``).

    Raises:
        SuiteError: If they differ; its message ends with ``then``.
    """
    from suite.checkpoint.weights import WEIGHTS, save_weights
    from suite.export.onnx import export
    from suite.export.verify import verify

    save_weights(model, folder / WEIGHTS, manifest.config["training"].get("weights", "float16"))
    try:
        graphs = export(model, folder, WEIGHTS)
        unsaved = Checkpoint(folder, dataclasses.replace(manifest, files=dict.fromkeys(graphs, "")))
        return graphs, verify(model, unsaved, inputs)
    except MissingExtra:
        raise
    except SuiteError as error:
        text = str(error).replace(f"{folder}/", "")
        raise SuiteError(f"{text}; {then}") from error


def export_checkpoint(
    checkpoint: Checkpoint, out: Path, say: Callable[[str], None] = lambda line: None, note: str = ""
) -> Checkpoint:
    """Export a checkpoint's graphs again from its weights.

    Args:
        checkpoint: The checkpoint.
        out: The directory to write, which may be that of the checkpoint.
        say: Called with lines of progress.
        note: Replaces the note on the model card, unless empty.

    Raises:
        SuiteError: As ``finish``.
    """
    from suite.inference.loading import load_model

    model = load_model(checkpoint, purpose="exporting")
    task = registry().task(checkpoint.manifest.task)
    _, codecs = open_config(task, checkpoint)
    manifest = dataclasses.replace(
        checkpoint.manifest,
        versions={**checkpoint.manifest.versions, **versions()},
        data=checkpoint.manifest.data | ({"note": note} if note else {}),
    )
    return finish(task, model, codecs, manifest, out, (), say=say, more=checkpoint.read(CURVES))


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that determine a model's weights and graphs."""
    found = {"python": platform.python_version()}
    for name in ("sequence-suite", "torch", "accelerate", "onnx", "onnxruntime", "numpy", "tokenizers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
