"""A hook with an argument that it does not have."""

from suite.hooks import hookimpl


@hookimpl
def suite_tasks(config):
    return []
