"""What happens before the first training step: files, configuration, examples, codecs, arrays, and early checks."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suite import config as configs
from suite.checkpoint import Checkpoint, Manifest
from suite.data.examples import Example, split_dev
from suite.errors import DataError, SuiteError, UsageError, one_line
from suite.inference.loading import open_checkpoint, open_config
from suite.plugins import registry
from suite.task import AlignedTask, AnyTask, Codecs, ManyToOneTask
from suite.task.reading import read_examples
from suite.task.seq2seq import TextGenerationTask
from suite.training.encoded import KEEP_BYTES, EncodedInputs, EncodedSet
from suite.training.supervision import supervise

Paths = str | Path | Sequence[str | Path]
Say = Callable[[str], None]
OnError = Callable[[DataError], None]

#: Fewer items than this teach a fresh model little.
FEW = 2000


@dataclass(frozen=True)
class Setup:
    """What is to be trained, on what: decided before any data is read."""

    task: AnyTask
    config: Any
    options: dict[str, Any]
    train_files: list[str | Path]
    dev_files: list[str | Path]
    init: Checkpoint | None
    init_codecs: Codecs[Any, Any] | None

    @property
    def cells(self) -> tuple[str, ...]:
        """The names of the recurrent cells."""
        config = self.config
        return tuple(dict.fromkeys(getattr(config, part).cell for part in configs.stacks(config)))

    @property
    def uses_readout(self) -> bool:
        """Whether only the last layer is fitted, in closed form."""
        return bool(self.config.training.method == "readout")


def prepare(
    name: str, data: Paths | None, dev: Paths | None, *, cell: str | None,
    settings: Mapping[str, Any] | Iterable[str], epochs: int | None, bptt: int | None,
    init_from: str | Path | None, resume: bool, options: Mapping[str, Any],
) -> Setup:  # fmt: skip
    """The setup of a run, from what the user asked for. Raises UsageError for what does not go together."""
    task = registry().task(name)
    chosen = task.parse_options("train", options)
    train_files, dev_files, recipe_settings = _files(task, data, dev, chosen)
    config: Any = configs.override(task.config(), recipe_settings if init_from is None else ())
    init, init_codecs = None, None
    if init_from is not None:
        init = open_checkpoint(task, None if str(init_from) == "shipped" else init_from)
        config, init_codecs = open_config(task, init)
    config = _changed(config, cell, settings, epochs, bptt)
    setup = Setup(task, config, chosen, train_files, dev_files, init, init_codecs)
    if config.training.bptt:
        _check_bptt(task, config)
    if setup.uses_readout:
        if not isinstance(task, ManyToOneTask):
            raise UsageError(
                f"training.method=readout is for one answer an input; {name} is {task.mapping}: leave it out"
            )
        if resume or epochs is not None:
            raise UsageError(
                f"{'--resume' if resume else '--epochs'}: training.method=readout is fitted in one step; leave it out, "
                "or add --set training.method=gradient"
            )
    return setup


def read_parts(
    setup: Setup, *, columns: Mapping[str, str] | None, format: str | None, on_error: OnError | None
) -> tuple[list[Example], list[Example]]:
    """The train and dev examples; the same list twice if nothing is held out. Raises DataError for too few."""

    def read(files: Sequence[str | Path]) -> list[Example]:
        return list(read_examples(setup.task, files, columns=columns, format=format, on_error=on_error))

    examples = read(setup.train_files)
    if not examples:
        raise DataError(f"{', '.join(map(str, setup.train_files))}: no items to train on; give some")
    if setup.dev_files:
        dev = read(setup.dev_files)
        if not dev:
            files = ", ".join(map(str, setup.dev_files))
            raise DataError(f"{files}: no items to evaluate on; give some, or leave --dev out")
        return examples, dev
    if hold_out := setup.config.training.hold_out:
        return split_dev(examples, hold_out, by_label=isinstance(setup.task, ManyToOneTask))
    return examples, examples


def fit_codecs(setup: Setup, examples: Sequence[Example], say: Say) -> Codecs[Any, Any]:
    """The codecs, fitted on training examples; those of the initial checkpoint where its weights depend on them."""
    task = setup.task
    codecs = task.fit_codecs(examples, setup.config, **setup.options)
    for line in task.data_warnings(examples, codecs):
        say(line)
    if setup.init_codecs is not None:
        codecs = supervise(task).continued_codecs(codecs, setup.init_codecs)
    if setup.config.training.remember:
        _check_memory(task, len(examples))
    return codecs


def encode_examples(
    task: AnyTask, examples: Sequence[Example], codecs: Codecs[Any, Any], on_error: OnError | None,
    say: Say = lambda line: None, keep_bytes: int = KEEP_BYTES,
) -> EncodedSet:  # fmt: skip
    """The examples that can be used, encoded; others raise DataError with their place, or go to ``on_error``."""
    supervision = supervise(task)
    kept: list[Example] = []
    targets: list[np.ndarray] = []
    inputs = EncodedInputs(codecs.input.encode, keep_bytes)
    for example in examples:
        try:
            (target,) = codecs.target.encode([example.target])
            array = codecs.input.encode(example.input)
            if reason := supervision.unusable(codecs, array, target):
                say(f"{example.where}: left out: {reason}")
                continue
            kept.append(task.check_example(example, codecs))
        except DataError as error:
            named = DataError(f"{example.where}: {error}")
            if on_error is None:
                raise named from None
            on_error(named)
            continue
        inputs.append(example.input, array)
        targets.append(target)
    return EncodedSet(kept, inputs, supervision.stack(targets))


def check_exports(model: Any, manifest: Manifest, inputs: Sequence[np.ndarray]) -> None:
    """Export a fresh model and compare it with torch, so that a cell that cannot be exported fails in seconds.

    A copy of the model is exported; the model and the random state are as before. Raises SuiteError.
    """
    import torch

    from suite.checkpoint.weights import round_weights
    from suite.export.packaging import export_verified

    fresh = copy.deepcopy(model).eval()
    round_weights(fresh, manifest.config["training"]["weights"])
    try:
        with tempfile.TemporaryDirectory() as place, torch.random.fork_rng(devices=[]):
            export_verified(fresh, manifest, Path(place), inputs[:4], then="nothing was trained")
    except OSError as error:
        raise SuiteError(f"cannot write a temporary checkpoint: {one_line(error)}; make room and try again") from error


def _files(
    task: AnyTask, data: Paths | None, dev: Paths | None, options: dict[str, Any]
) -> tuple[list[str | Path], list[str | Path], tuple[str, ...]]:
    """The files to train on and the recipe's settings: the user's, the shipped recipe's, or else labelled samples."""
    if data is not None:
        files, held = _list(data), _list(dev)
        if "-" in map(str, [*files, *held]):
            raise UsageError("training reads its files twice, so not from standard input: save it to a file first")
        return files, held, ()
    if task.recipe is None and task.labelled_samples:
        return list(task.labelled_samples), _list(dev), ()
    if task.recipe is None:
        raise UsageError(f"{task.name} has no recipe of its own: give --data FILE")
    from suite.datasets.recipes import find_prepared

    recipe = task.recipe()
    folder = find_prepared(task.name, recipe)
    if folder is None:
        raise UsageError(f"no --data given, and the recipe's data is not here: run suite data get {task.name} first")
    for name, file in recipe.options.items():
        if options.get(name) is None:
            options[name] = folder / file
    held = _list(dev) or [folder / name for name in recipe.dev if name not in recipe.train]
    return [folder / name for name in recipe.train], held, recipe.settings


