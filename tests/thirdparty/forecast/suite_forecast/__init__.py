"""Forecast time series, with prediction intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import DataError
from suite.hooks import hookimpl
from suite.nn.specs import RecurrentSpec, StepHeadSpec
from suite.task import AlignedTask, Codecs, Column, DataSpec, Example, Monitor, Option, Result, Streaming
from suite.training.specs import TrainingSpec
from suite_forecast.series import (
    NextValue,
    Reader,
    Series,
    SeriesCodec,
    Step,
    ValueParser,
    mean_scaled_error,
    number,
    paths,
)

if TYPE_CHECKING:
    from suite.data.readers import Row
    from suite.inference.model import LoadedModel
    from suite.nn.models import Model

api_version = 2
#: Sampled futures; 80% of them end between low and high.
SAMPLES = 100
#: Values that a session is fed at a time when a whole series is streamed.
PIECE = 5


@dataclass(frozen=True)
class ForecastConfig:
    encoder: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(hidden=32, dropout=0.1))
    head: StepHeadSpec = field(default_factory=lambda: StepHeadSpec(dropout=0.1))
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(epochs=40, batch_size=16, lr=4e-3, ema=0.98, patience=0)
    )


@dataclass(frozen=True, kw_only=True)
class ForecastResult(Result):
    """The next values, and the bounds of their 80% prediction intervals."""

    forecast: list[float]
    low: list[float]
    high: list[float]


ForecastCodecs = Codecs[SeriesCodec, NextValue]


class Forecast(AlignedTask[ForecastConfig, SeriesCodec, NextValue, ForecastResult]):
    """Forecast time series, with prediction intervals."""

    name = "forecast"
    config = ForecastConfig
    result = ForecastResult
    input_codec = SeriesCodec
    target_codec = NextValue
    data = DataSpec(
        columns=(
            Column(name="values", help="the values in order", required=True),
            Column(name="period", help="the length of a season"),
            Column(name="future", help="the values after them, for evaluate"),
            Column(name="series", help="its name"),
        ),
        inputs="files",
    )
    monitor = (Monitor(metric="mase_next", mode="min"),)
    streaming = Streaming(parser=ValueParser, help="A line is a value; a forecast of the next is printed after each.")
    options = (
        Option(
            name="period", type=int, default=0, minimum=0, verbs=("predict", "stream"),
            help="length of a season in values",
        ),
        Option(name="horizon", type=int, default=12, minimum=1, help="number of values to forecast"),
        Option(name="seed", type=int, default=0, minimum=0, help="random seed of the prediction intervals"),
    )  # fmt: skip
    assets = Path(__file__).parent / "assets"

    def example(self, row: Row) -> Example:
        """A series; ``future`` is only for ``evaluate``."""
        values, future = row.values.get("values"), row.values.get("future")
        try:
            given = tuple(map(float, values or ()))
            tuple(map(float, future or ()))
            period = int(row.values.get("period") or 1)
        except (TypeError, ValueError):
            raise DataError(f"{row.where}: values, future or period are not numbers") from None
        if len(given) < 4 or period < 1:
            raise DataError(f"{row.where}: a series needs at least 4 values, and a period of at least 1")
        name = str(row.values.get("series") or row.where)
        # The last value is a target alone.
        history, whole = Series(given[:-1], period, name), Series(given, period, name)
        return Example(input=history, target=whole, key=name, where=row.where, values={**row.values, "history": whole})

    def expand_inputs(
        self, argument: str, on_error: Callable[[DataError], None] | None = None, **options: Any
    ) -> Iterator[tuple[str, Any]]:
        """A file of values, one a line, the last column if there are several; or the values themselves."""
        lines = argument.split()
        if not all(number(word) is not None for word in lines):
            if not Path(argument).is_file():
                raise DataError(f"{argument:.60}: no such file, and not numbers")
            lines = [line.split(",")[-1] for line in Path(argument).read_text(encoding="utf-8").splitlines()]
        values = [value for line in lines if (value := number(line)) is not None]
        if not values:
            raise DataError(f"{argument:.60}: no numbers in it")
        name = f"{len(values)} values" if lines == argument.split() else argument
        yield name, Series(tuple(values), int(options.get("period") or 0) or 1, name)

    def stream_pieces(self, item: Any, codecs: ForecastCodecs, **options: Any) -> Iterator[Series]:
        series = codecs.input.opened(item)
        for start in range(0, len(series), PIECE):
            yield Series(series.values[start : start + PIECE], series.period, series.name)

    def fit_codecs(self, examples: Sequence[Example], config: ForecastConfig, **options: Any) -> ForecastCodecs:
        return Codecs(SeriesCodec(), NextValue())

    def build_model(self, config: ForecastConfig, codecs: ForecastCodecs) -> Model:
        from suite.nn.build import series_to_each

        return series_to_each(3, config.encoder, config.head, codecs.target.size)

    def configure_codecs(self, codecs: ForecastCodecs, *, period: int = 0, **options: Any) -> ForecastCodecs:
        """The codecs for values with a season of ``period``."""
        return codecs.replace(input=SeriesCodec(period)) if period else codecs

    def decode(
        self, outputs: np.ndarray, codecs: ForecastCodecs, item: Any, *, final: bool | None = None, **options: Any
    ) -> ForecastResult:
        """The value after each step, from outputs ``[T, 2]``."""
        streamed = isinstance(item, dict)
        steps = [Step(**item)] if streamed else codecs.input.steps(item)
        found = np.asarray([
            [float(paths(step, row[None], np.full(1, noise))[0]) for noise in (0.0, -1.28, 1.28)]
            for step, row in zip(steps, outputs, strict=True)
        ])  # fmt: skip
        forecast, low, high = found.T.tolist()
        given = item["value"] if streamed else _named(item)
        return ForecastResult(input=given, final=final, forecast=forecast, low=low, high=high)

    def predict(
        self, model: LoadedModel[SeriesCodec, NextValue], pieces: Sequence[Any], arrays: Sequence[np.ndarray], *,
        horizon: int = 12, seed: int = 0, **options: Any,
    ) -> list[ForecastResult]:  # fmt: skip
        """The mean path after each series, and the interval of sampled ones."""
        return [_continued(model, model.codecs.input.opened(piece), horizon, seed) for piece in pieces]

    def predict_for_evaluation(
        self, model: LoadedModel[SeriesCodec, NextValue], pieces: Sequence[Any], arrays: Sequence[np.ndarray],
        **options: Any,
    ) -> Sequence[Result]:  # fmt: skip
        """The next value after each step."""
        return super().predict(model, pieces, arrays)

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        """The error of the next value, over that of the seasonal naive forecast."""
        errors = []
        for result, item in zip(results, examples, strict=True):
            whole = item.target
            errors.append(mean_scaled_error(whole.values, whole.period, whole.values[1:], result.forecast))
        return {"items": len(errors), "mase_next": float(np.mean(errors))}

    def extra_metrics(
        self, model: LoadedModel[SeriesCodec, NextValue], examples: Sequence[Example], **options: Any
    ) -> dict[str, Any]:
        """MASE over the future of each series that has one: this model's, and of baselines fitted on the history."""
        from suite_forecast.baselines import ets, seasonal_naive

        table: dict[str, dict[str, float]] = {}
        for item in examples:
            wanted, series = item.values.get("future"), item.values["history"]
            if not wanted:
                continue
            found: dict[str, Sequence[float]] = {
                "ours": _continued(model, series, len(wanted), 0).forecast,
                "seasonal_naive": seasonal_naive(series.values, series.period, len(wanted)).tolist(),
                "ets": ets(series.values, series.period, len(wanted)).tolist(),
            }
            table[series.name] = {
                name: mean_scaled_error(series.values, series.period, wanted, values) for name, values in found.items()
            }
        if not table:
            return {}
        means = {
            name: float(np.mean([row[name] for row in table.values()])) for name in ("ours", "seasonal_naive", "ets")
        }
        return {"mase": means, "per_series": {n: row for n, row in table.items() if not n.startswith("m1-")}}

    def render(self, result: Any) -> str:
        rows = zip(result.forecast, result.low, result.high, strict=True)
        return "\n".join([str(result.input), *(f"  {v:>12.4g}   {a:.4g} … {b:.4g}" for v, a, b in rows)])

    def render_update(self, result: Any, previous: Any) -> str | None:
        if result.final:
            return None
        interval = f"{result.low[-1]:.4g} … {result.high[-1]:.4g}"
        return f"{result.input:>12.4g}   next {result.forecast[-1]:.4g}   {interval}"


