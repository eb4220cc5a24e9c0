"""Checkpoints: directories with everything that is needed to use a model.

::

    suite.json          the manifest: task, configuration, data, metrics, and the SHA-256 of every other file
    model.safetensors   the weights, in half precision or int8
    encoder.onnx …      graphs, whose weights are references into model.safetensors
    *.json, *.npz       codecs
    README.md           the model card

A checkpoint contains JSON, arrays and graphs, and no code; it names a registered task and registered cells. Every file
is checked against its SHA-256 before it is used.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from suite.config import from_dict, to_dict
from suite.errors import CheckpointError, SuiteError, one_line

SCHEMA = 1
MANIFEST = "suite.json"


@dataclass(frozen=True)
class Manifest:
    """The contents of ``suite.json``."""

    task: str
    mapping: str
    config: dict[str, Any]
    cells: tuple[str, ...] = ()
    streams: bool = True
    parameters: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    schema: int = SCHEMA
    files: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint directory, whose files are complete and unaltered."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | Path, *, task: str | None = None) -> Self:
        """Open and verify a directory.

        Args:
            path: The directory.
            task: The name of the task that the checkpoint must be of; None for any.

        Raises:
            CheckpointError: If it is not a checkpoint of that task, or a file is missing or altered.
        """
        path = Path(path)
        if not path.is_dir():
            raise CheckpointError(f"{path}: no such directory; give one that suite … train --out wrote")
        manifest = _read_manifest(path)
        if task is not None and manifest.task != task:
            raise CheckpointError(
                f"{path}: is a checkpoint of {manifest.task!r}, not {task!r}; use suite {manifest.task}"
            )
        for name, digest in manifest.files.items():
            if Path(name).name != name:
                raise CheckpointError(
                    f"{path}/{MANIFEST}: {name!r} is not a plain file name; do not use this checkpoint"
                )
            try:
                found = sha256(path / name)
            except OSError as error:
                raise CheckpointError(f"{one_line(error)}; the checkpoint is incomplete: copy it again") from error
            if found != digest:
                raise CheckpointError(f"{path / name}: altered since it was saved (SHA-256 differs); copy it again")
        return cls(path, manifest)

    def read(self, *names: str) -> dict[str, bytes]:
        """The contents of files of the checkpoint, by name, without those that it does not have."""
        return {name: (self.path / name).read_bytes() for name in names if name in self.manifest.files}

    def codec_files(self) -> dict[str, bytes]:
        """The contents of every codec file."""
        return self.read(*(n for n in self.manifest.files if n.endswith((".json", ".npz"))))

    @property
    def fingerprint(self) -> str:
        """A SHA-256 of the task, configuration, weights and codec files, which identifies the model."""
        parts = {n: d for n, d in self.manifest.files.items() if n.endswith((".safetensors", ".json", ".npz"))}
        text = json.dumps([self.manifest.task, self.manifest.config, parts], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    @property
    def size(self) -> int:
        """The size of all files, in bytes."""
        return sum((self.path / name).stat().st_size for name in (*self.manifest.files, MANIFEST))


def save(path: str | Path, manifest: Manifest, write: Mapping[str, bytes], folder: Path | None = None) -> Checkpoint:
    """Write a checkpoint directory, replacing an old one only once all is written.

    Args:
        path: The directory.
        manifest: The manifest; its ``files`` are batches_by_tokens in.
        write: The contents of files, by name.
        folder: A folder of further files, which are copied.

    Raises:
        CheckpointError: If there is something else than a checkpoint at ``path``.
        SuiteError: If it cannot be written. The old directory is then unchanged, as after an interrupt.
    """
    path = Path(path)
    check_place(path)
    with staging(path) as fresh:
        for name, content in write.items():
            (fresh / name).write_bytes(content)
        for file in sorted(folder.iterdir()) if folder else ():
            shutil.copyfile(file, fresh / file.name)
        files = {file.name: sha256(file) for file in sorted(fresh.iterdir())}
        values = to_dict(dataclasses.replace(manifest, files=files))
        text = json.dumps(values, ensure_ascii=False, indent=1) + "\n"
        (fresh / MANIFEST).write_text(text, encoding="utf-8")
    return Checkpoint(path, from_dict(Manifest, values))


def check_place(path: Path) -> None:
    """Raise CheckpointError if ``path`` exists and is neither a checkpoint nor an empty directory."""
    if path.exists() and not (path.is_dir() and ((path / MANIFEST).exists() or not any(path.iterdir()))):
        raise CheckpointError(f"{path}: exists and is not a checkpoint; choose another --out")


def check_out(out: Path, overwrite: bool) -> None:
    """Check, before any work, that a checkpoint can be written to ``out``.

    Raises:
        CheckpointError: If there is something else at ``out``, or a checkpoint and ``overwrite`` is false.
        SuiteError: If the directory cannot be written.
    """
    check_place(out)
    if (out / MANIFEST).exists() and not overwrite:
        raise CheckpointError(f"{out}: is a checkpoint already; choose another --out, or replace it with --overwrite")
    folder = out.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SuiteError(f"cannot write {out}: {one_line(error)}; choose another --out") from error


class staging:  # noqa: N801 - used as a function
    """A context with a new directory, which replaces ``path`` if the block succeeds, and is removed if it fails."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.fresh = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=self.path.parent))
        except OSError as error:
            raise SuiteError(f"cannot write {self.path}: {one_line(error)}; choose another place") from error
        self.fresh.chmod(0o755)
        return self.fresh

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None:
                replace_directory(self.fresh, self.path)
        except OSError as failure:
            error = failure
        finally:
            shutil.rmtree(self.fresh, ignore_errors=True)
        if isinstance(error, OSError):
            raise SuiteError(f"cannot write {self.path}: {one_line(error)}; nothing was changed, make room") from error


def replace_directory(fresh: Path, path: Path) -> None:
    """Replace the directory ``path`` by ``fresh``; the old one is removed only after that."""
    if not path.exists():
        os.replace(fresh, path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    try:
        os.replace(path, aside / "old")
        os.replace(fresh, path)
    finally:
        # Also if an interrupt came between the two.
        if not path.exists():
            os.replace(aside / "old", path)
        shutil.rmtree(aside, ignore_errors=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(path: Path) -> Manifest:
    file = path / MANIFEST
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{path}: no {MANIFEST} in it: not a checkpoint; give a folder that training wrote"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read ({one_line(error)}); copy the checkpoint again") from error
    schema = values.get("schema") if isinstance(values, dict) else None
    if not isinstance(schema, int):
        raise CheckpointError(
            f"{file}: has no schema number: it is not a checkpoint's {MANIFEST}; copy the checkpoint again"
        )
    if schema > SCHEMA:
        raise CheckpointError(
            f"{file}: schema {schema} is newer than this suite's {SCHEMA}; upgrade: pip install -U sequence-suite"
        )
    return from_dict(Manifest, values, where=str(file), error=CheckpointError)