def _list(value: Paths | None) -> list[str | Path]:
    if value is None:
        return []
    return [value] if isinstance(value, str | Path) else list(value)


def _changed(
    config: Any, cell: str | None, settings: Mapping[str, Any] | Iterable[str], epochs: int | None, bptt: int | None
) -> Any:
    parts = configs.stacks(config)
    cells = {f"{part}.cell": cell for part in parts if cell is not None}
    # Before the settings, which may set the cell's options; and after them, since --cell wins over --set.
    config = configs.override(configs.override(configs.override(config, cells), settings), cells)
    if epochs is not None:
        config = configs.override(config, {"training.epochs": epochs})
    if bptt is not None:
        config = configs.override(config, {"training.bptt": bptt})
    # An unknown cell or option is reported before any data is read.
    for part in parts:
        registry().cell(getattr(config, part).cell)
    configs.check_options(config)
    return config


def _check_bptt(task: AnyTask, config: Any) -> None:
    if not isinstance(task, AlignedTask):
        raise UsageError(f"--bptt cuts the sequences of aligned tasks; {task.name} is {task.mapping}: leave it out")
    if config.encoder.bidirectional:
        raise UsageError("--bptt carries state forwards, which encoder.bidirectional cannot: leave one of them out")


def _check_memory(task: AnyTask, items: int) -> None:
    """Raise UsageError if training examples would be kept that no prediction uses, or too many of them."""
    from suite.decoding.reranking import MAX_ITEMS

    reranks = isinstance(task, TextGenerationTask) and any(option.name == "neighbours" for option in task.options)
    if not reranks:
        raise UsageError(
            "training.remember is for tasks of suite.task.seq2seq.TextGenerationTask with reranking_option() among "
            f"their options; {task.name} is none: leave it out"
        )
    if items > MAX_ITEMS:
        raise UsageError(f"training.remember keeps every item, and {items:,} are more than {MAX_ITEMS:,}: leave it out")
