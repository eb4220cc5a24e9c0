"""Takes its time to be imported."""

import time

from broken_base import task

from suite.hooks import hookimpl

time.sleep(1.5)


@hookimpl
def suite_tasks():
    return [task("slow")]
