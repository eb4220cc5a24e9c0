"""What a plugin brings: a task, its results, and what tasks of one kind share."""

from suite.data.examples import Example
from suite.task.base import (
    COMMON,
    Codecs,
    Column,
    Cutter,
    Mappings,
    Option,
    Reader,
    Result,
    Segments,
    Task,
    Verb,
    later,
)

__all__ = [
    "COMMON",
    "Codecs",
    "Column",
    "Cutter",
    "Example",
    "Mappings",
    "Option",
    "Reader",
    "Result",
    "Segments",
    "Task",
    "Verb",
    "later",
]
