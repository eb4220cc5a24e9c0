"""Takes a name of the suite."""

from broken_base import Working

from suite.hooks import hookimpl


class Sentiment(Working):
    name = "sentiment"


@hookimpl
def suite_tasks():
    return [Sentiment]
