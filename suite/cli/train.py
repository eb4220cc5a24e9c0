"""``suite TASK train``: training with progress on the terminal."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from suite.cli import options
from suite.cli.output import Skipping
from suite.task import AnyTask

if TYPE_CHECKING:
    from suite.training.loop import Progress


def train_command(task: AnyTask) -> click.Command:
    """The verb, with the task's own options."""
    instead = (
        "the recipe of the shipped model" if task.recipe else "the labelled samples" if task.labelled_samples else ""
    )
    where = f" (default: {instead})" if instead else ""

    @click.command("train", help=_help(task))
    @click.option("--data", multiple=True, metavar="FILE", help=f"Labelled files; may be repeated{where}.")
    @click.option(
        "--dev", multiple=True, metavar="FILE", help=f"Files to choose the best epoch by (default: {_held_out(task)})."
    )
    @click.option(
        "--out", type=click.Path(path_type=Path), metavar="DIR", help="Output directory (default: ./TASK-checkpoint)."
    )
    @options.overwrite
    @click.option("--cell", metavar="NAME", help="Recurrent cell (see suite cells).")
    @click.option(
        "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Any setting, for example encoder.hidden=256."
    )
    @click.option("--epochs", type=click.IntRange(1), help="Number of epochs.")
    @click.option("--bptt", type=click.IntRange(1), metavar="N", help="Truncated backpropagation through time: "
                  "update every N steps (aligned tasks).")  # fmt: skip
    @click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed.")
    @click.option("--resume", is_flag=True, help="Continue an interrupted run into the same --out.")
    @click.option("--init-from", type=click.Path(path_type=Path), metavar="DIR|shipped|NAME",
                  help="Start from the weights and codecs of another model, or of a shipped one.")  # fmt: skip
    @options.note
    @options.file_format
    @options.columns
    @options.skip_errors
    @options.of_task(task.options_of("train"))
    def train(
        data: tuple[str, ...], dev: tuple[str, ...], out: Path | None, overwrite: bool, cell: str | None,
        settings: tuple[str, ...], epochs: int | None, bptt: int | None, seed: int, resume: bool,
        init_from: Path | None, note: str, file_format: str | None, columns: Any, skip_errors: bool, **own: Any,
    ) -> None:  # fmt: skip
        from suite.training.train import train as run

        place = out or Path(f"{task.name}-checkpoint")
        skip = Skipping(skip_errors)

        sign = -1.0 if task.monitor[0].mode == "min" else 1.0
        with Display(task.progress_unit, sign) as display:
            try:
                made = run(
                    task.name, data=data or None, dev=dev or None, out=place, overwrite=overwrite, cell=cell,
                    settings=settings, epochs=epochs, bptt=bptt, seed=seed, resume=resume, init_from=init_from,
                    note=note, columns=columns, format=file_format, report=display.report, say=display.say,
                    on_error=skip if skip_errors else None, **own,
                )  # fmt: skip
            except KeyboardInterrupt:
                if _speaks():
                    display.say(f"interrupted; continue with the same command and --resume (saved in {place}.run)")
                raise
        if not _speaks():
            return
        skip.report()
        click.echo(f"trained: {made.path} ({made.size / 1e6:.1f} MB); curves in {made.path / 'curves.png'}")

    return train


def _speaks() -> bool:
    """Whether this process is the one that prints; several may train together."""
    from suite.training.distributed import is_main

    return is_main()


def _help(task: AnyTask) -> str:
    columns = "; ".join(f"{c.name} ({c.help})" for c in task.data.columns)
    files = "Data: " if not task.data.tables else "Data files are .csv, .tsv, .jsonl, .json or .parquet with: "
    sides = (
        f"; or a .txt file each with the lines of {' and '.join(task.data.parallel)}, in this order"
        if task.data.parallel
        else ""
    )
    return (
        f"Train a model on your own data.\n\n{files}{columns}{sides}. The model is exported to ONNX, "
        "verified, and written with its training curves and a model card."
    )


def _held_out(task: AnyTask) -> str:
    share = task.config().training.hold_out
    return f"{share:.0%} of the data, held out by a fixed rule" if share else "none: training uses all of the data"


class Display:
    """A bar on a terminal, a line an epoch elsewhere; both on standard error, from the first word on."""

    def __init__(self, unit: str = "items", sign: float = 1.0) -> None:
        self._unit, self._sign = unit, sign  # of a metric that is better lower, progress has the negative
        self._bar: Any = None
        self._epochs = 0

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            click.echo(line, err=True)

    def report(self, progress: Progress) -> None:
        """Called after each step, and with the dev metric after each epoch."""
        if sys.stderr.isatty():
            self._show(progress)
        if len(progress.history) > self._epochs:
            self._epochs = len(progress.history)
            last = progress.history[-1]
            self.say(
                f"epoch {last['epoch']}: loss {last['loss']:.4f}, dev {self._sign * last['dev']:.4f}, "
                f"gradient norm {last['grad_norm']:.2f}, {progress.items_per_second:,.0f} {self._unit}/s"
            )

    def _show(self, progress: Progress) -> None:
        if self._bar is None:
            from tqdm import tqdm

            form = "{percentage:3.0f}% {bar:16} {desc} · {remaining} left"
            self._bar = tqdm(total=progress.steps, file=sys.stderr, bar_format=form, dynamic_ncols=True, leave=False)
        shown = [] if math.isnan(progress.loss) else [f"loss {progress.loss:.4f}", f"grad {progress.grad_norm:.2f}"]
        if progress.items_per_second:
            shown.append(f"{progress.items_per_second:,.0f} {self._unit}/s")
        if progress.dev is not None:
            best = math.nan if progress.best is None else progress.best
            shown.insert(0, f"dev {self._sign * progress.dev:.4f} (best {self._sign * best:.4f})")
        epoch = progress.epoch + (progress.step < progress.steps)  # the one under way
        stage = "reading" if math.isnan(progress.loss) else f"epoch {epoch}"
        self._bar.set_description_str(" · ".join([stage, *shown]), refresh=False)
        self._bar.update(progress.step - self._bar.n)
