"""The gesture task: what goes in, what comes out, how it streams, and how it is trained."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suite_gesture import Gesture, GestureConfig, GestureResult

import suite
from suite.checkpoint import Checkpoint
from suite.data.series import LabelledSeries, Recording
from suite.errors import DataError, UsageError
from suite.inference.pipeline import Pipeline
from suite.inference.sessions import open_session
from suite.plugins import registry
from suite.task import AnyTask
from suite.testing import check_codec, check_resume, check_task
from suite.training.train import train

Made = Callable[..., list[tuple[str, np.ndarray]]]
Cli = Callable[..., Any]
SHOWN = ["Winken", "chirp", "ramp", "step"]
TASK: AnyTask = registry().task("gesture")


@pytest.fixture(scope="module")
def classify(tiny: Path) -> Pipeline:
    return Pipeline.open("gesture", tiny)


@pytest.fixture(scope="module")
def bare_classify(bare: Path) -> Pipeline:
    return Pipeline.open("gesture", bare)


@pytest.fixture
def recording(gestures: Made) -> np.ndarray:
    return gestures(1, 9)[0][1]


@pytest.fixture
def long_one(gestures: Made) -> np.ndarray:
    """Twelve movements one after another."""
    return np.concatenate([x for _, x in gestures(12, 5)])


def csv(array: np.ndarray, header: str = "", separator: str = ",") -> str:
    rows = [separator.join("" if v != v else f"{v:.3f}" for v in row) for row in array.tolist()]
    return "\n".join([header, *rows] if header else rows) + "\n"


def trained(data: Path, out: Path, settings: list[str], **options: Any) -> tuple[Checkpoint, list[str]]:
    """A checkpoint, and what training said."""
    said: list[str] = []
    return train("gesture", data=data, out=out, settings=settings, say=said.append, **options), said


# --- results --------------------------------------------------------------------------------------------------


def test_the_declaration() -> None:
    assert type(TASK) is Gesture
    assert TASK.config() == GestureConfig()
    assert TASK.streaming is not None
    assert (TASK.mapping, TASK.streaming.unit) == ("many-to-one", "step")
    assert [c.name for c in TASK.data.columns if c.required] == ["recording"]


def test_a_result(classify: Pipeline, recording: np.ndarray) -> None:
    found = classify(recording)
    assert isinstance(found, GestureResult)
    assert found.label == "Winken" == max(found.probabilities, key=found.probabilities.__getitem__)
    assert sorted(found.probabilities) == SHOWN
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert set(found.to_dict()) == {"input", "label", "probabilities"}
    assert set(classify(recording, timing=True).to_dict()) == {"input", "label", "probabilities", "seconds"}


def test_what_may_be_given(classify: Pipeline, recording: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv(recording))
    (tmp_path / "b.csv").write_text(csv(recording[:, ::-1], "b,a"))
    wanted = classify(recording).probabilities
    given = [
        recording, recording.tolist(), recording.astype(np.float64), tmp_path / "a.csv", str(tmp_path / "a.csv"),
        tmp_path / "b.csv", Recording(array=recording), Recording(array=recording[:, ::-1], channels=("b", "a")),
        LabelledSeries(array=recording, rate=20.0, label="wave"),
    ]  # fmt: skip
    for result in classify(given):
        assert result.probabilities == pytest.approx(wanted, abs=1e-4)
    assert classify(tmp_path / "a.csv").input == str(tmp_path / "a.csv")
    assert classify(Recording(array=recording)).input == f"{len(recording)} samples"
    for nothing in (None, b"1,2"):
        with pytest.raises(DataError, match="expected a recording"):
            classify(nothing)
    assert classify({"recording": recording}).probabilities == pytest.approx(wanted, abs=1e-4)
    with pytest.raises(DataError, match=r"^the dict has no 'recording' \(.*\); known: x$"):
        classify({"x": 1})


@pytest.mark.parametrize("length", [1, 2, 3, 500])
def test_any_length_has_an_answer(classify: Pipeline, recording: np.ndarray, length: int) -> None:
    found = classify(np.resize(recording, (length, 2)))
    assert sum(found.probabilities.values()) == pytest.approx(1)


def test_missing_values_are_carried_forward(classify: Pipeline, recording: np.ndarray) -> None:
    gaps = recording.copy()
    gaps[10:13, 0] = np.nan
    filled = recording.copy()
    filled[10:13, 0] = recording[9, 0]
    assert classify(gaps).probabilities == pytest.approx(classify(filled).probabilities, abs=1e-5)


# --- options --------------------------------------------------------------------------------------------------


def test_a_recording_at_twice_the_rate(classify: Pipeline, gestures: Made) -> None:
    for _, x in gestures(8, 3):
        places = np.arange(2 * len(x) - 1) / 2
        twice = np.stack([np.interp(places, np.arange(len(x)), channel) for channel in x.T], axis=1)
        plain, said, asked = classify(x), classify(Recording(array=twice, rate=40.0)), classify(twice, rate=40)
        assert asked.label == said.label == plain.label
        assert asked.probabilities == pytest.approx(said.probabilities, abs=1e-5)
        assert asked.probabilities == pytest.approx(plain.probabilities, abs=0.2)
    # What says its own rate is believed.
    assert classify(Recording(array=x, rate=20.0), rate=40).probabilities == pytest.approx(plain.probabilities)


def test_a_stream_at_another_rate(classify: Pipeline, recording: np.ndarray) -> None:
    session = open_session(classify.model, rate=30)
    updates = [update for row in recording for update in session.feed(row)]
    assert len(updates) < len(recording)
    assert session.finish().probabilities == pytest.approx(classify(recording, rate=30).probabilities, abs=1e-4)


def test_rates_and_probabilities_are_checked(classify: Pipeline, bare_classify: Pipeline) -> None:
    for rate, said in ((0, "above 0"), (-1, "above 0"), (math.nan, "a finite number"), (math.inf, "a finite number")):
        with pytest.raises(UsageError, match=said):
            classify(np.zeros((3, 2)), rate=rate)
    with pytest.raises(UsageError, match=r"does not know the rate it was trained at.*; leave it out"):
        bare_classify(np.zeros((3, 1)), rate=20)
    probability = "give a probability, from 0 to 1"
    for sure, said in ((-0.1, probability), (1.1, probability), (math.nan, "a finite number")):
        with pytest.raises(UsageError, match=said):
            open_session(classify.model, sure=sure)


def test_a_label_is_certain_from_the_early_exit_threshold_on(classify: Pipeline, recording: np.ndarray) -> None:
    labels: Any = classify.codecs.target
    for sure in (None, 0.0, 0.6, 1.0):
        updates = open_session(classify.model, sure=sure).feed(recording)
        least = labels.sure if sure is None else sure
        assert [u.sure for u in updates] == [max(u.probabilities.values()) >= least for u in updates]
    assert 0.5 <= labels.sure <= 0.99


def test_labels_are_shown_by_their_names(tiny: Path, data: Path) -> None:
    assert Pipeline.open("gesture", tiny).codecs.target.label("wave") == "Winken"
    figures = suite.evaluate("gesture", data, checkpoint=tiny)
    assert sorted(figures["per_class"]) == SHOWN
    assert figures["accuracy"] > 0.8


# --- long recordings ------------------------------------------------------------------------------------------


def test_a_movement_has_no_segments(classify: Pipeline, gestures: Made) -> None:
    assert all(classify(x).segments is None for _, x in gestures(8, 1))


@pytest.mark.parametrize(("name", "unit"), [("classify", "s"), ("bare_classify", "samples")])
def test_segments_tile_a_long_recording(
    name: str, unit: str, request: pytest.FixtureRequest, long_one: np.ndarray
) -> None:
    pipeline: Pipeline = request.getfixturevalue(name)
    array = long_one[:, : 2 if unit == "s" else 1]
    found = pipeline(array)
    segments = found.segments
    assert segments is not None
    assert len(segments) > 3
    assert all(set(s) == {"start", "end", "label", "probability", "unit"} for s in segments)
    assert {s["unit"] for s in segments} == {unit}
    assert segments[0]["start"] == 0
    assert segments[-1]["end"] == pytest.approx(len(array) / 20 if unit == "s" else len(array), abs=1e-3)
    for before, after in pairwise(segments):
        assert before["end"] == after["start"]
        assert before["label"] != after["label"]
    assert all(0 < s["probability"] <= 1 and s["end"] > s["start"] for s in segments)
    assert all(s["label"] in found.probabilities for s in segments)


def test_the_label_of_a_long_recording_is_that_of_all_of_it(classify: Pipeline, long_one: np.ndarray) -> None:
    found = classify(long_one)
    row = classify.model.outputs_of([long_one])[0]
    wanted = TASK.decode(row, classify.codecs, long_one, final=True)
    assert found.probabilities == pytest.approx(wanted.probabilities, abs=1e-5)
    with suite.stream(classify) as session:
        session.feed(long_one)
        assert session.finish().probabilities == pytest.approx(found.probabilities, abs=1e-4)


def test_segments_follow_the_rate_of_what_is_given(classify: Pipeline, long_one: np.ndarray) -> None:
    slow, fast = classify(long_one), classify(np.repeat(long_one, 2, axis=0), rate=40)
    assert fast.segments[-1]["end"] == pytest.approx(slow.segments[-1]["end"], abs=0.1)
    assert fast.segments[0]["label"] == slow.segments[0]["label"]


def test_segments_find_the_movements(classify: Pipeline, gestures: Made) -> None:
    """One label for a while, then another: most of the time has its own label."""
    steps, waves = ([x for label, x in gestures(48, 7) if label == kind][:6] for kind in ("step", "wave"))
    found = classify(np.concatenate([*steps, *waves]))
    middle = sum(map(len, steps)) / 20
    right = sum(
        max(0.0, min(s["end"], high) - max(s["start"], low))
        for label, low, high in (("step", 0, middle), ("Winken", middle, 1e9))
        for s in found.segments
        if s["label"] == label
    )
    assert right > 0.4 * found.segments[-1]["end"]  # chance is a quarter


# --- streams --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", registry().cell_names())
def test_a_sample_at_a_time_is_the_whole_at_once(
    cell: str, data: Path, gestures: Made, tmp_path: Path, small: list[str]
) -> None:
    opened, _ = trained(data, tmp_path / "model", small, cell=cell)
    pipeline = Pipeline.open("gesture", opened.path)
    assert opened.manifest.cells == (cell,)
    for _, x in gestures(4, 2):
        session = open_session(pipeline.model)
        updates = [update for row in x for update in session.feed(row)]
        assert len(updates) == len(x)
        assert session.finish().probabilities == pytest.approx(pipeline(x).probabilities, abs=1e-4)
        rows = pipeline.model.outputs_of([x[: n + 1] for n in range(len(x))])
        for update, row in zip(updates, rows, strict=True):
            wanted = TASK.decode(row, pipeline.codecs, None, final=False)
            assert update.probabilities == pytest.approx(wanted.probabilities, abs=1e-4)


def test_a_recording_whose_channels_are_in_another_order_is_fed(classify: Pipeline, recording: np.ndarray) -> None:
    with open_session(classify.model) as session:
        session.feed(Recording(array=recording[:, ::-1], channels=("b", "a")))
        assert session.finish().probabilities == pytest.approx(classify(recording).probabilities, abs=1e-4)


def test_a_stream_on_the_command_line(cli: Cli, tiny: Path, recording: np.ndarray) -> None:
    text = csv(recording)
    ran = cli("stream", "--checkpoint", tiny, "--json", stdin=f"a,b\n{text}\n\n{text}".encode())
    assert (ran.code, ran.err) == (0, "")
    count = len(recording)
    assert [value["final"] for value in ran.values] == [*[False] * count, True] * 2
    assert [value["input"] for value in ran.values[:count]] == list(range(count))
    assert all("sure" in value for value in ran.values[:count])
    assert ran.values[count].keys() == {"input", "final", "label", "probabilities"}
    assert ran.values[: count + 1] == ran.values[count + 1 :]


def test_a_stream_follows_the_names_of_its_header(cli: Cli, tiny: Path, recording: np.ndarray) -> None:
    ours = cli("stream", "--checkpoint", tiny, "--json", stdin=csv(recording, "a,b").encode())
    turned = cli("stream", "--checkpoint", tiny, "--json", stdin=csv(recording[:, ::-1], "b,a").encode())
    assert turned.out == ours.out


def test_what_a_stream_prints_for_people(cli: Cli, tiny: Path, recording: np.ndarray) -> None:
    ran = cli("stream", "--checkpoint", tiny, stdin=csv(recording, "a,b").encode())
    last = [line for line in ran.lines if line][-1]
    assert last.startswith("──")
    assert "Winken" in last
    assert all(line.startswith("sample ") for line in ran.lines if line and line != last)
    everything = cli("stream", "--checkpoint", tiny, "--json", stdin=csv(recording).encode())
    labels = [value["label"] for value in everything.values]
    changes = 1 + sum(a != b for a, b in pairwise(labels[:-1]))
    sure = sum(a["sure"] != b["sure"] for a, b in pairwise(everything.values[:-1]))
    assert 1 < len([line for line in ran.lines if line]) <= changes + sure + 1


def test_printed_updates() -> None:
    def update(label: str, p: float, sure: bool, final: bool = False) -> GestureResult:
        return GestureResult(input=41, final=final, label=label, probabilities={label: p, "other": 1 - p}, sure=sure)

    printed = TASK.render_update
    assert printed(update("a", 0.4, False), None) is None
    first = printed(update("a", 0.6, False), None)
    assert first == f"sample 42       {'a':<16}  [a 0.60  other 0.40]"
    assert printed(update("a", 0.7, False), update("a", 0.6, False)) is None
    assert str(printed(update("a", 0.95, True), update("a", 0.6, False))).endswith("  certain from here")
    assert printed(update("a", 0.6, False), update("a", 0.95, True)) is None  # it may waver a little
    assert str(printed(update("a", 0.4, False), update("a", 0.95, True))).endswith("  uncertain again")
    assert str(printed(update("b", 0.4, False), update("a", 0.95, True))).endswith("  uncertain again")
    assert str(printed(update("a", 0.6, True, final=True), None)).endswith("[a 0.60  other 0.40]\n")


def test_a_recording_is_printed_with_its_segments(classify: Pipeline, bare_classify: Pipeline) -> None:
    segments = [
        {"start": 0.0, "end": 2.45, "label": "a", "probability": 0.5, "unit": "s"},
        {"start": 2.45, "end": 10.0, "label": "b", "probability": 0.75, "unit": "s"},
    ]
    made = GestureResult(input="x.csv", label="b", probabilities={"a": 0.25, "b": 0.75}, segments=segments)
    first, second, third = TASK.render(made).splitlines()
    assert first.split() == ["b", "[b", "0.75", "a", "0.25]", "x.csv"]
    assert second.split() == ["0", "to", "2.45", "s", "a", "0.50"]
    assert third.split() == ["2.45", "to", "10", "s", "b", "0.75"]


# --- files ----------------------------------------------------------------------------------------------------


def test_predict_reads_every_form(cli: Cli, tiny: Path, recording: np.ndarray, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text(csv(recording))
    (folder / "b.csv").write_text(csv(recording, "a,b"))
    (folder / "c.tsv").write_text(csv(recording, separator="\t"))
    np.savez(folder / "d.npz", x=recording, rate=20.0, channels=["a", "b"])
    np.save(folder / "e.npy", recording)
    (folder / "f.ts").write_text("@univariate false\n@classLabel false\n@data\n"
                                 + ":".join(",".join(map(str, c)) for c in recording.T.tolist()))  # fmt: skip
    (folder / "g.jsonl").write_text(json.dumps({"x": recording.tolist()}) + "\n")
    ran = cli("predict", "--checkpoint", tiny, "--json", *sorted(folder.iterdir()))
    assert (ran.code, ran.err) == (0, "")
    assert [Path(value["input"]).name for value in ran.values] == [
        "a.csv", "b.csv", "c.tsv", "d.npz", "e.npy", "f.ts:4", "g.jsonl:1"
    ]  # fmt: skip
    for value in ran.values:
        assert value["probabilities"] == pytest.approx(ran.values[0]["probabilities"], abs=1e-3)
    everything = cli("predict", "--checkpoint", tiny, folder, "--json")
    assert everything.out == ran.out
    listed = "".join(f"{path.name}\n\n" for path in sorted(folder.iterdir()))
    (folder / "list.txt").write_text(listed)
    assert cli("predict", "--checkpoint", tiny, "--json", "--input", folder / "list.txt").out == ran.out
    paths = "".join(f"{folder / line}\n" for line in listed.split())
    assert cli("predict", "--checkpoint", tiny, "--json", stdin=paths.encode()).out == ran.out
    (one,) = cli("predict", "--checkpoint", tiny, "--json", "--input", folder / "a.csv").values
    assert one["input"] == ran.values[0]["input"]
    assert one["probabilities"] == pytest.approx(ran.values[0]["probabilities"], abs=1e-4)


def test_recordings_beside_sub_folders_are_read(cli: Cli, tiny: Path, recording: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "in" / "more").mkdir(parents=True)
    for name in ("a.csv", "more/b.csv"):
        (tmp_path / "in" / name).write_text(csv(recording))
    (tmp_path / "in" / "README.md").write_text("about these")
    ran = cli("predict", "--checkpoint", tiny, "in")
    assert ran.code == 0
    assert [line.split()[-1] for line in ran.lines] == ["in/a.csv", "in/more/b.csv"]


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_pictures(cli: Cli, verb: str, tiny: Path, data: Path, tmp_path: Path) -> None:
    from PIL import Image

    given = [data] if verb == "predict" else ["--data", data]
    ran = cli(verb, "--checkpoint", tiny, *given, "--plot", "x.png")
    assert (ran.code, ran.error if ran.code else ran.err) == (0, "drawn: x.png\n")
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.format == "PNG"
        assert all(200 <= side <= 3000 for side in picture.size)


def test_a_picture_of_odd_recordings(classify: Pipeline, long_one: np.ndarray, tmp_path: Path) -> None:
    given = [long_one[:1], np.ones((40, 2)), np.resize(long_one, (5000, 2)), Recording(array=long_one, rate=50.0)]
    TASK.plot(classify.model, given, classify(given), tmp_path / "odd.png")
    assert (tmp_path / "odd.png").stat().st_size > 10_000


def test_evaluation(cli: Cli, tiny: Path, data: Path) -> None:
    ran = cli("evaluate", "--checkpoint", tiny, "--data", data, "--json")
    (figures,) = ran.values
    assert {"task", "checkpoint", "items", "seconds", "items_per_second", "accuracy", "macro_f1", "per_class",
            "accuracy_at"} == set(figures)  # fmt: skip
    assert (figures["task"], figures["items"]) == ("gesture", 24)
    assert list(figures["accuracy_at"]) == ["25", "50", "75", "100"]
    assert figures["accuracy_at"]["100"] == figures["accuracy"]
    assert figures["accuracy_at"]["25"] < figures["accuracy_at"]["100"]
    assert {name: group["items"] for name, group in figures["per_class"].items()} == dict.fromkeys(SHOWN, 6)
    for_people = cli("evaluate", "--checkpoint", tiny, "--data", data)
    assert [line.split()[0] for line in for_people.lines[-4:]] == ["25", "50", "75", "100"]


def test_recordings_that_begin_with_nothing(
    cli: Cli, tiny: Path, gestures: Made, as_lines: Any, tmp_path: Path
) -> None:
    rows = gestures(4, 4)
    for label, x in rows:
        x[: len(x) // 3] = np.nan
        if label == "ramp":
            x[:, 1] = np.nan
    (tmp_path / "late.jsonl").write_text(as_lines(rows))
    ran = cli("evaluate", "--checkpoint", tiny, "--data", "late.jsonl", "--json")
    assert (ran.code, ran.err, ran.values[0]["items"]) == (0, "", 4)


def test_a_label_may_be_given_by_its_name(cli: Cli, tiny: Path, gestures: Made, as_lines: Any, tmp_path: Path) -> None:
    rows = [("Winken" if label == "wave" else label, x) for label, x in gestures(8, 4)]
    (tmp_path / "shown.jsonl").write_text(as_lines(rows))
    (figures,) = cli("evaluate", "--checkpoint", tiny, "--data", "shown.jsonl", "--json").values
    assert figures["per_class"]["Winken"]["items"] == 2


def test_info_and_export(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    (values,) = cli("info", "--checkpoint", tiny, "--json").values
    assert values["task"] == "gesture"
    assert values["streams"]
    assert values["metrics"]["leave_one_out"]["accuracy"] > 0.8
    shown = cli("info", "--checkpoint", tiny)
    assert "leave_one_out" in shown.out
    assert max(map(len, shown.out.splitlines())) < 200
    assert cli("export", "--checkpoint", tiny, "--out", "again").code == 0
    for name in ("model.safetensors", "series.json", "target.json", "curves.png"):
        assert (tmp_path / "again" / name).read_bytes() == (tiny / name).read_bytes()


# --- training -------------------------------------------------------------------------------------------------


def as_ts(rows: list[tuple[str, np.ndarray]], place: Path) -> Path:
    lines = [":".join([*(",".join(map(str, c)) for c in x.T.tolist()), label]) for label, x in rows]
    head = "@univariate false\n@dimensions 2\n@equalLength false\n@classLabel true wave chirp step ramp\n@data\n"
    (place / "a.ts").write_text(head + "\n".join(lines))
    return place / "a.ts"


def as_folder(rows: list[tuple[str, np.ndarray]], place: Path) -> Path:
    for number, (label, x) in enumerate(rows):
        folder = place / "recordings" / label
        folder.mkdir(parents=True, exist_ok=True)
        if number % 2:
            np.savez(folder / f"{number:02}.npz", x=x)
        else:
            (folder / f"{number:02}.csv").write_text(csv(x, "a,b"))
    return place / "recordings"


def as_long(rows: list[tuple[str, np.ndarray]], place: Path) -> Path:
    lines = [f"{i},{j / 20},{label},{a},{b}" for i, (label, x) in enumerate(rows) for j, (a, b) in enumerate(x)]
    (place / "long.csv").write_text("\n".join(["series,time,label,a,b", *lines]))
    return place / "long.csv"


def as_wide(rows: list[tuple[str, np.ndarray]], place: Path) -> Path:
    head = ",".join(["label", *map(str, range(60))])
    (place / "wide.csv").write_text(
        "\n".join([head, *(",".join([label, *map(str, x[:, 0].tolist())]) for label, x in rows)])
    )
    return place / "wide.csv"


@pytest.mark.parametrize(
    ("write", "channels", "rate"),
    [(as_ts, ("1", "2"), None), (as_folder, ("a", "b"), None), (as_long, ("a", "b"), 20.0), (as_wide, ("1",), None)],
)
def test_training_from_every_form(
    write: Any, channels: Any, rate: Any, cli: Cli, gestures: Made, small: list[str], tmp_path: Path
) -> None:
    path = write(gestures(24, 0), tmp_path)
    settings = [f"--set={setting}" for setting in small]
    ran = cli("train", "--data", path, "--out", "model", *settings)
    assert ran.code == 0, ran.err
    assert "24 items to train on" in ran.err
    values = json.loads((tmp_path / "model" / "series.json").read_text())
    assert (tuple(values["channels"]), values["rate"]) == (channels, rate)
    (figures,) = cli("evaluate", "--checkpoint", "model", "--data", path, "--json").values
    assert (figures["items"], figures["accuracy"] > 0.8) == (24, True)
    assert list(Checkpoint.open(tmp_path / "model").manifest.data["train"]) == [path.name]


def test_options_of_training(cli: Cli, gestures: Made, small: list[str], tmp_path: Path) -> None:
    rows = [("ja" if label in ("wave", "chirp") else "nein", x) for label, x in gestures(12, 0)]
    path = as_long(rows, tmp_path)
    path.write_text(path.read_text().replace("series,time,label", "take,t,word", 1).replace("ja,", "1,"))
    (tmp_path / "names.json").write_text('\ufeff{"1": "ja", "nein": "no"}')
    ran = cli(
        "train", "--data", path, "--out", "model", "--columns", "series=take,label=word", "--names", "names.json",
        "--rate", "25", *(f"--set={setting}" for setting in small),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    made = Pipeline.open("gesture", tmp_path / "model")
    codec: Any = made.codecs.input
    # Without a column called time nothing in the file says the rate, and t is a channel like the others.
    assert (codec.rate, codec.channels) == (25, ("t", "a", "b"))
    assert made.codecs.target.labels == ("ja", "no")


def test_uneven_labels_and_missing_values(gestures: Made, as_lines: Any, small: list[str], tmp_path: Path) -> None:
    rows = gestures(48, 0)
    kept = [(label, x) for i, (label, x) in enumerate(rows) if label != "step" or i < 12]
    random = np.random.default_rng(0)
    gaps = [(label, np.where(random.random(x.shape) < 0.15, np.nan, x)) for label, x in kept]
    (tmp_path / "a.jsonl").write_text(as_lines(gaps))
    made, said = trained(tmp_path / "a.jsonl", tmp_path / "model", small)
    assert any(line.startswith("labels have 3 to 12 recordings: rare ones count for more") for line in said)
    assert any("of the values are missing: the last one known is taken" in line for line in said)
    pipeline = Pipeline.open("gesture", made.path)
    codec: Any = pipeline.codecs.input
    assert codec.masked == (True, True)
    found = pipeline([x for _, x in gestures(40, 1)])
    truth = [label for label, _ in gestures(40, 1)]
    assert np.mean([r.label == label for r, label in zip(found, truth, strict=True)]) > 0.8


def test_what_a_user_is_told_of_the_data(gestures: Made, as_lines: Any, small: list[str], tmp_path: Path) -> None:
    rows = [*gestures(8, 0), ("rare", gestures(1, 1)[0][1])]
    rows = [(label, np.concatenate([x, np.ones((len(x), 1))], axis=1)) for label, x in rows]
    rates = [10.0, 20.0, 20.0, None, 40.0, 20.0, 20.0, 20.0, 20.0]
    lines = (as_lines([row], rate=rate) for row, rate in zip(rows, rates, strict=True))
    (tmp_path / "a.jsonl").write_text("".join(lines))
    made, said = trained(tmp_path / "a.jsonl", tmp_path / "model", small, note="For four movements.")
    assert made.manifest.data["note"] == "For four movements."
    assert said[:4] == [
        "recordings come at 10, 20, 40 samples a second: all are brought to 20",
        "1 recordings do not say their rate: 20 samples a second is taken",
        "one recording only of rare: the figures leave these out; record more",
        "channel 3 never changes: it says nothing",
    ]


def test_one_recording_of_each_label_is_enough_to_train(
    gestures: Made, as_lines: Any, small: list[str], tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(as_lines(gestures(4, 0)))
    made, said = trained(tmp_path / "a.jsonl", tmp_path / "model", small)
    assert "one recording only of chirp, ramp, step, wave: the figures leave these out; record more" in said
    assert "leave one out accuracy cannot be computed from these items" in said
    assert Pipeline.open("gesture", made.path)(gestures(1, 0)[0][1]).label == "wave"


def test_the_seed_decides_everything(data: Path, small: list[str], tmp_path: Path, tiny: Path) -> None:
    weights = []
    for number, seed in enumerate((0, 0, 1)):
        made, _ = trained(data, tmp_path / f"model{number}", small, seed=seed)
        weights.append((made.path / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]
    assert (tiny / "model.safetensors").read_bytes() == weights[0]


def test_forty_recordings_are_enough(cli: Cli, gestures: Made, as_lines: Any, tmp_path: Path) -> None:
    """The defaults, with nothing but ``--data``."""
    (tmp_path / "train.jsonl").write_text(as_lines(gestures(40, 0)))
    (tmp_path / "test.jsonl").write_text(as_lines(gestures(60, 1)))
    assert cli("train", "--data", "train.jsonl").code == 0
    ran = cli("evaluate", "--checkpoint", "gesture-checkpoint", "--data", "test.jsonl", "--json")
    assert ran.values[0]["accuracy"] > 0.9
    assert ran.values[0]["accuracy_at"]["75"] > 0.8
    (info,) = cli("info", "--checkpoint", "gesture-checkpoint", "--json").values
    assert info["metrics"]["leave_one_out"]["accuracy"] > 0.9


def test_a_folder_is_known_again_by_what_is_in_it(gestures: Made, small: list[str], tmp_path: Path) -> None:
    path = as_folder(gestures(8, 0), tmp_path)
    before = trained(path, tmp_path / "one", small)[0].manifest.data["train"]
    assert trained(path, tmp_path / "two", small)[0].manifest.data["train"] == before
    np.savez(path / "step" / "more.npz", x=gestures(3, 1)[2][1])
    assert trained(path, tmp_path / "three", small)[0].manifest.data["train"] != before


def test_learning_by_gradient(cli: Cli, data: Path, tmp_path: Path) -> None:
    settings = ["--set=training.method=gradient", "--set=encoder.hidden=8"]
    ran = cli("train", "--data", data, "--out", "model", "--epochs", "2", *settings)
    assert ran.code == 0, ran.err
    assert "epoch 2: loss" in ran.err
    manifest = Checkpoint.open(tmp_path / "model").manifest
    assert manifest.config["training"]["epochs"] == 2
    assert list(manifest.metrics) == ["train"]  # nothing is held out
    values = cli("stream", "--checkpoint", "model", "--json", stdin=b"1,2\n3,4\n").values
    assert values[1]["probabilities"] == pytest.approx(values[2]["probabilities"])  # one head, the end is no event


def test_learning_by_gradient_resumes(data: Path, tmp_path: Path) -> None:
    settings = ["training.method=gradient", "encoder.hidden=8", "training.batch_size=12"]
    check_resume(TASK, data, tmp_path, settings=settings, epochs=2, stops=[1, 3])


@pytest.mark.parametrize("option", [["--epochs", "2"], ["--resume"]])
def test_the_readout_has_no_epochs(cli: Cli, data: Path, option: list[str], tmp_path: Path) -> None:
    ran = cli("train", "--data", data, *option)
    assert ran.code == 2
    assert ran.error.startswith(f"suite: {option[0]}: training.method=readout is fitted in one step; ")
    assert not list(tmp_path.iterdir())


# --- the laws -------------------------------------------------------------------------------------------------


def test_the_laws_of_tasks(tiny: Path, gestures: Made) -> None:
    gaps = gestures(3, 6)[2][1].copy()
    gaps[4:9, 1] = np.nan
    given = [*(x for _, x in gestures(3, 6)), gaps, gaps[:1], gaps[:2], gaps[:11]]
    assert check_task(TASK, checkpoint=tiny, inputs=given) == []


def test_the_laws_of_codecs(classify: Pipeline, gestures: Made) -> None:
    check_codec(classify.codecs.input, [x for _, x in gestures(2, 6)])
    check_codec(classify.codecs.target, ["wave", "Winken", "step"])
