"""The laws every cell, task and codec keeps, as checks that anybody can run on their own plugin::

    from suite.testing import check_cell, check_codec, check_frontend, check_plugin, check_resume, check_task

    def test_everything_that_my_plugin_brings():
        check_plugin("my_package")

    def test_my_cell():
        check_cell(MyCell)

    def test_my_frontend():                      # one with state, see suite.nn.layers.frontends
        check_frontend(MyFrontend())

``pytest --suite-plugin my_package`` runs every law of a plugin as a test of its own.

Each check returns when the law holds and raises ``LawBroken`` when it does not, saying which law, where, and
by how much. Only the public contracts are used. Importing this module imports no torch.

=====  =========================  ==============================================================================
law    check                      what holds
=====  =========================  ==============================================================================
1      steps_equal_scan           stepping through time gives what one scan gives
2      chunks_equal_whole         reading in chunks, the state carried, gives what reading at once gives
3      padding_is_invisible       a padded row gives what that row alone gives, length 0 included
4      rows_are_independent       rows may be reordered, repeated or taken alone
5      gradients_are_right        gradients are those of finite differences
6      batch_equals_singles       a batch gives what its members give one by one
7      stream_equals_offline      a stream, cut anywhere, gives the offline answer and loses no last step
8      runtimes_agree             ONNX Runtime says what torch says
9      saving_changes_nothing     a checkpoint saved and loaded again gives the same answers
10     check_light                importing a plugin, and ``--help``, load no torch
11     check_resume               training resumed at any step is training never stopped, bit for bit
=====  =========================  ==============================================================================
"""

from __future__ import annotations

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
from suite.testing.tasks import (
    batch_equals_singles,
    check_light,
    check_resume,
    check_task,
    runtimes_agree,
    samples,
    saving_changes_nothing,
    stream_equals_offline,
)

__all__ = [
    "Cuts", "LawBroken", "Start", "batch_equals_singles", "check_cell", "check_codec", "check_frontend", "check_light",
    "check_plugin", "check_resume", "check_task", "chunks_equal_whole", "cuts", "exports_to_onnx",
    "gradients_are_right", "padding_is_invisible", "rows_are_independent", "runtimes_agree", "samples",
    "saving_changes_nothing", "state_is_declared", "steps_equal_scan", "stream_equals_offline",
]  # fmt: skip


def check_plugin(name: str) -> list[str]:
    """Every law, for all that an installed plugin brings; returns notes on what was not checked.

    ``name`` is that of its module, its package, or of a task or cell. A task that ships no checkpoint is trained for
    an epoch on its labelled samples. Raises LawBroken that names every law that does not hold, and UsageError for an
    unknown name.
    """
    from suite.testing.laws import laws, tried

    outcomes = [tried(law) for law in laws(name)]
    broken = [f"{one.law}: {one.said}" for one in outcomes if one.verdict == "broken"]
    if broken:
        raise LawBroken(f"{len(broken)} of {len(outcomes)} laws do not hold:\n" + "\n".join(broken))
    return [f"{one.law}: {one.said}" for one in outcomes if one.said]
