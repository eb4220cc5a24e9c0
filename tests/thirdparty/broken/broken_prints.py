"""Prints while it is imported."""

from broken_base import Working

from suite.hooks import hookimpl

print("thank you for installing me")


class Prints(Working):
    name = "prints"


@hookimpl
def suite_tasks():
    return [Prints]
