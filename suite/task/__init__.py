"""The plugin interface: a task class to subclass, its results, options and streaming, and families of tasks."""

from suite.codecs.parsing import END_OF_ITEM, ParseError, StreamParser
from suite.data.examples import Example
from suite.task.aligned import AlignedTask
from suite.task.base import AnyTask, Column, DataSpec, Mappings, Monitor, Plots, Task, lazy
from suite.task.classification import ClassificationTask, LabelResult
from suite.task.codecs import Codecs
from suite.task.many_to_one import ManyToOneTask
from suite.task.options import Command, Option, recursive_option
from suite.task.results import Result
from suite.task.streaming import Segmenter, StreamDecoder, Streaming
from suite.task.tagging import TaggingTask, TagsResult
from suite.task.text_classification import TextClassificationTask
from suite.task.training_spec import TrainingSpec

__all__ = [
    "END_OF_ITEM",
    "AlignedTask",
    "AnyTask",
    "ClassificationTask",
    "Codecs",
    "Column",
    "Command",
    "DataSpec",
    "Example",
    "LabelResult",
    "ManyToOneTask",
    "Mappings",
    "Monitor",
    "Option",
    "ParseError",
    "Plots",
    "Result",
    "Segmenter",
    "StreamDecoder",
    "StreamParser",
    "Streaming",
    "TaggingTask",
    "TagsResult",
    "Task",
    "TextClassificationTask",
    "TrainingSpec",
    "lazy",
    "recursive_option",
]
