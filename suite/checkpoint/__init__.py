"""Checkpoints: directories of JSON, arrays and graphs, without code."""

from suite.checkpoint.checkpoint import (
    MANIFEST,
    SCHEMA,
    Checkpoint,
    Manifest,
    check_out,
    check_place,
    replace_directory,
    save,
    sha256,
    staging,
)

__all__ = [
    "MANIFEST",
    "SCHEMA",
    "Checkpoint",
    "Manifest",
    "check_out",
    "check_place",
    "replace_directory",
    "save",
    "sha256",
    "staging",
]
