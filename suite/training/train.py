"""From labelled data to a checkpoint that is ready to use.

Data flow: files → examples → a dev part → codecs fitted on the rest → arrays → model (with its task's priors,
or the weights of another checkpoint) → ``fit`` → best weights, rounded to what their file holds → dev metrics →
ONNX graphs, verified against torch → model card → checkpoint. Where several processes train together, all of
them go as far as ``fit``, and the main one goes on alone.
"""

from __future__ import annotations

import dataclasses
import math
import platform
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite import config as configs
from suite.checkpoint import Checkpoint, Manifest, check_place, save
from suite.data.examples import Example, identity, split_dev
from suite.errors import DataError, MissingExtra, SuiteError, UsageError, one_line
from suite.inference.loading import open_checkpoint, open_config
from suite.plugins import registry
from suite.task import Codecs, Task
from suite.task.reading import read_examples

if TYPE_CHECKING:
    from suite.decoding.reranking import Remembered
    from suite.inference.pipeline import Pipeline
    from suite.training.ridge_readout import Readout

CURVES = "curves.png"
#: Below this many items a model learns little from them alone.
FEW = 2000
#: As many held-out items it takes to say how sure a model should be.
ENOUGH = 50


def train(
    task: str,
    *,
    data: str | Path | Sequence[str | Path] | None = None,
    dev: str | Path | Sequence[str | Path] | None = None,
    out: str | Path,
    cell: str | None = None,
    settings: Iterable[str] = (),
    epochs: int | None = None,
    bptt: int | None = None,
    seed: int = 0,
    resume: bool = False,
    init_from: str | Path | None = None,
    note: str = "",
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    report: Callable[..., None] | None = None,
    say: Callable[[str], None] = lambda line: None,
    on_error: Callable[[DataError], None] | None = None,
    **options: Any,
) -> Checkpoint:
    """Train a model of ``task`` and write its checkpoint to ``out``.

    ``data`` and ``dev`` are files in any format the task reads; without ``dev`` a tenth of ``data`` is held
    out by rule, and without ``data`` the recipe of the shipped model is trained on the data that
    ``suite data get`` fetched; of a task that has no recipe, its labelled samples are. ``cell`` and ``settings``
    (``"encoder.hidden=256"``) change the task's configuration. ``bptt`` trains an aligned task in stretches of so many
    steps. ``init_from`` starts from the weights and codecs of another checkpoint, or of the one that ships
    (``"shipped"``). ``note`` is for the card: what the
    model is for, and what not. ``resume`` goes on with an interrupted run in ``out``. ``report`` gets a ``Progress``
    after each step, ``say`` a line now and then. ``options`` are the task's own (``Task.option``).

    Raises DataError for data that cannot be used, UsageError for wrong settings.
    """
    try:
        import torch

        from suite.nn.weights import WEIGHTS, load_weights, round_weights, transfer
        from suite.training import ridge_readout as readout
        from suite.training.distributed import Processes
        from suite.training.loop import Progress, fit, start
        from suite.training.losses import SEQUENCES, loss
        from suite.training.objectives import aligned, many_to_one, mean_loss, spelt, unaligned
        from suite.training.resume import load_run, read_identity, save_run
    except ImportError as error:
        raise MissingExtra("training", "train", error) from error

    out = Path(out) if Path(out).name else Path(out).absolute()
    check_place(out)  # an hour of training must not end there
    found = registry().task(task)
    options = found.checked("train", options)
    train_files, dev_files, recipe_settings = _files(found, data, dev, options)
    config = configs.override(found.config(), recipe_settings if init_from is None else ())
    init = None
    if init_from is not None:
        init = open_checkpoint(found, None if str(init_from) == "shipped" else init_from)
    if init is not None:
        config, codecs = open_config(found, init)
    config = _changed(config, cell, settings, epochs, bptt)
    _check_bptt(found, config)
    closed = config.training.method == "readout"
    if closed and found.mapping != "many-to-one":
        raise UsageError(f"training.method=readout is for one answer an item; {task} is {found.mapping}: leave it out")
    if closed and (resume or epochs is not None):
        raise UsageError(
            f"{'--resume' if resume else '--epochs'}: training.method=readout learns in one step; leave it out, or add "
            "--set training.method=gradient"
        )
    processes = Processes()
    if not processes.main:
        # One of them speaks for all.
        report, say, on_error = None, lambda line: None, on_error and (lambda error: None)

    examples = list(read_examples(found, train_files, columns=columns, format=format, on_error=on_error))
    if not examples:
        raise DataError(f"{', '.join(map(str, train_files))}: no items to train on; give some")
    if dev_files:
        dev_read = read_examples(found, dev_files, columns=columns, format=format, on_error=on_error)
        train_part, dev_part = examples, list(dev_read)
        if not dev_part:
            raise DataError(f"{', '.join(map(str, dev_files))}: no items to evaluate on; give some, or leave --dev out")
    elif config.training.hold_out:
        by_label = found.mapping == "many-to-one"
        train_part, dev_part = split_dev(examples, config.training.hold_out, by_label=by_label)
    else:
        train_part, dev_part = examples, examples

    fitted = found.fit(train_part, config, **options)
    if found.notes is not None:
        for line in found.notes(train_part, fitted):
            say(line)
    if init is not None:
        # The pieces the weights know stay; what is learnt may be new, save where it is written in such pieces.
        fitted["input"] = codecs["input"]
        if found.writes:
            fitted["target"] = codecs["target"]
    codecs = fitted
    if config.training.remember:
        _check_remembering(found, codecs, len(train_part))
    same = dev_part is train_part
    train_part, inputs, targets = _encoded(found, train_part, codecs, on_error, say)
    dev_part, *unseen = (train_part, inputs, targets) if same else _encoded(found, dev_part, codecs, on_error, say)
    if not train_part or not dev_part:
        raise DataError(f"{', '.join(map(str, train_files))}: too few items that can be used; add data")
    apart = len(dev_part) if dev_part is not train_part else 0
    say(f"{len(train_part):,} items to train on" + (f", {apart:,} for dev" if apart else ""))
    if len(train_part) < FEW and init is None and data is not None and found.ships and not closed:
        say(f"few items: --init-from shipped starts from what the shipped {task} model knows")

    torch.manual_seed(seed)
    model = found.build(config, codecs)
    if found.initialise is not None:
        found.initialise(model, codecs, **options)
    if init is not None:
        fresh = transfer(model, load_weights(init.path / WEIGHTS))
        say(f"weights from {init.path}" + (f"; new: {', '.join(fresh)}" if fresh else ""))
    parameters = sum(p.numel() for p in model.parameters())
    say(f"{' and '.join(_cells(config))} model with {parameters:,} parameters; {processes}")

    whose = {
        "task": task, "config": configs.to_dict(config), "seed": seed,
        "train": identity(train_files), "dev": identity(dev_files), "items": [len(train_part), apart],
        "options": {k: identity([v]) if isinstance(v, Path) else v for k, v in options.items()},
        "init_from": init.manifest.files[WEIGHTS] if init is not None else None,
    }  # fmt: skip
    part = "dev" if apart else "train"
    weights = balanced([e.target for e in train_part], config.training.balance)
    vary = partial(_varied, found, config, codecs, train_part, inputs) if found.augment is not None else None
    draw: Callable[[Path], None]
    if closed and processes.main:
        learnt = readout.learn(
            model, inputs, targets, config.training, classes=len(codecs["target"].names),  # type: ignore[attr-defined]
            early=codecs["target"].early, weights=weights, vary=vary, seed=seed,  # type: ignore[attr-defined]
            report=lambda done, total: (report or _quiet)(Progress(step=done, steps=total)),
        )  # fmt: skip
        codecs = readout.in_no_doubt(codecs, learnt)
        round_weights(model.eval(), config.training.weights)
        if apart:
            figures = _dev_metrics(found, codecs, model, dev_part)
        else:
            part, figures = "leave_one_out", _left_out_metrics(found, codecs, learnt, train_part)
        draw = partial(readout.draw, learnt)
    elif not closed:
        folder = run_folder(out)
        run = start(model.to(processes.device), config.training)
        if resume:
            _check_same(read_identity(folder), whose, folder)
            load_run(run, folder)
            processes.wait()  # nobody writes there while another reads
            say(f"resumed at step {run.progress.step:,}")
        smoothing = config.training.label_smoothing
        named: str = codecs["target"].loss  # type: ignore[attr-defined]
        row_loss: Any = loss(named, smoothing) if named not in SEQUENCES else SEQUENCES[named]

        def judge() -> float:
            return found.score(_dev_metrics(found, codecs, model, dev_part))[1]

        if found.writes:
            begin: int = codecs["target"].start  # type: ignore[attr-defined]
            objective = unaligned(inputs, targets, start=begin, smoothing=smoothing, vary=vary)
            held_out = unaligned(*unseen, start=begin)

            # Writing every answer takes long: epochs are told apart by the log-probability of the right ones.
            def judge() -> float:
                return -mean_loss(model, held_out, config.training)

        elif named in SEQUENCES:
            objective = spelt(inputs, targets, row_loss, vary=vary)
        elif found.mapping == "aligned":
            objective = aligned(inputs, targets, row_loss, vary=vary)
        else:
            objective = many_to_one(inputs, targets, row_loss, weights=weights, vary=vary)
        progress = fit(
            run, objective, judge, config.training,
            seed=seed, report=report or _quiet,
            save=lambda run: save_run(run, folder, whose, {}) if processes.main else None, processes=processes,
        )  # fmt: skip
    if not processes.main:
        processes.wait()
        return open_checkpoint(found, out)
    if not closed:
        # What is measured is what is shipped.
        round_weights(model.cpu().eval(), config.training.weights)
        codecs = _remembering(found, config, codecs, model, train_part, inputs)
        codecs = calibrated(found, codecs, model, dev_part)
        # An item that is remembered is most like itself: where dev is what was learnt, that would say nothing.
        judged = codecs if apart else _leaning_on(codecs, None)
        figures = _dev_metrics(found, judged, model, dev_part)
        say(f"best epoch {progress.best_epoch} of {progress.epoch}")
        metric = "log_probability" if found.writes else found.score(figures)[0]
        draw = partial(_draw_curves, progress.history, metric, found.lower(metric))
    metric, value = found.score(figures)
    value = -value if found.lower(metric) else value
    shown = f"{value:.4f}" if math.isfinite(value) else "cannot be said: there is nothing to judge by"
    say(f"{part.replace('_', ' ')} {metric} {shown}")
    manifest = Manifest(
        task=task, mapping=found.mapping, config=configs.to_dict(config), cells=_cells(config),
        streams=model.causal, parameters=parameters, seed=seed, versions=_versions(),
        data={key: whose[key] for key in ("train", "dev", "items")} | ({"note": note} if note else {}),
        metrics={part: figures},
    )  # fmt: skip
    made = finish(found, model, codecs, manifest, out, inputs, draw=draw, say=say)
    processes.wait()
    return made


