"""Hypothesis for a suite of the future."""

from suite.hooks import a_hook_of_the_future  # noqa: F401

api_version = 3
