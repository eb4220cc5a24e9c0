"""A hook with a wrong name."""

from suite.hooks import hookimpl


@hookimpl
def suite_task():
    return []
