"""A task without a model."""

from broken_base import Working

from suite.hooks import hookimpl
from suite.task import ClassificationTask


class Unfinished(ClassificationTask):
    name = "unfinished"
    config = Working.config


@hookimpl
def suite_tasks():
    return [Unfinished]
