"""Labelled examples, and a part of them held out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from suite.data.examples import Example, identity, split_dev, stratum
from suite.errors import DataError


def examples(count: int, labels: int = 2) -> list[Example]:
    return [Example(input=f"text {i}", target=f"label {i % labels}", key=f"key {i}") for i in range(count)]


def test_a_tenth_of_each_label_is_held_out() -> None:
    given = examples(200, 4)
    train, dev = split_dev(given)
    assert len(dev) == 20
    assert {label: sum(e.target == label for e in dev) for label in {e.target for e in dev}} == {
        f"label {i}": 5 for i in range(4)
    }
    assert sorted(e.key for e in [*train, *dev]) == sorted(e.key for e in given)


def test_the_order_and_the_company_do_not_matter() -> None:
    given = examples(100)
    _, dev = split_dev(given)
    _, again = split_dev(given[::-1])
    assert {e.key for e in again} == {e.key for e in dev}


def test_items_of_one_key_stay_together() -> None:
    given = [Example(input=str(i), target="x", key=f"document {i // 3}") for i in range(90)]
    train, dev = split_dev(given)
    assert not {e.key for e in train} & {e.key for e in dev}


@pytest.mark.parametrize("given", [examples(0), examples(1), examples(2), [examples(1)[0]] * 9])
def test_too_few_to_hold_any_out(given: list[Example]) -> None:
    with pytest.raises(DataError, match=rf"^{len(given)} items are too few .*; add data or give --dev FILE$"):
        split_dev(given)


def test_targets_that_are_no_labels_are_not_grouped() -> None:
    given = [Example(input=str(i), target=f"answer {i}", key=str(i)) for i in range(50)]
    train, dev = split_dev(given, by_label=False)
    assert (len(train), len(dev)) == (45, 5)
    with pytest.raises(DataError, match="too few"):
        split_dev(given)


def test_strata() -> None:
    assert [stratum(value) for value in (0.449, 0.45, -0.0, "a", 3)] == ["0.4", "0.5", "-0.0", "a", "3"]


def test_identity(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for place, content in ((tmp_path / "a.csv", b"1"), (tmp_path / "x" / "a.csv", b"2")):
        place.write_bytes(content)
    digests = [hashlib.sha256(content).hexdigest() for content in (b"1", b"2")]
    assert identity([tmp_path / "a.csv", tmp_path / "x" / "a.csv"]) == dict(
        zip(["a.csv", "a.csv (2)"], digests, strict=True)
    )
    with pytest.raises(DataError, match=r"No such file or directory; check the path$"):
        identity([tmp_path / "nowhere"])
