"""From labelled data to a checkpoint that is ready to use: the story of a training run.

Files → examples → a dev part → codecs fitted on the rest → arrays → a model, exported once to see that it can be →
training, or a readout in closed form → the best weights, rounded to what their file holds → calibration and metrics on
dev → ONNX graphs, verified against torch → the checkpoint with its model card. Where several processes train together,
all of them go as far as the training, and the main one goes on alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite import config as configs
from suite.checkpoint import Checkpoint, Manifest, check_out
from suite.errors import DataError, MissingExtra
from suite.inference.loading import open_checkpoint

if TYPE_CHECKING:
    from suite.training.loop import Progress

Paths = str | Path | Sequence[str | Path]


def train(
    task: str,
    *,
    data: Paths | None = None,
    dev: Paths | None = None,
    out: str | Path,
    overwrite: bool = False,
    cell: str | None = None,
    settings: Mapping[str, Any] | Iterable[str] = (),
    epochs: int | None = None,
    bptt: int | None = None,
    seed: int = 0,
    resume: bool = False,
    init_from: str | Path | None = None,
    note: str = "",
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    report: Callable[[Progress], None] | None = None,
    say: Callable[[str], None] = lambda line: None,
    on_error: Callable[[DataError], None] | None = None,
    **options: Any,
) -> Checkpoint:
    """Train a model of ``task`` and write its checkpoint.

    Args:
        data, dev: Files in any format the task reads. Without ``dev`` a tenth of ``data`` is held out by rule; without
            ``data`` the recipe of the shipped model is trained on what ``suite data get`` fetched, or for a task
            without a recipe its labelled samples.
        out, overwrite: The checkpoint directory; an existing checkpoint is replaced only with ``overwrite``.
        cell, settings: Changes of the task's configuration: the recurrent cell, and any setting, as
            ``{"encoder.hidden": 256}`` or ``["encoder.hidden=256"]``.
        epochs, bptt: Passes over the data; truncated backpropagation every so many steps (aligned tasks).
        seed: Random seed.
        resume: Continue an interrupted run into ``out``.
        init_from: Start from the weights and codecs of another checkpoint, or of a shipped one by name
            (``"shipped"`` for the default).
        note: For the model card: what the model is for, and what not.
        columns, format: Names of your columns, and the format of files whose name does not say it.
        report, say: Called with a ``Progress`` after each step; with a line now and then.
        on_error: Called with the error of an item that cannot be used, which is then left out.
        options: The task's own.

    Raises:
        DataError: For data that cannot be used.
        UsageError: For wrong settings or options.
        SuiteError: If the checkpoint cannot be written, or the model cannot be exported.
    """
    try:
        import torch

        from suite.checkpoint.weights import WEIGHTS, load_weights, transfer
        from suite.export.packaging import finish, versions
        from suite.training import preparation, runs
        from suite.training.distributed import Processes
    except ImportError as error:
        raise MissingExtra("training", "train", error) from error

    out = Path(out) if Path(out).name else Path(out).absolute()
    check_out(out, overwrite)
    setup = preparation.prepare(
        task, data, dev, cell=cell, settings=settings, epochs=epochs, bptt=bptt, init_from=init_from, resume=resume,
        options=options,
    )  # fmt: skip
    found, config = setup.task, setup.config
    processes = Processes()
    if not processes.main:
        # One of them reports for all.
        report, say, on_error = None, lambda line: None, on_error and (lambda error: None)

    train_part, dev_part = preparation.read_parts(setup, columns=columns, format=format, on_error=on_error)
    codecs = preparation.fit_codecs(setup, train_part, say)
    train_set = preparation.encode_examples(found, train_part, codecs, on_error, say)
    held_out = dev_part is not train_part
    dev_set = preparation.encode_examples(found, dev_part, codecs, on_error, say) if held_out else train_set
    if not train_set.examples or not dev_set.examples:
        raise DataError(f"{', '.join(map(str, setup.train_files))}: too few items that can be used; add data")
    items = [len(train_set.examples), len(dev_set.examples) if held_out else 0]
    say(f"{items[0]:,} items to train on" + (f", {items[1]:,} for dev" if held_out else ""))
    if (
        items[0] < preparation.FEW
        and setup.init is None
        and data is not None
        and found.ships
        and not setup.uses_readout
    ):
        say(f"few items: --init-from shipped starts from what the shipped {task} model knows")

    torch.manual_seed(seed)
    model = found.build_model(config, codecs)
    found.initialize(model, codecs, **setup.options)
    if setup.init is not None:
        fresh = transfer(model, load_weights(setup.init.path / WEIGHTS))
        say(f"weights from {setup.init.path}" + (f"; new: {', '.join(fresh)}" if fresh else ""))
    parameters = sum(p.numel() for p in model.parameters())
    say(f"{' and '.join(setup.cells)} model with {parameters:,} parameters; {processes}")
    identity = runs.identity(setup, seed, items)
    manifest = Manifest(
        task=task, mapping=found.mapping, config=configs.to_dict(config), cells=setup.cells, streams=model.causal,
        parameters=parameters, seed=seed, versions=versions(),
        data={key: identity[key] for key in ("train", "dev", "items")} | ({"note": note} if note else {}),
    )  # fmt: skip
    if processes.main:
        preparation.check_exports(model, manifest, train_set.inputs)

    job = runs.Job(
        setup=setup, model=model, codecs=codecs, train=train_set, dev=dev_set, held_out=held_out, seed=seed,
        report=report or (lambda progress: None), say=say, processes=processes,
    )  # fmt: skip
    outcome = job.fit_readout() if setup.uses_readout else job.fit_gradient(out, identity, resume=resume)
    if not processes.main:
        processes.wait()
        return open_checkpoint(found, out)
    metric, value = found.score(outcome.metrics)
    value = -value if found.lower_is_better(metric) else value
    shown = f"{value:.4f}" if math.isfinite(value) else "cannot be computed from these items"
    say(f"{outcome.part.replace('_', ' ')} {metric} {shown}")
    made = finish(
        found, model, outcome.codecs, manifest, out, train_set.inputs, metrics={outcome.part: outcome.metrics},
        draw=outcome.draw, say=say,
    )  # fmt: skip
    processes.wait()
    return made
