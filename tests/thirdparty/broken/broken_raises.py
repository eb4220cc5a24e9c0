"""Raises an exception when it is used."""

from broken_base import Working

from suite.hooks import hookimpl


class Raises(Working):
    name = "raises"

    def example(self, row):
        return {}["text"]


@hookimpl
def suite_tasks():
    return [Raises]