def finish(
    task: Task, model: Any, codecs: Codecs, manifest: Manifest, out: Path, inputs: Sequence[Any],
    *, draw: Callable[[Path], None] | None = None, say: Callable[[str], None] = lambda line: None,
    more: Mapping[str, bytes] | None = None,
) -> Checkpoint:  # fmt: skip
    """Write a trained model as a checkpoint: weights, graphs (verified on ``inputs``), codecs, card, ``more`` files.

    ``draw(file)`` draws how the training went.
    Raises SuiteError, and leaves what is at ``out`` as it is, if the graphs do not say what torch says or
    something cannot be written.
    """
    from suite.export.model_card import card
    from suite.export.onnx import export
    from suite.export.verify import verify
    from suite.nn.weights import WEIGHTS, save_weights

    files = {name: content for codec in codecs.values() for name, content in codec.files().items()}
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            save_weights(model, folder / WEIGHTS, manifest.config["training"].get("weights", "float16"))
            graphs = export(model, folder, WEIGHTS)
            unsaved = Checkpoint(folder, dataclasses.replace(manifest, files=dict.fromkeys(graphs, "")))
            try:
                worst = verify(model, unsaved, inputs)
            except SuiteError as error:
                text = str(error).replace(f"{folder}/", "")
                raise SuiteError(f"{text}; {out} was not written") from error
            say(f"ONNX graphs agree with torch to {worst:.1e} at batch sizes and lengths that were not traced")
            if draw is not None:
                draw(folder / CURVES)
            files["README.md"] = card(task, manifest, graphs).encode()
            return save(out, manifest, {**(more or {}), **files}, folder)
    except OSError as error:
        raise SuiteError(f"cannot write a checkpoint for {out}: {one_line(error)}; make room and try again") from error


