"""The command group of a task: the same verbs for every task, made from what the task declares."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import click

from suite.cli import options
from suite.cli.output import Skipping, as_line, count_lines, drawn, figures
from suite.errors import DataError, UsageError
from suite.progress import progress
from suite.task import Result, Task, Verb


def task_group(task: Task) -> click.Group:
    """``suite TASK …``."""
    from suite.cli.train import train_command

    group = click.Group(task.name, help=f"{task.summary}\n\n{task.about}".strip())
    for make in (_predict, _evaluate, train_command, _info, _export, _demo):
        group.add_command(make(task))
    if task.chunks is not None:
        group.add_command(_stream(task, task.chunks))
    for verb in task.verbs:
        group.add_command(_verb(task, verb))
    return group


def _predict(task: Task) -> click.Command:
    column = task.columns[0]

    @click.command("predict", help=_predict_help(task))
    @click.argument("inputs", nargs=-1)
    @click.option(
        "--input",
        "input_file",
        metavar="FILE",
        help="A file, or one with the names of files."
        if task.expand
        else f"Read inputs from a file, or - for standard input (a column {column.name}, or one item a line).",
    )
    @options.where(task.expand is None, options.file_format, options.columns)
    @options.checkpoint
    @options.runtime
    @options.batch_size
    @options.as_json
    @click.option("--timing", is_flag=True, help="Add the seconds each item took.")
    @options.skip_errors
    @options.where(task.plot is not None, options.plot(task.plot_help))
    @options.of_task(task.option("predict"))
    def predict(
        inputs: tuple[str, ...], input_file: str | None, checkpoint: Path | None, runtime: Any, batch_size: int,
        as_json: bool, timing: bool, skip_errors: bool, file_format: str | None = None, columns: Any = None,
        plot: Path | None = None, **own: Any,
    ) -> None:  # fmt: skip
        if inputs and input_file:
            raise UsageError("give inputs as arguments or with --input, not both")
        if not inputs and input_file is None and sys.stdin.isatty():
            raise UsageError(
                f"give inputs as arguments, --input FILE, or on standard input; see suite {task.name} predict --help"
            )
        from suite.inference.pipeline import Pipeline

        pipeline = Pipeline.open(task.name, checkpoint, runtime=runtime)
        skip = Skipping(skip_errors)

        def count() -> int | None:
            if task.expand is not None:
                return None
            return len(inputs) or (None if input_file in (None, "-") else count_lines(Path(str(input_file))))

        given: dict[int, tuple[str, Any]] = {}  # where they are and what they are, of the inputs being worked on
        if task.expand is not None:
            source = _expanded(task, inputs or _listed(input_file or "-"), skip, own)
        elif inputs:
            # A single argument needs no number to be found by.
            source = (("" if len(inputs) == 1 else f"argument {n}", value) for n, value in enumerate(inputs, 1))
        else:
            source = _read(task, input_file or "-", file_format, columns, skip)

        def fail(number: int, error: DataError) -> None:
            where, _ = given.pop(number)
            skip(DataError(f"{where}: {error}" if where else str(error)))

        kept: list[tuple[Any, Result]] = []
        results = pipeline(_noted(source, given), batch_size=batch_size, timing=timing, on_error=fail, **own)
        for result in progress(results, count, "predict"):
            _, value = given.pop(next(iter(given)))
            click.echo(as_line(result.to_dict()) if as_json else task.render(result))
            if plot is not None and len(kept) < 1000:
                kept.append((value, result))
        if plot is not None and task.plot is not None:
            if not kept:
                raise DataError("nothing to draw: there are no results")
            asked = pipeline.adapted(task.checked("predict", own))
            task.plot(asked, [value for value, _ in kept], [result for _, result in kept], plot)
            drawn(plot)
        skip.report()

    return predict


def _predict_help(task: Task) -> str:
    column = task.columns[0]
    if task.expand is not None:
        return (
            f"Answer each input, in order.\n\nINPUTS are files ({column.help}); --input FILE names one more, a .txt "
            "with the names of several, or - for names on standard input."
        )
    return (
        f"Answer each input ({column.help}), in order.\n\nINPUTS are arguments; or give --input FILE, or pipe them in, "
        "one a line. Files may be .txt, .csv, .tsv, .jsonl, .json or .parquet."
    )


def _read(task: Task, path: str, file_format: str | None, columns: Any, skip: Any) -> Iterator[tuple[str, Any]]:
    """Where each input is, and the input."""
    from suite.data.readers import read_rows
    from suite.task.reading import checked

    column = task.columns[0].name
    rows = read_rows(path, format=file_format, columns=columns, text_column=column, blank=task.blank, on_error=skip)
    for row in checked(task, rows, skip, [column]):
        yield row.where, row.values[column]


def _listed(path: str) -> Iterator[str]:
    """What ``--input`` names: the file itself, or with ``-`` or a ``.txt`` the files on its lines, beside it."""
    if path != "-" and Path(path).suffix.lower() != ".txt":
        yield path
        return
    from suite.data.readers import read_rows

    for row in read_rows(path, format="txt", text_column="path"):
        if line := row.values["path"].strip():
            yield str(Path(line) if path == "-" else Path(path).parent / line)


def _expanded(task: Task, arguments: Iterable[str], skip: Any, own: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Where each input is, and the input, of arguments that may hold several."""
    assert task.expand is not None
    for argument in arguments:
        try:
            yield from task.expand(argument, on_error=skip, **own)
        except DataError as error:
            skip(error)


