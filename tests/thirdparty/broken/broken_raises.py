"""Fails at work."""

from broken_base import task

from suite.hooks import hookimpl


def example(row):
    return {}["text"]


@hookimpl
def suite_tasks():
    return [task("raises", example=example)]