def run_folder(out: Path) -> Path:
    """Where a run into ``out`` keeps what ``resume`` needs."""
    return out.with_name(f"{out.name}.run")


def _files(
    task: Task, data: Any, dev: Any, options: dict[str, Any]
) -> tuple[list[str | Path], list[str | Path], tuple[str, ...]]:
    """The files to train on and the recipe's settings: the user's, the shipped recipe's, or else labelled samples."""
    if data is not None:
        files, held = _list(data), _list(dev)
        if "-" in map(str, [*files, *held]):
            raise UsageError("training reads its files twice, so not from standard input: save it to a file first")
        return files, held, ()
    if task.recipe is None and task.labelled:
        return list(task.labelled), _list(dev), ()
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


def _list(value: Any) -> list[str | Path]:
    if value is None:
        return []
    return [value] if isinstance(value, str | Path) else list(value)


def _changed(config: Any, cell: str | None, settings: Iterable[str], epochs: int | None, bptt: int | None) -> Any:
    config = configs.override(config, settings)
    parts = configs.stacks(config)
    if cell is not None:
        config = configs.override(config, [f"{part}.cell={cell}" for part in parts])
    if epochs is not None:
        config = configs.override(config, [f"training.epochs={epochs}"])
    if bptt is not None:
        config = configs.override(config, [f"training.bptt={bptt}"])
    for part in parts:
        registry().cell(getattr(config, part).cell)  # an unknown cell is named before any data is read
    return config


