"""Hypothesis for plugin interface 1, where a task was an instance."""

from suite.hooks import hookimpl
from suite.task import Task

api_version = 1
TASK = Task(name="old", summary="A text's label.", mapping="many-to-one")


@hookimpl
def suite_tasks():
    return [TASK]
