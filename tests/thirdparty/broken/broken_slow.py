"""Is slow to import."""

import time

from broken_base import Working

from suite.hooks import hookimpl

time.sleep(1.5)


class Slow(Working):
    name = "slow"


@hookimpl
def suite_tasks():
    return [Slow]