def _named(item: Any) -> str:
    return item.name if isinstance(item, Series) and item.name else f"{len(item)} values"


def _continued(
    model: LoadedModel[SeriesCodec, NextValue], series: Series, horizon: int, seed: int
) -> ForecastResult:  # fmt: skip
    """The values after a series: one path without noise, and the interval of sampled ones."""
    from suite.runtime import carried

    graph, random = model.runtime.graph("encoder"), np.random.default_rng(seed)
    reader = Reader(series.period)
    array = np.stack([reader.read(value) for value in series.values])
    outputs = graph({"inputs": array[None], "lengths": np.asarray([len(array)]), **graph.initial(1)})
    rows = SAMPLES + 1  # the first is the mean path
    state = {name: np.repeat(value, rows, axis=0) for name, value in carried(outputs).items()}
    last = np.repeat(outputs["outputs"][:, -1], rows, axis=0)
    readers = [Reader(series.period, reader.kept) for _ in range(rows)]
    found = []
    for _ in range(horizon):
        noise = np.concatenate([[0.0], random.standard_normal(SAMPLES)])
        values = np.asarray([
            paths(Step(0.0, own.base, own.scale), last[i : i + 1], noise[i : i + 1])[0]
            for i, own in enumerate(readers)
        ])  # fmt: skip
        found.append(values)
        inputs = np.stack([own.read(float(value)) for own, value in zip(readers, values, strict=True)])[:, None]
        outputs = graph({"inputs": inputs, "lengths": np.ones(rows, np.int64), **state})
        state, last = carried(outputs), outputs["outputs"][:, 0]
    sampled = np.stack(found)
    low, high = np.quantile(sampled[:, 1:], [0.1, 0.9], axis=1)
    return ForecastResult(input=_named(series), forecast=sampled[:, 0].tolist(), low=low.tolist(), high=high.tolist())


@hookimpl
def suite_tasks() -> list[type[Forecast]]:
    return [Forecast]
