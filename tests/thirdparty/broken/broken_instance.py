"""Hypothesis for plugin interface 1, without saying so: its hook makes an instance."""

from suite.hooks import hookimpl
from suite.task import Task


@hookimpl
def suite_tasks():
    return [Task(name="instance", summary="A text's label.", mapping="many-to-one")]