def _noted(source: Iterator[tuple[str, Any]], given: dict[int, tuple[str, Any]]) -> Iterator[Any]:
    """The inputs, each noted by its number until it is answered."""
    for number, (where, value) in enumerate(source, 1):
        given[number] = (where, value)
        yield value


def _stream(task: Task, chunks: Callable[[IO[bytes]], Iterator[Any]]) -> click.Command:
    @click.command("stream", help=f"Answer standard input as it comes, step by step.\n\n{task.stream_help}".strip())
    @options.checkpoint
    @options.runtime
    @options.as_json
    @options.of_task(task.option("stream"))
    def stream(
        checkpoint: Path | None, runtime: Any, as_json: bool, skip_errors: bool = False, **own: Any
    ) -> None:  # fmt: skip
        from suite.inference.pipeline import Pipeline
        from suite.inference.streaming import ReadingSession, SegmentSession, Session
        from suite.inference.streaming import stream as session_of

        pipeline = Pipeline.open(task.name, checkpoint, runtime=runtime)
        skip = Skipping(skip_errors)
        if task.unit == "segment":
            own["on_error"] = skip
        session = session_of(pipeline, **own)

        before: Result | None = None

        def show(result: Result) -> None:
            nonlocal before
            line = as_line(result.to_dict()) if as_json else task.render_update(result, before)
            if line is not None:
                # What a piece's updates add goes on the same line.
                click.echo(line, nl=as_json or task.unit == "step")
                before = result

        def finish(session: Session | SegmentSession | ReadingSession) -> None:
            nonlocal before
            for update in session.rest():
                show(update)
            if session.steps:
                show(session.finish())
            before = None

        for piece in chunks(sys.stdin.buffer):
            if piece is None:
                finish(session)
                session = session_of(pipeline, **own)
                continue
            for update in session.updates(piece):
                show(update)
        finish(session)
        skip.report()

    # A step that cannot be read leaves a gap in what follows it; a piece that is read whole does not.
    return options.skip_errors(stream) if task.unit == "segment" else stream


def _verb(task: Task, verb: Verb) -> click.Command:
    """A verb that only this task has, made from its declaration."""

    @click.command(verb.name, help=verb.help)
    @options.as_json
    @options.of_task(verb.options)
    def run(
        as_json: bool, checkpoint: Path | None = None, runtime: Any = None, plot: Path | None = None,
        inputs: tuple[str, ...] = (), **own: Any,
    ) -> None:  # fmt: skip
        from suite.inference.pipeline import Pipeline

        pipeline = Pipeline.open(task.name, checkpoint, runtime=runtime) if verb.model else None
        made = verb.run(pipeline, *inputs, **verb.checked(task.name, own))
        if isinstance(made, dict):
            click.echo(as_line(made) if as_json else figures(made))
            return
        kept: list[Result] = []
        for result in made:
            line = as_line(result.to_dict()) if as_json else (verb.render or task.render)(result)
            if line is not None:
                click.echo(line, nl=as_json)
                click.echo("" if as_json else verb.end, nl=False)
            if plot is not None and len(kept) < 1000:
                kept.append(result)
        if plot is not None and task.plot is not None and pipeline is not None:
            task.plot(pipeline, [result.input for result in kept], kept, plot)
            drawn(plot)

    if verb.model:
        run = options.checkpoint(options.runtime(run))
    if verb.plots and verb.model and task.plot is not None:
        run = options.plot(task.plot_help)(run)
    if verb.inputs:
        run = click.argument("inputs", nargs=-1, metavar=verb.inputs)(run)
    return run


