"""What comes next in a series of numbers, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from suite.data.readers import Row
from suite.errors import DataError, UsageError
from suite.hooks import hookimpl
from suite.nn.specs import RecurrentSpec, StepHeadSpec
from suite.task import Codecs, Column, Example, Option, Result, Task
from suite.training.specs import TrainingSpec
from suite_forecast.series import NextValue, Series, SeriesCodec, Step, mean_scaled_error, paths

api_version = 1
#: So many ways that a series may go on are drawn; eight of ten end between low and high.
DRAWN = 100


@dataclass(frozen=True)
class ForecastConfig:
    encoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(hidden=32, dropout=0.1))
    head: StepHeadSpec = field(default_factory=lambda: StepHeadSpec(dropout=0.1))
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(epochs=40, batch_size=16, lr=4e-3, ema=0.98, patience=0)
    )


@dataclass(frozen=True, kw_only=True)
class ForecastResult(Result):
    """The values that come next, and between which eight of ten are expected."""

    forecast: list[float]
    low: list[float]
    high: list[float]


def example(row: Row) -> Example:
    """A series; ``future``, where a row has it, is only for ``evaluate``."""
    values, future = row.values.get("values"), row.values.get("future")
    try:
        given = tuple(map(float, values or ()))
        tuple(map(float, future or ()))
        period = int(row.values.get("period") or 1)
    except (TypeError, ValueError):
        raise DataError(f"{row.where}: values, future or period are not numbers") from None
    if len(given) < 4 or period < 1:
        raise DataError(f"{row.where}: a series needs 4 values or more, and a period of 1 or more")
    name = str(row.values.get("series") or row.where)
    # The last value is a target alone.
    history = Series(given[:-1], period, name)
    whole = Series(given, period, name)
    return Example(input=history, target=whole, key=name, where=row.where, values={**row.values, "history": whole})


def fit(examples: Sequence[Example], config: ForecastConfig) -> dict[str, Any]:
    return {"input": SeriesCodec(), "target": NextValue()}


def build(config: ForecastConfig, codecs: Codecs) -> Any:
    from suite.nn.build import series_to_each

    return series_to_each(3, config.encoder, config.head, codecs["target"].size)  # type: ignore[attr-defined]


def adapt(codecs: Codecs, *, period: int = 0, **options: Any) -> Codecs:
    """The codecs for values that have a season of ``period``."""
    if period < 0:
        raise UsageError(f"period={period}: give a whole number from 1")
    return {**codecs, "input": SeriesCodec(period)} if period else codecs


def decode(outputs: Any, codecs: Codecs, item: Any, *, final: bool | None = None, **options: Any) -> ForecastResult:
    """The value after each step, read off outputs ``[T, 2]``."""
    steps = [item] if isinstance(item, Step) else codecs["input"].steps(item)  # type: ignore[attr-defined]
    found = np.asarray([
        [float(paths(step, row[None], np.full(1, noise))[0]) for noise in (0.0, -1.28, 1.28)]
        for step, row in zip(steps, outputs, strict=True)
    ])  # fmt: skip
    given = item.value if isinstance(item, Step) else _named(item)
    return ForecastResult(
        input=given, final=final, forecast=found[:, 0].tolist(), low=found[:, 1].tolist(), high=found[:, 2].tolist()
    )


def _named(item: Any) -> str:
    return item.name if isinstance(item, Series) and item.name else f"{len(item)} values"


def answer(
    pipeline: Any, pieces: Sequence[Any], arrays: Sequence[np.ndarray], *, horizon: int = 12, seed: int = 0,
    **options: Any,
) -> list[ForecastResult]:  # fmt: skip
    """How each series goes on: the mean path, and what is drawn around it."""
    if horizon < 1:
        raise UsageError(f"horizon={horizon}: give a whole number from 1")
    codec: SeriesCodec = pipeline.codecs["input"]
    return [_continued(pipeline, codec.opened(piece), horizon, seed) for piece in pieces]


def _continued(pipeline: Any, series: Series, horizon: int, seed: int) -> ForecastResult:
    from suite.runtime import carried
    from suite_forecast.series import Reader

    graph, random = pipeline.runtime.graph("encoder"), np.random.default_rng(seed)
    reader = Reader(series.period)
    array = np.stack([reader.read(value) for value in series.values])
    outputs = graph({"inputs": array[None], "lengths": np.asarray([len(array)]), **graph.initial(1)})
    rows = DRAWN + 1  # the first is the mean path
    state = {name: np.repeat(value, rows, axis=0) for name, value in carried(outputs).items()}
    last = np.repeat(outputs["outputs"][:, -1], rows, axis=0)
    readers = [Reader(series.period, reader.kept) for _ in range(rows)]
    found = []
    for _ in range(horizon):
        noise = np.concatenate([[0.0], random.standard_normal(DRAWN)])
        values = np.asarray([
            paths(Step(0.0, own.base, own.scale), last[i : i + 1], noise[i : i + 1])[0]
            for i, own in enumerate(readers)
        ])  # fmt: skip
        found.append(values)
        inputs = np.stack([own.read(float(value)) for own, value in zip(readers, values, strict=True)])[:, None]
        outputs = graph({"inputs": inputs, "lengths": np.ones(rows, np.int64), **state})
        state, last = carried(outputs), outputs["outputs"][:, 0]
    ways = np.stack(found)
    low, high = np.quantile(ways[:, 1:], [0.1, 0.9], axis=1)
    return ForecastResult(input=_named(series), forecast=ways[:, 0].tolist(), low=low.tolist(), high=high.tolist())


def metrics(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    """The error of the next value alone, over that of the seasonal naive forecast."""
    errors = []
    for result, item in zip(results, examples, strict=True):
        whole = item.target
        errors.append(mean_scaled_error(whole.values, whole.period, whole.values[1:], result.forecast))
    return {"items": len(errors), "mase_next": float(np.mean(errors))}


def measure(pipeline: Any, examples: Sequence[Example], **options: Any) -> dict[str, Any]:
    """MASE over the whole future of series that have one, ours and the baselines', which are fitted on the history."""
    from suite_forecast.baselines import ets, seasonal_naive

    table: dict[str, dict[str, float]] = {}
    for item in examples:
        wanted, series = item.values.get("future"), item.values["history"]
        if not wanted:
            continue
        found = {
            "ours": _continued(pipeline, series, len(wanted), 0).forecast,
            "seasonal_naive": seasonal_naive(series.values, series.period, len(wanted)),
            "ets": ets(series.values, series.period, len(wanted)),
        }
        table[series.name] = {
            name: mean_scaled_error(series.values, series.period, wanted, values) for name, values in found.items()
        }
    if not table:
        return {}
    means = {name: float(np.mean([row[name] for row in table.values()])) for name in ("ours", "seasonal_naive", "ets")}
    named = {name: row for name, row in table.items() if not name.startswith("m1-")}
    return {"mase": means, "per_series": named}


