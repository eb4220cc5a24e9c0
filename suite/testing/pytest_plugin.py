"""The laws of a plugin as tests of pytest, one each: ``pytest --suite-plugin my_package``.

The same as one line in the plugin's ``pyproject.toml``::

    [tool.pytest.ini_options]
    suite_plugins = ["my_package"]

pytest finds this module by its entry point; nothing is loaded unless laws are asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option and the setting."""
    words = "run the laws of everything that a sequence-suite plugin provides (a module, package, task or cell)"
    parser.getgroup("suite").addoption("--suite-plugin", action="append", default=[], metavar="NAME", help=words)
    parser.addini("suite_plugins", words, type="args", default=[])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test for each law of the plugins that were named."""
    names = dict.fromkeys([*config.getini("suite_plugins"), *config.getoption("suite_plugin")])
    if not names:
        return
    from suite.errors import UsageError
    from suite.testing.laws import laws

    for name in names:
        try:
            items += [LawItem.from_parent(session, name=str(law), law=law) for law in laws(name)]
        except UsageError as error:
            raise pytest.UsageError(str(error)) from error


class LawItem(pytest.Item):
    """One law as a test: its failure is one line that says what is wrong, and where."""

    def __init__(self, *, law: Any, **more: Any) -> None:
        super().__init__(**more)
        self.law = law

    def runtest(self) -> None:
        """Check the law; a law that could not be checked is skipped, with the reason."""
        from suite.testing.laws import run

        result = run(self.law)
        if result.verdict == "broken":
            pytest.fail(result.message, pytrace=False)
        if result.verdict == "not checked":
            pytest.skip(result.message)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where reports list it."""
        return Path("suite"), None, self.name
