"""What is wrong with a plugin that cannot be used, in one line."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

from suite.errors import nearest, one_line
from suite.plugins.entry_points import HOOKS

#: Where it is written how to port a plugin to this version of the interface.
PORTING = "docs/plugins.md, 'From interface 1'"


def refusal(declared: object) -> str | None:
    """Why a plugin written for a version of the plugin interface cannot be used; None if it can.

    ``declared`` is its ``api_version``; None for a plugin that does not declare one.
    """
    from suite.hooks import API_VERSION

    if declared is None or declared == API_VERSION:
        return None
    if isinstance(declared, int) and declared < API_VERSION:
        return (
            f"written for plugin interface {declared}, this suite has {API_VERSION}, where a task is a class: see "
            f"{PORTING}"
        )
    return f"written for plugin interface {declared!r}, this suite has {API_VERSION}: upgrade sequence-suite"


def outdated(error: BaseException) -> str | None:
    """What to say of an error that a plugin written for interface 1 raises; None for any other.

    Such a plugin calls ``Task(name=…)``, or imports names that the suite no longer has.
    """
    from suite.hooks import API_VERSION

    text = str(error)
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "suite":
        missing = re.match(r"cannot import name '(\w+)'", text)
        reason = f"it imports {error.name}{'.' + missing[1] if missing else ''}, which does not exist"
    elif isinstance(error, TypeError) and re.match(r"(Task\(\) takes no|Can't instantiate abstract class Task )", text):
        reason = "it calls Task(…), and a task is a class now"
    else:
        return None
    return f"{reason}: it was probably written for plugin interface 1, this suite has {API_VERSION}: see {PORTING}"


def wrong_arguments(module: ModuleType) -> str:
    """What is wrong with the arguments of a module's hooks; empty if nothing is."""
    from suite import hooks

    for name in HOOKS:
        own = getattr(module, name, None)
        if callable(own):
            known = list(inspect.signature(getattr(hooks, name)).parameters)
            extra = [argument for argument in inspect.signature(own).parameters if argument not in known]
            if extra:
                return f"hook {name} has no argument {extra[0]!r}; write def {name}({', '.join(known)})"
    return ""


def unknown_hook(message: str) -> str:
    """The message of pluggy about a hook that does not exist, with the nearest one that does."""
    name = message.split("'")[1] if "'" in message else ""
    return f"unknown hook {name!r}; {nearest(name, HOOKS)}"


def lacks_extra(error: BaseException) -> bool:
    """Whether a module failed only because torch is not installed, which the base install does without."""
    return isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "torch"


def explain(error: BaseException) -> str:
    """An exception that a plugin's code raised."""
    if lacks_extra(error):
        return "needs the [train] extra: pip install 'sequence-suite[train]'"
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}) while loading"
    if isinstance(error, SyntaxError):
        return f"SyntaxError in {error.filename}:{error.lineno}: {error.msg}"
    return one_line(error)
