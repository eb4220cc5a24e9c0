"""Talks while it is imported."""

from broken_base import task

from suite.hooks import hookimpl

print("thank you for installing me")


@hookimpl
def suite_tasks():
    return [task("prints")]
