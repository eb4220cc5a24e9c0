"""What ABC notation means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suite_music.notation import abc
from suite_music.notation.abc import Bar, Event


@given(st.text(alphabet="ABCcdez^_=,'123/|:[](){}<>-.~\"!KLM \n\\%é", max_size=60))
def test_units_are_the_whole_text(text: str) -> None:
    assert "".join(unit[0] for unit in abc.units(text)) == text
    list(abc.events(text))


def test_real_tunes_have_no_unit_that_is_not_understood(tunes: list[str]) -> None:
    for text in tunes:
        kinds = {abc.kind_of(unit) for unit in abc.units(text)}
        assert {"field", "note", "layout"} <= kinds
        assert all(len(unit[0]) == 1 for unit in abc.units(text) if abc.kind_of(unit) == "other")


def kinds(text: str) -> list[tuple[str, object]]:
    return [(event.kind, event.value) for event in abc.events(text)]


def test_events() -> None:
    assert kinds("M:C|\n") == [("meter", (2, 2))]
    assert kinds("L:1/16\n") == [("unit", (1, 16))]
    assert kinds("^c'3/2z2") == [("note", (1, 14)), ("length", (3, 2)), ("rest", None), ("length", (2, 1))]
    assert kinds("=B,,/") == [("note", (0, -8)), ("length", (1, 2))]
    assert kinds("[CE]2") == [
        ("chord", True), ("note", (None, 0)), ("note", (None, 2)), ("chord", False), ("length", (2, 1)),
    ]  # fmt: skip
    assert kinds("(3abA>>B") == [
        ("tuplet", (3, 2, 3)), ("note", (None, 12)), ("note", (None, 13)), ("note", (None, 5)), ("broken", 2),
        ("note", (None, 6)),
    ]  # fmt: skip
    assert kinds("{a}") == [("grace", True), ("note", (None, 12)), ("grace", False)]
    assert kinds('"Am"!f!-') == [("other", None), ("other", None), ("tie", None)]
    assert kinds("[M:3/4]") == [("meter", (3, 4))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" | ", Bar()),
        (" |\n| ", Bar()),
        ("||", Bar(double=True)),
        ("|]\n", Bar(double=True)),
        (":|", Bar(closes=True, double=True)),
        ("|:", Bar(opens=True, double=True)),
        ("::", Bar(closes=True, opens=True, double=True)),
        (":|\n|: ", Bar(closes=True, opens=True, double=True)),
        ("|1 ", Bar(ending=1)),
        (" :|[2 ", Bar(closes=True, ending=2, double=True)),
        ("[|]:|", Bar(closes=True, double=True)),
    ],
)
def test_bar_lines(text: str, expected: Bar) -> None:
    assert abc.bar(text) == Event("bar", expected)


def test_blanks_are_no_bar_lines() -> None:
    assert {abc.bar(text) for text in (" ", "\n", " \\\n", ":")} == {abc.OTHER}


@pytest.mark.parametrize(
    ("text", "sharps", "tonic", "mode"),
    [
        ("C", 0, 0, "maj"), ("G", 1, 7, "maj"), ("Bb", -2, 10, "maj"), ("F#m", 3, 6, "min"), ("A minor", 0, 9, "min"),
        ("Ador", 1, 9, "dor"), ("D mix", 1, 2, "mix"), ("EM", 4, 4, "maj"), ("Ebmaj", -3, 3, "maj"),
        ("Glyd", 2, 7, "lyd"),
        ("C#", 7, 1, "maj"), ("Bphr", 1, 11, "phr"), ("G clef=bass", 1, 7, "maj"),
    ],
)  # fmt: skip
def test_keys(text: str, sharps: int, tonic: int, mode: str) -> None:
    key = abc.key(text)
    assert key is not None
    assert (sum(key.signature), key.tonic, key.mode) == (sharps, tonic, mode)


def test_a_key_may_bring_accidentals_of_its_own() -> None:
    key = abc.key("D mix ^c")
    assert key is not None
    assert key.signature == (1, 0, 0, 1, 0, 0, 0)


def test_what_is_no_key_or_meter_is_none() -> None:
    assert abc.key("HP") is None
    assert abc.meter("6") is None
    assert abc.meter("0/4") is None
    assert abc.field("M", "none") == Event("meter", None)
    assert abc.field("L", "x") == abc.OTHER
    assert abc.field("K", "D % one sharp").value == abc.key("D")


@given(st.none() | st.integers(-2, 2), st.integers(-20, 30))
def test_a_note_is_spelt_as_it_is_read(accidental: int | None, position: int) -> None:
    assert abc.pitch(abc.spelt(accidental, position)) == (accidental, position)


def test_lengths() -> None:
    assert [abc.length(text) for text in ("2", "/", "//", "3/2", "/4", "3/")] == [
        (2, 1), (1, 2), (1, 4), (3, 2), (1, 4), (3, 2),
    ]  # fmt: skip
    assert abc.default_unit((2, 4)) == (1, 16)
    assert abc.default_unit((3, 4)) == abc.default_unit(None) == (1, 8)
    assert abc.tuplet("(5:4:3") == (5, 4, 3)
    assert abc.tuplet("(3::2") == (3, 2, 2)
    assert abc.tuplet("(7") == (7, 0, 7)