def _cells(config: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(getattr(config, part).cell for part in configs.stacks(config)))


def _check_bptt(task: Task, config: Any) -> None:
    if config.training.bptt and task.mapping != "aligned":
        raise UsageError(f"--bptt cuts the sequences of aligned tasks; {task.name} is {task.mapping}: leave it out")
    if config.training.bptt and config.encoder.bidirectional:
        raise UsageError("--bptt carries state forwards, which encoder.bidirectional cannot: leave one of them out")


def _encoded(
    task: Task, examples: Sequence[Example], codecs: Codecs, on_error: Callable[[DataError], None] | None,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[list[Example], list[np.ndarray], Any]:  # fmt: skip
    """The examples that can be used, their inputs as arrays, and their targets; others are named by where they stand.

    Targets are one array ``[N, …]`` of a many-to-one task, else a list of arrays.
    """
    kept, inputs, targets = [], [], []
    for example in examples:
        try:
            (target,) = codecs["target"].encode([example.target])  # type: ignore[attr-defined]
            array = codecs["input"].encode(example.input)  # type: ignore[attr-defined]
            if (least := getattr(codecs["target"], "least", None)) is not None:
                if len(array) < least(target):
                    say(
                        f"{example.where}: left out: {len(array)} steps of input are too few for what is said to be in "
                        f"them, which takes {least(target)}; is it the right text?"
                    )
                    continue
            elif task.mapping == "aligned" and len(target) != len(array):
                raise DataError(f"{len(target)} targets for {len(array)} steps of input; give one a step")
            kept.append(example if task.check is None else task.check(example, codecs))
            inputs.append(array)
            targets.append(target)
        except DataError as error:
            named = DataError(f"{example.where}: {error}")
            if on_error is None:
                raise named from None
            on_error(named)
    return kept, inputs, np.stack(targets) if targets and task.mapping == "many-to-one" else targets


def _check_remembering(task: Task, codecs: Codecs, items: int) -> None:
    """Raise UsageError where items would be kept that no answer leans on, or too many of them."""
    from suite.decoding.reranking import MOST

    leans = any(option.name == "neighbours" for option in task.options) and hasattr(codecs["target"], "remembering")
    if task.mapping != "one-to-many" or not leans:
        raise UsageError(
            "training.remember is for one-to-many tasks that write sub-words and have suite.task.seq2seq.neighbours "
            f"among their options; {task.name} is none: leave it out"
        )
    if items > MOST:
        raise UsageError(f"training.remember keeps every item, and {items:,} are more than {MOST:,}: leave it out")


def _remembering(
    task: Task, config: Any, codecs: Codecs, model: Any, examples: Sequence[Example], inputs: Sequence[np.ndarray]
) -> Codecs:
    """The codecs with the items that answers may lean on, if they are to be kept, and without those of before."""
    if not config.training.remember:
        return _leaning_on(codecs, None)
    from suite.decoding.reranking import remember

    texts = [codecs["target"].plain(example.target) for example in examples]  # type: ignore[attr-defined]
    return _leaning_on(codecs, remember(_pipeline(task, codecs, model).runtime, inputs, texts))


def _leaning_on(codecs: Codecs, kept: Remembered | None) -> Codecs:
    """The codecs with other items to lean on, or none; those of a task that has no such thing as they are."""
    target: Any = codecs["target"]
    return {**codecs, "target": target.remembering(kept)} if hasattr(target, "remembering") else codecs


def calibrated(task: Task, codecs: Codecs, model: Any, dev: Sequence[Example]) -> Codecs:
    """The codecs with probabilities made honest on dev, where there is enough of it to say how honest they are."""
    if len(dev) < ENOUGH:
        return codecs
    if task.calibrate is not None:
        return task.calibrate(_dev_answers(task, codecs, model, dev), dev, codecs)
    if task.mapping != "many-to-one":
        return codecs
    target: Any = codecs["target"]
    outputs = _pipeline(task, codecs, model).outputs_of([example.input for example in dev])
    return {**codecs, "target": target.calibrated(outputs, target.encode([example.target for example in dev]))}


def balanced(targets: Sequence[Any], power: float) -> np.ndarray | None:
    """Weights ``[N]`` with mean 1 that count a label by its frequency to the minus ``power``; None for 0."""
    if not power or not all(isinstance(target, str) for target in targets):
        return None
    counts = Counter(targets)
    weights = np.asarray([counts[target] ** -power for target in targets], np.float32)
    weights /= weights.mean()
    return weights


def _varied(
    task: Task, config: Any, codecs: Codecs, examples: Sequence[Example], inputs: Sequence[np.ndarray], index: int,
    random: np.random.Generator,
) -> Any:  # fmt: skip
    """An item's input, changed a little by its task and encoded; of the other mappings, with its target."""
    assert task.augment is not None
    item = examples[index]
    if task.writes:
        # What is one thing is there as the model sees it; to read a picture anew takes longer than to change it.
        given = inputs[index] if task.mapping == "one-to-many" else item.input
        return task.augment((given, item.target), config, random, codecs)
    changed = task.augment(item.input, config, random, codecs)
    encoded = codecs["input"].encode(changed)  # type: ignore[attr-defined]
    if task.mapping != "aligned":
        return encoded
    # What is written is what is read: a language model's target changes with its input.
    target = changed if item.target is item.input else item.target
    (wanted,) = codecs["target"].encode([target])  # type: ignore[attr-defined]
    return encoded, wanted


def _draw_curves(history: Sequence[Mapping[str, Any]], metric: str, lower: bool, path: Path) -> None:
    from suite.plotting.charts import curves

    curves(history, metric, path, lower=lower)


def _quiet(progress: Any) -> None:
    """What reports to nobody."""


def _dev_answers(task: Task, codecs: Codecs, model: Any, dev: Sequence[Example]) -> list[Any]:
    from suite.inference.evaluation import answers

    return [result for result in answers(_pipeline(task, codecs, model), dev) if result is not None]


def _dev_metrics(task: Task, codecs: Codecs, model: Any, dev: Sequence[Example]) -> dict[str, Any]:
    return task.metrics(_dev_answers(task, codecs, model, dev), dev)


def _left_out_metrics(task: Task, codecs: Codecs, learnt: Readout, examples: Sequence[Example]) -> dict[str, Any]:
    """The figures of every item's answer by a model that was learnt without it."""
    kept = [i for i in range(len(examples)) if learnt.judged[i]]
    results = [task.read_off(learnt.outputs[i], codecs, examples[i].input) for i in kept]
    return task.metrics(results, [examples[i] for i in kept])


def _pipeline(task: Task, codecs: Codecs, model: Any) -> Pipeline:
    """The road a user takes, over the model in memory."""
    from suite.inference.pipeline import Pipeline
    from suite.runtime.torch import TorchRuntime

    return Pipeline(task, codecs, TorchRuntime.of(model), causal=model.causal)


def _check_same(saved: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    for key, value in now.items():
        if saved.get(key) != value:
            raise SuiteError(
                f"{folder}: the interrupted run had another {key}; resume it with the same options and data"
            )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("sequence-suite", "torch", "accelerate", "onnx", "onnxruntime", "numpy", "tokenizers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def export_checkpoint(
    checkpoint: Checkpoint, out: Path, say: Callable[[str], None] = lambda line: None, note: str = ""
) -> Checkpoint:
    """Write a checkpoint's graphs anew from its weights, into ``out`` (which may be the checkpoint itself).

    ``note`` takes the place of the one in its card.
    """
    try:
        from suite.nn.weights import load_model
    except ImportError as error:
        raise MissingExtra("exporting", "train", error) from error
    task = registry().task(checkpoint.manifest.task)
    _, codecs = open_config(task, checkpoint)
    model = load_model(checkpoint)
    manifest = dataclasses.replace(
        checkpoint.manifest,
        versions={**checkpoint.manifest.versions, **_versions()},
        data=checkpoint.manifest.data | ({"note": note} if note else {}),
    )
    return finish(task, model, codecs, manifest, out, (), say=say, more=checkpoint.read(CURVES))
