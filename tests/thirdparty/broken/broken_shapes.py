"""Builds a model of another size than its targets have."""

from broken_base import build, task

from suite.hooks import hookimpl


def too_small(config, codecs):
    return build(config, codecs, more=-1)


@hookimpl
def suite_tasks():
    return [task("wrong-shapes", build=too_small)]
