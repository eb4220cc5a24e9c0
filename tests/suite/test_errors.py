"""One line for every failure."""

from __future__ import annotations

import pytest

from suite.errors import (
    CheckpointError,
    DataError,
    MissingExtra,
    PluginError,
    SuiteError,
    UsageError,
    nearest,
    one_line,
)


def test_exit_codes() -> None:
    assert [kind.exit_code for kind in (SuiteError, DataError, CheckpointError, PluginError)] == [1, 1, 1, 1]
    assert MissingExtra("x", "train").exit_code == 1
    assert UsageError.exit_code == 2


def test_missing_extra_says_what_to_install() -> None:
    error = MissingExtra("training", "train", ImportError("No module named 'torch'"))
    assert str(error) == (
        "training needs the [train] extra (No module named 'torch'): pip install 'sequence-suite[train]'"
    )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DataError("a\n  b"), "a b"),
        (ValueError("a\nb"), "ValueError: a b"),
        (ValueError(), "ValueError"),
        (OSError(2, "No such file or directory", "x.txt"), "x.txt: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "OSError: odd"),
        (KeyError("k"), "KeyError: 'k'"),
    ],
)
def test_one_line(error: BaseException, line: str) -> None:
    assert one_line(error) == line


def test_nearest() -> None:
    known = ["hidden", "layers", "dropout"]
    assert nearest("hiden", known) == "did you mean 'hidden'?"
    assert nearest("zzz", known) == "known: dropout, hidden, layers"
    assert nearest("x", []) == "none is known"
    assert nearest("zzz", [f"name{i:02}" for i in range(20)]).endswith("name11, …")
