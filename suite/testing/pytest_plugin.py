"""The laws of a plugin as tests of pytest, one each: ``pytest --suite-plugin my_package``.

The same as one line in the plugin's ``pyproject.toml``::

    [tool.pytest.ini_options]
    suite_plugins = ["my_package"]

pytest finds this module by its entry point; nothing of it is loaded where nobody asks for laws.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option and the setting."""
    words = "run the laws of what this plugin of sequence-suite brings (a module, package, task or cell)"
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
    """One law as a test: its failure is the one line that says what is wrong, and where."""

    def __init__(self, *, law: Any, **more: Any) -> None:
        super().__init__(**more)
        self.law = law

    def runtest(self) -> None:
        """Check the law; what could not be checked is skipped, with the reason."""
        from suite.testing.laws import tried

        outcome = tried(self.law)
        if outcome.verdict == "broken":
            pytest.fail(outcome.said, pytrace=False)
        if outcome.verdict == "not checked":
            pytest.skip(outcome.said)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is listed: under the laws, by what it is a law of."""
        return Path("suite"), None, self.name
