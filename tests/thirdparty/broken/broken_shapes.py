"""Builds a model with another number of outputs than its targets have."""

from broken_base import Working

from suite.hooks import hookimpl


class WrongShapes(Working):
    name = "wrong-shapes"
    more = -1


@hookimpl
def suite_tasks():
    return [WrongShapes]
