"""The command group of a task: the same verbs for every task, made from what the task declares."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from suite.cli import options
from suite.cli.output import Skipping, as_line, count_lines, drawn, figures
from suite.errors import DataError, UsageError
from suite.progress import progress
from suite.task import END_OF_ITEM, AnyTask, Command, Result

#: Results that --plot draws, at most.
MAX_PLOTTED = 1000


def task_group(task: AnyTask) -> click.Group:
    """``suite TASK …``."""
    from suite.cli.train import train_command

    group = click.Group(task.name, help=f"{task.summary}\n\n{task.about}".strip())
    for make in (_predict, _evaluate, train_command, _info, _export, _demo):
        group.add_command(make(task))
    if task.streaming is not None and task.streaming.parser is not None:
        group.add_command(_stream(task))
    for command in task.commands:
        group.add_command(_command(task, command))
    return group


def _predict(task: AnyTask) -> click.Command:
    column = task.data.columns[0]

    @click.command("predict", help=_predict_help(task))
    @click.argument("inputs", nargs=-1)
    @click.option(
        "--input",
        "input_file",
        metavar="FILE",
        help="A file, or a .txt with file names."
        if task.data.inputs == "files"
        else f"File with inputs (a column {column.name}, or one item per line), or - for standard input.",
    )
    @options.where(task.data.inputs == "values", options.file_format, options.columns)
    @options.checkpoint
    @options.runtime
    @options.batch_size
    @options.as_json
    @click.option("--timing", is_flag=True, help="Add the seconds each item took.")
    @options.skip_errors
    @options.where(bool(task.plots.results), options.plot(task.plots.results))
    @options.of_task(task.options_of("predict"))
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

        pipeline = Pipeline.open(task, checkpoint, runtime=runtime)
        skip = Skipping(skip_errors)

        def count() -> int | None:
            if task.data.inputs == "files":
                return None
            return len(inputs) or (None if input_file in (None, "-") else count_lines(Path(str(input_file))))

        given: dict[int, tuple[str, Any]] = {}  # where they are and what they are, of the inputs being worked on
        if task.data.inputs == "files":
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
            if plot is not None and len(kept) < MAX_PLOTTED:
                kept.append((value, result))
        if plot is not None:
            if not kept:
                raise DataError("nothing to draw: there are no results")
            configured = pipeline.model.configured(task.parse_options("predict", own))
            task.plot(configured, [value for value, _ in kept], [result for _, result in kept], plot)
            drawn(plot)
        skip.report()

    return predict


def _predict_help(task: AnyTask) -> str:
    column = task.data.columns[0]
    if task.data.inputs == "files":
        return (
            f"Predict for each input, in order.\n\nINPUTS are files ({column.help}). --input FILE is one more, a .txt "
            "with file names, or - for file names on standard input."
        )
    return (
        f"Predict for each input ({column.help}), in order.\n\nINPUTS are arguments; or give --input FILE, or pipe "
        "them in, one per line. Files may be .txt, .csv, .tsv, .jsonl, .json or .parquet."
    )


def _read(task: AnyTask, path: str, file_format: str | None, columns: Any, skip: Any) -> Iterator[tuple[str, Any]]:
    """Where each input is, and the input."""
    from suite.data.readers import read_rows
    from suite.task.reading import checked

    column, blank = task.data.columns[0].name, task.data.keep_blank_lines
    rows = read_rows(path, format=file_format, columns=columns, text_column=column, blank=blank, on_error=skip)
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


def _expanded(task: AnyTask, arguments: Iterable[str], skip: Any, own: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Where each input is, and the input, of arguments that may hold several."""
    for argument in arguments:
        try:
            yield from task.expand_inputs(argument, on_error=skip, **own)
        except DataError as error:
            skip(error)


def _noted(source: Iterator[tuple[str, Any]], given: dict[int, tuple[str, Any]]) -> Iterator[Any]:
    """The inputs, each noted by its number until it is answered."""
    for number, (where, value) in enumerate(source, 1):
        given[number] = (where, value)
        yield value


