"""Imports torch where a task must not."""

import torch  # noqa: F401
from broken_base import Working

from suite.hooks import hookimpl


class LoadsTorch(Working):
    name = "loads-torch"


@hookimpl
def suite_tasks():
    return [LoadsTorch]