def _evaluate(task: Task) -> click.Command:
    @click.command("evaluate", help="Figures of a model on labelled data; on the shipped samples if none is given.")
    @click.option("--data", multiple=True, metavar="FILE", help=_data_help(task))
    @click.option("--part", type=click.Choice(["train", "dev", "test"]), help="A part of the recipe's own data "
                  f"(fetched by suite data get {task.name}).")  # fmt: skip
    @options.file_format
    @options.columns
    @options.checkpoint
    @options.runtime
    @options.batch_size
    @options.as_json
    @options.skip_errors
    @options.where(task.plot_evaluation is not None, options.plot("draw the figures to this PNG file"))
    @options.of_task(task.option("evaluate"))
    def evaluate(
        data: tuple[str, ...], part: str | None, file_format: str | None, columns: Any, checkpoint: Path | None,
        runtime: Any, batch_size: int, as_json: bool, skip_errors: bool, plot: Path | None = None, **own: Any,
    ) -> None:  # fmt: skip
        if data and part:
            raise UsageError("give --data or --part, not both")
        from suite.inference import evaluation
        from suite.inference.pipeline import Pipeline
        from suite.task.reading import read_examples

        paths: list[str | Path] = list(data) or _own_data(task, part)
        pipeline = Pipeline.open(task.name, checkpoint, runtime=runtime)
        skip = Skipping(skip_errors)

        examples = read_examples(task, paths, format=file_format, columns=columns, on_error=skip)
        values, results, kept = evaluation.evaluate(
            pipeline, progress(examples, lambda: None, "read"), batch_size=batch_size, on_error=skip, **own
        )
        if skip.count:
            values["skipped"] = skip.count
        click.echo(as_line(values) if as_json else figures(values))
        if plot is not None and task.plot_evaluation is not None:
            task.plot_evaluation(results, kept, plot)
            drawn(plot)

    return evaluate


def _own_data(task: Task, part: str | None) -> list[str | Path]:
    if part is None:
        if not task.labelled:
            raise UsageError(f"give --data FILE: {task.name} ships no labelled samples")
        return list(task.labelled)
    if task.recipe is None:
        raise UsageError(f"{task.name} has no recipe of its own: give --data FILE")
    from suite.datasets.recipes import find_prepared

    folder = find_prepared(task.name, task.recipe())
    if folder is None:
        raise UsageError(f"the recipe's data is not here: run suite data get {task.name} first")
    return [folder / f"{part}.jsonl"]


def _data_help(task: Task) -> str:
    return "Labelled files with " + "; ".join(f"{c.name} ({c.help})" for c in task.columns) + ". May be repeated."


def _info(task: Task) -> click.Command:
    @click.command("info", help="What a model is: its sizes, data, figures and settings.")
    @options.checkpoint
    @options.as_json
    def info(checkpoint: Path | None, as_json: bool) -> None:
        from suite import config
        from suite.inference.loading import open_checkpoint, open_config

        opened = open_checkpoint(task, checkpoint)
        manifest = config.to_dict(opened.manifest)
        own = task.describe(open_config(task, opened)[1]) if task.describe is not None else {}
        if as_json:
            click.echo(as_line({"path": str(opened.path), "bytes": opened.size, **own, **manifest}))
            return
        head = {
            "checkpoint": str(opened.path),
            **({"note": manifest["data"]["note"]} if "note" in manifest["data"] else {}),
            "size": f"{opened.size / 1e6:.1f} MB, {manifest['parameters']:,} parameters",
            "cell": ", ".join(manifest["cells"]),
            "mapping": manifest["mapping"],
            "streams": "yes" if manifest["streams"] else "no: it reads both ways",
            **{name: ", ".join(value) if isinstance(value, list) else value for name, value in own.items()},
            "files": ", ".join(sorted(manifest["files"])),
        }
        click.echo(figures({**head, "figures": manifest["metrics"], "settings": manifest["config"]}))

    return info


def _export(task: Task) -> click.Command:
    @click.command("export", help="Write a model's ONNX graphs anew from its weights, verified against torch.")
    @options.checkpoint
    @click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where to; default ./TASK-export.")
    @options.note
    def export(checkpoint: Path | None, out: Path | None, note: str) -> None:
        from suite.inference.loading import open_checkpoint
        from suite.training.train import export_checkpoint

        made = export_checkpoint(
            open_checkpoint(task, checkpoint), out or Path(f"{task.name}-export"),
            say=lambda line: click.echo(line, err=True), note=note,
        )  # fmt: skip
        click.echo(f"exported: {made.path} ({made.size / 1e6:.1f} MB)")

    return export


def _demo(task: Task) -> click.Command:
    @click.command("demo", help="Show the task on its sample inputs.")
    @options.as_json
    @options.where(task.plot is not None, options.plot(task.plot_help))
    def demo(as_json: bool, plot: Path | None = None) -> None:
        from suite.cli.demo import show

        show(task, as_json=as_json, plot=plot)

    return demo
