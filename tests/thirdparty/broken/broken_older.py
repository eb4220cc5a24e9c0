"""Hypothesis for plugin interface 1, without saying so."""

from suite.task import Task, later  # noqa: F401
