"""The training itself, as a job: by gradient descent with resume, or a readout in closed form, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from suite import config as configs
from suite.checkpoint.weights import WEIGHTS, round_weights
from suite.data.examples import identity as identity_of
from suite.errors import SuiteError
from suite.task import Codecs
from suite.training import calibration, ridge_readout
from suite.training.distributed import Processes
from suite.training.encoded import EncodedSet
from suite.training.loop import Progress, fit, start
from suite.training.preparation import Setup
from suite.training.resume import load_run, read_identity, save_run
from suite.training.supervision import LabelSupervision, balanced, supervise

Draw = Callable[[Path], None]


@dataclass(frozen=True)
class Outcome:
    """What a job ends with: calibrated codecs, the metrics and the part they are of, and what draws its curves."""

    codecs: Codecs[Any, Any]
    part: str
    metrics: dict[str, Any]
    draw: Draw


@dataclass(frozen=True)
class Job:
    """Everything that is ready before the first step."""

    setup: Setup
    model: Any
    codecs: Codecs[Any, Any]
    train: EncodedSet
    dev: EncodedSet
    held_out: bool
    seed: int
    report: Callable[[Progress], None]
    say: Callable[[str], None]
    processes: Processes

    def fit_gradient(self, out: Path, identity: dict[str, Any], *, resume: bool) -> Outcome:
        """Train every weight, from the start or from an interrupted run; the model ends with its best weights."""
        task, config, model, processes = self.setup.task, self.setup.config, self.model, self.processes
        spec, folder, supervision = config.training, run_folder(out), supervise(self.setup.task)
        run = start(model.to(processes.device), spec)
        if resume:
            _check_same(read_identity(folder), identity, folder)
            load_run(run, folder)
            processes.wait()  # nobody writes there while another reads
            self.say(f"resumed at step {run.progress.step:,}")

        def metrics() -> dict[str, Any]:
            return calibration.dev_metrics(task, self.codecs, model, self.dev.examples)

        score = supervision.selection(self.dev, self.codecs, config, metrics)
        progress = fit(
            run, supervision.objective(self.train, self.codecs, config, augment=True), lambda: score(model), spec,
            seed=self.seed, report=self.report,
            save=lambda run: save_run(run, folder, identity, {}) if processes.main else None, processes=processes,
        )  # fmt: skip
        if not processes.main:
            return Outcome(self.codecs, "dev", {}, lambda path: None)
        # What is measured is what is shipped.
        round_weights(model.cpu().eval(), spec.weights)
        codecs = calibration.with_memory(task, config, self.codecs, model, self.train)
        codecs = calibration.calibrate(task, codecs, model, self.dev.examples)
        # A training example that is kept for reranking is nearest to itself: without a dev part that says nothing.
        judged = codecs if self.held_out else calibration.without_memory(task, codecs)
        found = calibration.dev_metrics(task, judged, model, self.dev.examples)
        self.say(f"best epoch {progress.best_epoch} of {progress.epoch}")
        metric = supervision.selection_metric(found)
        draw = partial(_draw_curves, progress.history, metric, task.lower_is_better(metric))
        return Outcome(codecs, "dev" if self.held_out else "train", found, draw)

    def fit_readout(self) -> Outcome:
        """Fit the last layer alone, in closed form (``training.method=readout``)."""
        config, model, codecs = self.setup.config, self.model, self.codecs
        if not self.processes.main:
            return Outcome(codecs, "dev", {}, lambda path: None)
        supervision = supervise(self.setup.task)
        if not isinstance(supervision, LabelSupervision):
            raise TypeError("a readout is of many-to-one tasks")
        target = codecs.target
        readout = ridge_readout.learn(
            model, self.train.inputs, self.train.targets, config.training, classes=len(target.names),
            early=target.early, weights=balanced([e.target for e in self.train.examples], config.training.balance),
            vary=supervision.augmentation(self.train, codecs, config), seed=self.seed,
            report=lambda done, total: self.report(Progress(step=done, steps=total)),
        )  # fmt: skip
        codecs = ridge_readout.with_early_exit(codecs, readout)
        round_weights(model.eval(), config.training.weights)
        if self.held_out:
            part, found = "dev", calibration.dev_metrics(self.setup.task, codecs, model, self.dev.examples)
        else:
            part = "leave_one_out"
            found = calibration.leave_one_out_metrics(supervision.task, codecs, readout, self.train.examples)
        return Outcome(codecs, part, found, partial(ridge_readout.draw, readout))


def identity(setup: Setup, seed: int, items: list[int]) -> dict[str, Any]:
    """What a run must have in common with the interrupted one it continues, as JSON."""
    return {
        "task": setup.task.name, "config": configs.to_dict(setup.config), "seed": seed,
        "train": identity_of(setup.train_files), "dev": identity_of(setup.dev_files), "items": items,
        "options": {k: identity_of([v]) if isinstance(v, Path) else v for k, v in setup.options.items()},
        "init_from": setup.init.manifest.files[WEIGHTS] if setup.init is not None else None,
    }  # fmt: skip


def run_folder(out: Path) -> Path:
    """Where a run into ``out`` keeps what ``resume`` needs."""
    return out.with_name(f"{out.name}.run")


def _check_same(saved: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    for key, value in now.items():
        if saved.get(key) != value:
            raise SuiteError(
                f"{folder}: the interrupted run had another {key}; resume it with the same options and data"
            )


def _draw_curves(history: list[dict[str, Any]], metric: str, lower: bool, path: Path) -> None:
    from suite.plotting.charts import curves

    curves(history, metric, path, lower=lower)
