"""The series codec: recordings to features, whole and in pieces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.codecs.series import SeriesCodec, SeriesSpec
from suite.data.resampling import resample_series
from suite.data.series import Recording
from suite.errors import CheckpointError, DataError, UsageError


def recordings(missing: bool = False, rate: float | None = None) -> list[Recording]:
    random = np.random.default_rng(0)
    found = []
    for steps in (5, 1, 40, 17):
        x = (random.normal(size=(steps, 3)) * [1, 10, 0.1] + [5, -3, 0]).astype(np.float32)
        if missing:
            x[random.random((steps, 3)) < 0.2] = np.nan
            x[:, 2] = 1
        found.append(Recording(array=x, rate=rate, channels=("a", "b", "c")))
    return found


def fed(codec: SeriesCodec, x: np.ndarray, cuts: list[int], save: bool = False) -> np.ndarray:
    """The features of ``x`` fed in pieces, the feeder saved as JSON between them if asked for."""
    feeder = codec.incremental()
    steps = []
    for piece in np.split(x, sorted(cuts)):
        steps += feeder.feed(piece)
        if save:
            feeder = codec.incremental(json.loads(json.dumps(feeder.pending)))
    steps += feeder.flush()
    assert [number for number, _ in steps] == list(range(len(steps)))
    return np.concatenate([step for _, step in steps])


def test_features_are_standardised() -> None:
    given_ = recordings()
    codec = SeriesCodec.fit(given_)
    encoded = [codec.encode(r) for r in given_]
    together = np.concatenate(encoded)
    assert together.dtype == np.float32
    assert together.shape[1] == codec.size == 7
    np.testing.assert_allclose(together[:, :3].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(together[:, :3].std(axis=0), 1, atol=1e-5)
    moved = np.concatenate([e[1:, 3:6] for e in encoded])
    np.testing.assert_allclose((moved - moved.mean(axis=0)).std(axis=0), 1, atol=1e-4)
    assert all((e[0, 3:6] == 0).all() for e in encoded)


def test_without_normalisation_a_recording_is_itself() -> None:
    x = recordings()[0].array
    codec = SeriesCodec.fit([x], SeriesSpec(normalise="none", derivatives=2, clip=1000, clock=False))
    found = codec.encode(x)
    np.testing.assert_array_equal(found[:, :3], x)
    np.testing.assert_allclose(found[1:, 3:6], np.diff(x, axis=0))
    np.testing.assert_allclose(found[2:, 6:], np.diff(x, n=2, axis=0), atol=1e-6)


def test_missing_values_are_carried_forward_and_marked() -> None:
    x = np.array([[np.nan, 1], [2, 1], [np.nan, 1], [np.nan, 1], [5, 1]], dtype=np.float32)
    codec = SeriesCodec.fit([x], SeriesSpec(derivatives=0, clock=False))
    found = codec.encode(x)
    assert found.shape == (5, 3)  # the second channel never lacks a value, and has no mark
    assert found[:, 2].tolist() == [1, 0, 1, 1, 0]
    assert found[0, 0] == 0  # nothing to carry yet: the mean
    assert found[1, 0] == found[2, 0] == found[3, 0] < found[4, 0]


def test_a_channel_that_stands_still_divides_by_nothing() -> None:
    x = np.array([[9.81], [9.81], [9.81]], dtype=np.float32)
    codec = SeriesCodec.fit([x])
    assert codec.scales == ((1,), (1,))
    np.testing.assert_allclose(codec.encode(x)[:, :2], 0, atol=1e-6)
    assert np.isfinite(codec.encode(np.array([1e30, -1e30]))).all()


@settings(deadline=None, max_examples=100)
@given(
    cuts=st.lists(st.integers(0, 40), max_size=8),
    missing=st.booleans(),
    save=st.booleans(),
    derivatives=st.integers(0, 2),
    rate=st.sampled_from([None, 20.0, 50.0, 77.0]),
)
def test_pieces_give_identical_features(
    cuts: list[int], missing: bool, save: bool, derivatives: int, rate: float | None
) -> None:
    given_ = recordings(missing, 50.0)
    codec = SeriesCodec.fit(given_, SeriesSpec(derivatives=derivatives))
    if rate is not None:
        codec = codec.at(rate)
    x = given_[2].array
    np.testing.assert_array_equal(fed(codec, x, cuts, save), codec.encode(x))


def test_a_sample_at_a_time() -> None:
    codec = SeriesCodec.fit(recordings())
    x = recordings()[2].array
    np.testing.assert_array_equal(fed(codec, x, list(range(1, 40))), codec.encode(x))
    feeder = codec.incremental()
    np.testing.assert_array_equal(
        np.concatenate([feeder.feed(list(map(float, row)))[0][1] for row in x]), codec.encode(x)
    )
    single = SeriesCodec.fit([x[:, 0]])
    assert len(single.incremental().feed([1.0, None, 3.0])) == 3


def test_nothing_is_pending_before_the_first_sample() -> None:
    feeder = SeriesCodec.fit(recordings()).incremental()
    assert feeder.pending is None
    assert feeder.feed(np.zeros((0, 3))) == []
    assert feeder.flush() == []
    assert feeder.pending is None


def test_the_clock_stays_in_bounds() -> None:
    codec = SeriesCodec.fit([np.zeros((9, 1)), np.zeros((10, 1)), np.zeros((99, 1))])
    clock = codec.encode(np.zeros((100_000, 1)))[:, -1]
    assert clock[9] == 0  # as long as the median of the training data
    assert (np.diff(clock[:1000]) > 0).all()
    assert -2 < clock[0] < clock[-1] <= 2


def test_no_step_looks_ahead() -> None:
    codec = SeriesCodec.fit(recordings(missing=True))
    x = recordings(missing=True)[2].array
    np.testing.assert_array_equal(codec.encode(x)[:20], codec.encode(x[:20]))


def test_files() -> None:
    codec = SeriesCodec.fit(recordings(missing=True, rate=50.0), SeriesSpec(derivatives=2))
    again = SeriesCodec.from_files(codec.files())
    assert again == codec
    np.testing.assert_array_equal(again.encode(recordings()[0]), codec.encode(recordings()[0]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"more": 1}, "expected"),
        ({"series": {"clipp": 1}}, "no such setting"),
        ({"mean": ["a", "b", "c"]}, "not numbers"),
        ({"mean": [1.0]}, "not figures for 3 channels"),
        ({"scales": [[1, 1, 1]]}, "not figures for 3 channels"),
        ({"scales": [[1, 1, 0], [1, 1, 1]]}, "a spread or a length that is not above 0"),
        ({"rate": [1]}, "not numbers"),
        ({"length": 0}, "a spread or a length that is not above 0"),
    ],
)
def test_damaged_files(change: dict[str, object], said: str) -> None:
    files = SeriesCodec.fit(recordings()).files()
    values = json.loads(files["series.json"]) | change
    with pytest.raises(CheckpointError, match=said):
        SeriesCodec.from_files({"series.json": json.dumps(values).encode()})


def test_missing_files() -> None:
    for files in ({}, {"series.json": b"{"}, {"series.json": b"[]"}):
        with pytest.raises(CheckpointError, match=r"series\.json"):
            SeriesCodec.from_files(files)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (np.zeros((0, 3)), "empty"),
        ([], "empty"),
        (np.zeros((5, 2)), "2 channels where 3 are expected (a, b, c); give those alone"),
        (np.zeros((3, 5)), "give samples as rows"),
        (np.zeros(5), "1 channel where 3"),
        (np.full((2, 3), np.nan), "every value of the recording is missing"),
        ([[1, 2, float("inf")]], "sample 1 of channel 3 is infinite"),
        ([["1", "2", "x"]], "'x' is not a number"),
        ({"x": 1}, "expected a recording, got dict"),
        (b"1,2,3", "expected a recording, got bytes"),
        (None, "expected a recording, got NoneType"),
        ("nowhere.csv", "no such file"),
    ],
)
def test_what_cannot_be_encoded(raw: object, said: str) -> None:
    with pytest.raises(DataError) as error:
        SeriesCodec.fit(recordings()).encode(raw)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "piece", [3.0, None, "1,2,3", b"1,2,3", np.zeros((2, 2)), [1, 2], [[1, "x", 3]], [[1, 2, np.inf]]]
)
def test_what_cannot_be_fed(piece: object) -> None:
    with pytest.raises(DataError):
        SeriesCodec.fit(recordings()).incremental().feed(piece)


def test_one_sample_and_a_million() -> None:
    codec = SeriesCodec.fit(recordings())
    assert codec.encode(np.zeros((1, 3))).shape == (1, 7)
    assert codec.encode(np.zeros((1_000_000, 3), dtype=np.float32)).shape == (1_000_000, 7)


def test_paths_and_names(tmp_path: Path) -> None:
    codec = SeriesCodec.fit(recordings())
    (tmp_path / "a.csv").write_text("c,a,b\n3,1,2\n")
    np.testing.assert_array_equal(codec.encode(tmp_path / "a.csv"), codec.encode([[1, 2, 3]]))
    (tmp_path / "b.csv").write_text("1,2,3\n")
    np.testing.assert_array_equal(codec.encode(str(tmp_path / "b.csv")), codec.encode([[1, 2, 3]]))


def test_rates() -> None:
    slow = SeriesCodec.fit(recordings(rate=50.0))
    assert slow.rate == 50
    x = recordings()[2].array
    np.testing.assert_array_equal(slow.encode(Recording(array=x, rate=100.0)), slow.encode(resample_series(x, 100, 50)))
    np.testing.assert_array_equal(slow.at(100.0).encode(x), slow.encode(resample_series(x, 100, 50)))
    # What says its own rate is believed.
    np.testing.assert_array_equal(slow.at(100.0).encode(Recording(array=x, rate=50.0)), slow.encode(x))
    mixed = SeriesCodec.fit([*recordings(rate=50.0), *recordings(rate=100.0)[:2], *recordings()])
    assert mixed.rate == 50
    assert SeriesCodec.fit(recordings(rate=50.0), SeriesSpec(max_rate=25)).rate == 25
    with pytest.raises(UsageError, match="does not know the rate"):
        SeriesCodec.fit(recordings()).at(50)
    with pytest.raises(UsageError, match="above 0"):
        slow.at(0)


def test_fitting_needs_recordings_that_go_together() -> None:
    with pytest.raises(DataError, match="no recordings"):
        SeriesCodec.fit([])
    with pytest.raises(DataError, match="2 channels where 3"):
        SeriesCodec.fit([*recordings(), np.zeros((3, 2))])
    with pytest.raises(DataError, match="empty"):
        SeriesCodec.fit([np.zeros((0, 2))])


@pytest.mark.parametrize("change", [{"derivatives": -1}, {"clip": 0}, {"max_rate": -1}])
def test_settings_have_ranges(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SeriesSpec(**change)  # type: ignore[arg-type]