def expand(argument: str, on_error: Any = None, **options: Any) -> Iterator[tuple[str, Any]]:
    """A file of values, one a line, the first column that has numbers; or the values themselves."""
    lines = argument.split()
    if not all(_number(word) is not None for word in lines):
        if not Path(argument).is_file():
            raise DataError(f"{argument:.60}: no such file, and no numbers")
        lines = [line.split(",")[-1] for line in Path(argument).read_text(encoding="utf-8").splitlines()]
    values = [value for line in lines if (value := _number(line)) is not None]
    if not values:
        raise DataError(f"{argument:.60}: no numbers in it")
    name = f"{len(values)} values" if lines == argument.split() else argument
    yield name, Series(tuple(values), int(options.get("period") or 0) or 1, name)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def chunks(stdin: IO[bytes]) -> Iterator[Any]:
    """A line is a value."""
    for number, line in enumerate(stdin, 1):
        value = _number(line.decode("utf-8", "replace").strip())
        if value is None:
            raise DataError(f"standard input, line {number}: not a number")
        yield value


def render(result: Any) -> str:
    rows = zip(result.forecast, result.low, result.high, strict=True)
    return "\n".join([str(result.input), *(f"  {v:>12.4g}   {a:.4g} … {b:.4g}" for v, a, b in rows)])


def render_update(result: Any, before: Any = None) -> str | None:
    if result.final:
        return None
    return f"{result.input:>12.4g}   next {result.forecast[-1]:.4g}   {result.low[-1]:.4g} … {result.high[-1]:.4g}"


_PERIOD = Option(name="period", type=int, default=0, verbs=("predict", "stream"), help="values that make a season")

TASK = Task(
    name="forecast",
    summary=__doc__.splitlines()[0],
    mapping="aligned",
    config=ForecastConfig,
    result=ForecastResult,
    columns=(
        Column(name="values", help="the values in order", required=True),
        Column(name="period", help="how many of them make a season"),
        Column(name="future", help="what came next, to be judged by"),
        Column(name="series", help="its name"),
    ),
    example=example,
    expand=expand,
    codecs={"input": SeriesCodec.from_files, "target": NextValue.from_files},
    fit=fit,
    build=build,
    adapt=adapt,
    answer=answer,
    judged_by="outputs",
    decode=decode,
    metrics=metrics,
    measure=measure,
    best=("-mase_next",),
    chunks=chunks,
    options=(
        _PERIOD,
        Option(name="horizon", type=int, default=12, help="how many values to forecast"),
        Option(name="seed", type=int, default=0, help="where chance starts, of the range"),
    ),
    render=render,
    render_update=render_update,
    assets=Path(__file__).parent / "assets",
    stream_help="A line is a value; what comes next is printed after each.",
)


@hookimpl
def suite_tasks() -> list[Task]:
    return [TASK]
