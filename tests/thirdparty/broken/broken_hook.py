"""A hook of another name."""

from suite.hooks import hookimpl


@hookimpl
def suite_task():
    return []
