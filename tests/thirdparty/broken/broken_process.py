"""Ends the whole process while it is imported, unless it is only listed."""

import os
import sys

if "suite.plugins.doctor" in sys.modules:
    os._exit(9)
raise RuntimeError("not in this process")