def _stream(task: AnyTask) -> click.Command:
    streaming = task.streaming
    if streaming is None:
        raise UsageError(f"{task.name} does not stream; use predict")
    segments = streaming.kind == "segments"

    @click.command("stream", help=f"Predict from standard input as it comes, {streaming.unit} by {streaming.unit}.\n\n"
                   f"{streaming.help}".strip())  # fmt: skip
    @options.checkpoint
    @options.runtime
    @options.as_json
    @options.of_task(task.options_of("stream"))
    def stream(
        checkpoint: Path | None, runtime: Any, as_json: bool, skip_errors: bool = False, **own: Any
    ) -> None:  # fmt: skip
        from suite.inference.byte_streams import named, parsed_pieces
        from suite.inference.model import LoadedModel
        from suite.inference.sessions import Session, open_session

        model = LoadedModel.open(task, checkpoint, runtime=runtime)
        skip = Skipping(skip_errors)

        def begin() -> Session:
            return open_session(model, on_error=skip if segments else None, **own)

        def place() -> AbstractContextManager[None]:
            """Errors of a session name standard input; those of a file that it names, the file."""
            return nullcontext() if segments and task.data.inputs == "files" else named("standard input")

        previous: Result | None = None

        def show(result: Result) -> None:
            nonlocal previous
            line = as_line(result.to_dict()) if as_json else task.render_update(result, previous)
            if line is not None:
                # What the updates of a segment add goes on the same line.
                click.echo(line, nl=as_json or not segments)
                previous = result

        def finish(session: Session) -> None:
            nonlocal previous
            for update in session.remaining_updates():
                show(update)
            if session.steps:
                show(session.finish())
            previous = None

        session = begin()
        for piece in parsed_pieces(sys.stdin.buffer, task.stream_parser()):
            with place():
                if piece is END_OF_ITEM:
                    finish(session)
                    session = begin()
                    continue
                for update in session.updates(piece):
                    show(update)
        with place():
            finish(session)
        skip.report()

    # A step that cannot be read leaves a gap in what follows it; a segment that is read whole does not.
    return options.skip_errors(stream) if segments else stream


def _command(task: AnyTask, command: Command) -> click.Command:
    """A verb that only this task has, made from its declaration."""

    @click.command(command.name, help=command.help)
    @options.as_json
    @options.of_task(command.options)
    def run(
        as_json: bool, checkpoint: Path | None = None, runtime: Any = None, plot: Path | None = None,
        inputs: tuple[str, ...] = (), **own: Any,
    ) -> None:  # fmt: skip
        from suite.inference.model import LoadedModel

        model = LoadedModel.open(task, checkpoint, runtime=runtime) if command.needs_model else None
        made = command.run(model, *inputs, **command.parse(task.name, own))
        if isinstance(made, dict):
            click.echo(as_line(made) if as_json else figures(made))
            return
        kept: list[Result] = []
        for result in made:
            line = as_line(result.to_dict()) if as_json else (command.render or task.render)(result)
            if line is not None:
                click.echo(line, nl=as_json)
                click.echo("" if as_json else command.end, nl=False)
            if plot is not None and len(kept) < MAX_PLOTTED:
                kept.append(result)
        if plot is not None and model is not None:
            task.plot(model, [result.input for result in kept], kept, plot)
            drawn(plot)

    if command.needs_model:
        run = options.checkpoint(options.runtime(run))
    if command.plots and command.needs_model and task.plots.results:
        run = options.plot(task.plots.results)(run)
    if command.inputs:
        run = click.argument("inputs", nargs=-1, metavar=command.inputs)(run)
    return run


