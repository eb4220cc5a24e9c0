"""Imports torch where a task must not."""

import torch  # noqa: F401
from broken_base import task

from suite.hooks import hookimpl


@hookimpl
def suite_tasks():
    return [task("loads-torch")]
