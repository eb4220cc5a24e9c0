"""Takes a name that the suite has."""

from broken_base import task

from suite.hooks import hookimpl


@hookimpl
def suite_tasks():
    return [task("sentiment")]