def _evaluate(task: AnyTask) -> click.Command:
    @click.command("evaluate", help="Evaluate a model on labelled data (default: the shipped samples).")
    @click.option("--data", multiple=True, metavar="FILE", help=_data_help(task))
    @click.option("--part", type=click.Choice(["train", "dev", "test"]), help="A part of the recipe's data "
                  f"(downloaded by suite data get {task.name}).")  # fmt: skip
    @options.file_format
    @options.columns
    @options.checkpoint
    @options.runtime
    @options.batch_size
    @options.as_json
    @options.skip_errors
    @options.where(task.plots.evaluation, options.plot("draw the evaluation to this PNG file"))
    @options.of_task(task.options_of("evaluate"))
    def evaluate(
        data: tuple[str, ...], part: str | None, file_format: str | None, columns: Any, checkpoint: Path | None,
        runtime: Any, batch_size: int, as_json: bool, skip_errors: bool, plot: Path | None = None, **own: Any,
    ) -> None:  # fmt: skip
        if data and part:
            raise UsageError("give --data or --part, not both")
        from suite.inference import evaluation
        from suite.inference.model import LoadedModel
        from suite.task.reading import own_files, read_examples

        paths: list[str | Path] = list(data) or own_files(task, part)
        model = LoadedModel.open(task, checkpoint, runtime=runtime)
        skip = Skipping(skip_errors)

        examples = read_examples(task, paths, format=file_format, columns=columns, on_error=skip)
        values, results, kept = evaluation.evaluate(
            model, progress(examples, lambda: None, "read"), batch_size=batch_size, on_error=skip, **own
        )
        if skip.count:
            values["skipped"] = skip.count
        click.echo(as_line(values) if as_json else figures(values))
        if plot is not None:
            task.plot_evaluation(results, kept, plot)
            drawn(plot)

    return evaluate


def _data_help(task: AnyTask) -> str:
    return "Labelled files with " + "; ".join(f"{c.name} ({c.help})" for c in task.data.columns) + ". May be repeated."


def _info(task: AnyTask) -> click.Command:
    @click.command("info", help="Show a model's size, data, metrics and settings.")
    @options.checkpoint
    @options.as_json
    def info(checkpoint: Path | None, as_json: bool) -> None:
        from suite import config
        from suite.inference.loading import open_checkpoint, open_config

        opened = open_checkpoint(task, checkpoint)
        manifest = config.to_dict(opened.manifest)
        own = task.describe(open_config(task, opened)[1])
        if as_json:
            click.echo(as_line({"path": str(opened.path), "bytes": opened.size, **own, **manifest}))
            return
        head = {
            "checkpoint": str(opened.path),
            **({"note": manifest["data"]["note"]} if "note" in manifest["data"] else {}),
            "size": f"{opened.size / 1e6:.1f} MB, {manifest['parameters']:,} parameters",
            "cell": ", ".join(manifest["cells"]),
            "mapping": manifest["mapping"],
            "streams": "yes" if manifest["streams"] else "no: bidirectional",
            **{name: ", ".join(value) if isinstance(value, list) else value for name, value in own.items()},
            "files": ", ".join(sorted(manifest["files"])),
        }
        click.echo(figures({**head, "figures": manifest["metrics"], "settings": manifest["config"]}))

    return info


def _export(task: AnyTask) -> click.Command:
    @click.command("export", help="Export a model's weights to ONNX again, verified against torch.")
    @options.checkpoint
    @click.option(
        "--out", type=click.Path(path_type=Path), metavar="DIR", help="Output directory (default: ./TASK-export)."
    )
    @options.overwrite
    @options.note
    def export(checkpoint: Path | None, out: Path | None, overwrite: bool, note: str) -> None:
        from suite.checkpoint import check_out
        from suite.export.packaging import export_checkpoint
        from suite.inference.loading import open_checkpoint

        place = out or Path(f"{task.name}-export")
        check_out(place, overwrite)
        made = export_checkpoint(
            open_checkpoint(task, checkpoint), place,
            say=lambda line: click.echo(line, err=True), note=note,
        )  # fmt: skip
        click.echo(f"exported: {made.path} ({made.size / 1e6:.1f} MB)")

    return export


def _demo(task: AnyTask) -> click.Command:
    @click.command("demo", help="Run the task on its sample inputs.")
    @options.as_json
    @options.where(bool(task.plots.results), options.plot(task.plots.results))
    def demo(as_json: bool, plot: Path | None = None) -> None:
        from suite.cli.demo import show

        show(task, as_json=as_json, plot=plot)

    return demo
