"""The laws that every cell, task and codec must satisfy, as checks to run on your own plugin.

In a test::

    from suite.testing import check_cell, check_codec, check_frontend, check_plugin, check_resume, check_task

    def test_my_plugin():
        check_plugin("my_package")

    def test_my_cell():
        check_cell(MyCell)

    def test_my_frontend():                      # one with state, see suite.nn.layers.frontends
        check_frontend(MyFrontend())

``pytest --suite-plugin my_package`` runs every law of a plugin as a test of its own.

Each check returns if the law holds and raises ``LawBroken`` if it does not, saying which law, where, and by how much.
Only public interfaces are used. Importing this module imports no torch.

=====  =========================  ==============================================================================
law    check                      what holds
=====  =========================  ==============================================================================
1      steps_equal_scan           stepping through time gives what one scan gives
2      chunks_equal_whole         reading in chunks, the state carried, gives what reading at once gives
3      padding_is_invisible       a padded row gives what that row alone gives, length 0 included
4      rows_are_independent       rows may be reordered, repeated or taken alone
5      gradients_are_right        gradients match finite differences
6      batch_equals_singles       a batch gives what its members give one by one
7      stream_equals_offline      a stream, cut anywhere, gives the offline result and loses no last step
8      runtimes_agree             ONNX Runtime gives what torch gives
9      saving_changes_nothing     a checkpoint saved and loaded again gives the same results
10     check_light                importing a plugin, and ``--help``, load no torch
11     check_resume               training resumed at any step equals training never stopped, bit for bit
12     sessions_are_independent   sessions stepped together in a batch give what each gives alone, bit for bit
13     state_is_portable          a saved session continues in another process; another's or a damaged one is refused
=====  =========================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from suite.testing.base import LawBroken
from suite.testing.cells import (
    Start,
    check_cell,
    chunks_equal_whole,
    exports_to_onnx,
    gradients_are_right,
    padding_is_invisible,
    rows_are_independent,
    state_is_declared,
    steps_equal_scan,
)
from suite.testing.codecs import Cuts, check_codec, cuts
from suite.testing.frontends import check_frontend
from suite.testing.portability import state_is_portable
from suite.testing.sessions import sessions_are_independent
from suite.testing.streams import stream_equals_offline
from suite.testing.tasks import (
    batch_equals_singles,
    check_light,
    check_resume,
    check_task,
    runtimes_agree,
    samples,
    saving_changes_nothing,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Cuts", "LawBroken", "Start", "batch_equals_singles", "check_cell", "check_codec", "check_frontend", "check_light",
    "check_plugin", "check_resume", "check_task", "chunks_equal_whole", "cuts", "exports_to_onnx",
    "gradients_are_right", "padding_is_invisible", "rows_are_independent", "runtimes_agree", "samples",
    "saving_changes_nothing", "sessions_are_independent", "state_is_declared", "state_is_portable",
    "steps_equal_scan", "stream_equals_offline",
]  # fmt: skip


def check_plugin(name: str, *, data: Sequence[str | Path] = (), checkpoint: str | Path | None = None) -> list[str]:
    """Every law, for everything that an installed plugin provides.

    Args:
        name: Its module, its package, or a task or cell of it.
        data: Labelled files to check its task on, instead of its labelled samples.
        checkpoint: The checkpoint to check its task with. By default the shipped one, or else one that is trained for
            an epoch on the labelled data.

    Returns:
        Notes on what was not checked.

    Raises:
        LawBroken: Names every law that does not hold.
        UsageError: For an unknown name.
    """
    from suite.testing.laws import laws, run

    results = [run(law) for law in laws(name, data=data, checkpoint=checkpoint)]
    broken = [f"{one.law}: {one.message}" for one in results if one.verdict == "broken"]
    if broken:
        raise LawBroken(f"{len(broken)} of {len(results)} laws do not hold:\n" + "\n".join(broken))
    return [f"{one.law}: {one.message}" for one in results if one.message]
