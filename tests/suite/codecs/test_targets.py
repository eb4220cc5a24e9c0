"""What a many-to-one model learns: labels, or a value with its spread."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from suite.codecs import Codec
from suite.codecs.targets import FILE, Labels, StepLabels, Target, Value
from suite.errors import CheckpointError, DataError

LABELS = Labels(("bad", "good", "so so"))
VALUE = Value(-1.0, 1.0, cuts=(-0.05, 0.05), classes=("negative", "neutral", "positive"), scale=0.5)


# --- labels -------------------------------------------------------------------------------------------------


def test_labels_are_those_of_training_sorted() -> None:
    assert Labels.fit(["good", "bad", "good", "so so"]) == LABELS
    assert (LABELS.size, LABELS.loss) == (3, "cross_entropy")


@pytest.mark.parametrize(("targets", "only"), [(["good", "good"], "only 'good'"), ([], "none at all")])
def test_one_label_only(targets: list[str], only: str) -> None:
    with pytest.raises(DataError) as error:
        Labels.fit(targets)
    assert (
        str(error.value) == f"training needs at least two different labels, the data has {only}; add items of another"
    )


def test_labels_encode() -> None:
    ids = LABELS.encode(["good", "bad", "so so"])
    assert (ids.dtype, ids.tolist()) == (np.int64, [1, 0, 2])
    assert LABELS.encode([]).shape == (0,)
    with pytest.raises(DataError, match=r"^unknown label 'goood'; did you mean 'good'\?$"):
        LABELS.encode(["good", "goood"])


def test_probabilities_of_labels() -> None:
    found = LABELS.probabilities(np.array([0.0, math.log(3), 0.0], np.float32))
    assert found == pytest.approx({"bad": 0.2, "good": 0.6, "so so": 0.2})
    extreme = LABELS.probabilities(np.array([1e4, -1e4, 0.0], np.float32))
    assert extreme == {"bad": 1.0, "good": 0.0, "so so": 0.0}


def test_labels_sort_as_people_do() -> None:
    assert Labels.fit(["10", "9", "b10", "b9"]).names == ("9", "10", "b9", "b10")


def test_display_names() -> None:
    labels = Labels.fit(["1", "2", "3"], {"1": "circle", "3": "square"})
    assert (labels.names, labels.labels) == (("1", "2", "3"), ("circle", "2", "square"))
    assert labels.encode(["1", "circle", "square", "2"]).tolist() == [0, 0, 2, 1]
    assert labels.label("1") == labels.label("circle") == "circle"
    assert list(labels.probabilities(np.zeros(3, np.float32))) == ["circle", "2", "square"]
    assert Labels.from_files(labels.files()) == labels
    with pytest.raises(DataError, match=r"^unknown label 'circel'; did you mean 'circle'\?$"):
        labels.encode(["circel"])
    with pytest.raises(DataError, match="the label '1' and another are both shown as '2'; give them different names"):
        Labels.fit(["1", "2"], {"1": "2"})


def test_a_label_that_is_another_ones_display_name_is_itself() -> None:
    labels = Labels.fit(["a", "b"], {"a": "b", "b": "a"})
    assert labels.encode(["a", "b"]).tolist() == [0, 1]


def test_early_outputs_are_a_second_set() -> None:
    labels = Labels.fit(["a", "b"], early=True)
    outputs = np.array([0.0, math.log(3), math.log(4), 0.0], np.float32)
    assert labels.size == 4
    assert labels.probabilities(outputs) == pytest.approx({"a": 0.25, "b": 0.75})
    assert labels.probabilities(outputs, final=False) == pytest.approx({"a": 0.8, "b": 0.2})
    assert labels.calibrated(np.tile(outputs, (3, 1)), np.array([1, 1, 0])).early
    assert Labels.from_files(labels.files()) == labels
    with pytest.raises(CheckpointError, match="shown must be a different display name"):
        Labels.from_files({FILE: b'{"kind": "labels", "names": ["a", "b"], "shown": ["x", "x"]}'})


# --- values -------------------------------------------------------------------------------------------------


def test_the_scale_is_the_spread_of_training() -> None:
    fitted = VALUE.fit([-0.5, 0.5, -0.5, 0.5])
    assert fitted == VALUE
    assert VALUE.fit([0.0, 1.0]).scale == 0.5
    for same in ([0.3, 0.3], [0.3], []):
        with pytest.raises(DataError, match="training needs ratings that differ"):
            VALUE.fit(same)


def test_values_encode_in_units_of_the_scale() -> None:
    found = VALUE.encode([-1.0, 0.0, 0.25, 1.0])
    assert (found.dtype, found.tolist()) == (np.float32, [-2.0, 0.0, 0.5, 2.0])
    assert (VALUE.size, VALUE.loss) == (2, "normal")


@pytest.mark.parametrize("bad", [1.01, -7.0, math.nan, math.inf])
def test_a_value_out_of_range(bad: float) -> None:
    with pytest.raises(DataError, match=f"^{bad:g} is outside -1 … 1; rescale the column$"):
        VALUE.encode([0.0, bad])


def test_moments() -> None:
    assert VALUE.moments(np.array([0.5, 0.0], np.float32)) == pytest.approx((0.25, 0.5))
    # Held inside the range, and the spread inside sense.
    mean, spread = VALUE.moments(np.array([99.0, 99.0], np.float32))
    assert (mean, spread) == pytest.approx((1.0, math.exp(3) * 0.5))
    assert VALUE.moments(np.array([-99.0, -99.0], np.float32)) == pytest.approx((-1.0, math.exp(-7) * 0.5))


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (-1, "negative"),
        (-0.051, "negative"),
        (-0.05, "neutral"),
        (0, "neutral"),
        (0.05, "neutral"),
        (0.051, "positive"),
    ],
)
def test_the_class_of_a_value(value: float, label: str) -> None:
    assert VALUE.label(value) == label


def test_probabilities_of_a_value() -> None:
    # Φ(0.05 / 0.1) − Φ(−0.05 / 0.1) = 0.38292…
    found = VALUE.probabilities(0.0, 0.1)
    assert found == pytest.approx({"negative": 0.308538, "neutral": 0.382925, "positive": 0.308538}, abs=1e-6)
    assert sum(VALUE.probabilities(0.4, 0.3).values()) == pytest.approx(1)
    assert VALUE.probabilities(1.0, 1e-4)["positive"] == pytest.approx(1)


# --- files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [LABELS, VALUE])
def test_round_trip(target: Labels | Value) -> None:
    assert Target.from_files(target.files()) == target
    assert type(target).from_files(target.files()) == target
    assert isinstance(target, Codec)


@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"[]", b"{}", b"\xff", b'{"kind": "other"}', b'{"kind": "labels"}',
        b'{"kind": "labels", "names": ["a", "b"], "more": 1}', b'{"kind": "labels", "names": 5}',
        b'{"kind": "labels", "names": [1, 2]}', b'{"kind": "value", "low": 0}',
        b'{"kind": "value", "low": "a", "high": 1, "scale": 1, "cuts": [], "classes": ["x"]}',
        b'{"kind": "value", "low": 0, "high": 1, "scale": 1, "cuts": [0.5], "classes": ["x"]}',
        b'{"kind": "value", "low": 0, "high": 1, "scale": 0, "cuts": [], "classes": ["x"]}',
    ],
)  # fmt: skip
def test_files_that_are_wrong(content: bytes | None) -> None:
    files = {} if content is None else {FILE: content}
    with pytest.raises(CheckpointError, match=rf"^{FILE}"):
        Target.from_files(files)


def test_the_other_kind() -> None:
    with pytest.raises(CheckpointError, match=r"^target\.json: expected a value target"):
        Value.from_files(LABELS.files())
    with pytest.raises(CheckpointError, match=r"^target\.json: expected a labels target"):
        Labels.from_files(VALUE.files())


def test_files_are_readable() -> None:
    values: dict[str, Any] = json.loads(Labels(("schön", "b")).files()[FILE])
    assert values == {
        "kind": "labels", "names": ["schön", "b"], "temperature": 1.0, "shown": [], "early": False, "sure": 0.99,
    }  # fmt: skip
    assert "schön" in Labels(("schön", "b")).files()[FILE].decode()


# --- honest probabilities -----------------------------------------------------------------------------------


def test_spread_is_widened_to_what_held_out_data_shows() -> None:
    random = np.random.default_rng(0)
    outputs = np.stack([random.normal(size=4000), np.full(4000, np.log(0.1))], axis=1)
    targets = outputs[:, 0] + random.normal(0, 0.3, 4000)
    found = Value(-5, 5, (0.0,), ("below", "above")).calibrated(outputs, targets)
    assert found.widening == pytest.approx(3, rel=0.05)
    assert found.moments(outputs[0])[1] == pytest.approx(0.3, rel=0.05)
    assert found.moments(outputs[0])[0] == pytest.approx(outputs[0, 0])
    assert Value.from_files(found.files()) == found


def test_temperature_is_that_of_held_out_data() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (6000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([random.choice(3, p=row) for row in shares])
    names = Labels(("a", "b", "c"))
    found = names.calibrated(logits * 2.5, truth)
    assert found.temperature == pytest.approx(2.5, rel=0.1)
    assert found.probabilities(logits[0] * 2.5)["a"] == pytest.approx(shares[0, 0], abs=0.03)
    assert Labels.from_files(found.files()) == found


def test_a_label_at_every_step() -> None:
    tags = StepLabels.fit([["noun", "verb"], ["noun"], ["adverb"]])
    assert tags.names == ("adverb", "noun", "verb")
    assert [array.tolist() for array in tags.encode([["verb", "noun"], ["adverb"]])] == [[2, 1], [0]]
    assert tags.labelled(np.eye(3)[[2, 0]]) == ["verb", "adverb"]
    assert StepLabels.from_files(tags.files()) == tags
    with pytest.raises(DataError, match="unknown label 'verbs'; did you mean 'verb'"):
        tags.encode([["verbs"]])
    with pytest.raises(DataError, match="at least two different labels"):
        StepLabels.fit([["noun"], ["noun"]])
