"""Where in the bar a tune is: durations added up event by event.

Times are whole numbers of ticks, of which a whole note has `WHOLE`: enough for notes down to a 1,024th, broken
rhythm and the usual tuplets to come out exactly.
"""

from __future__ import annotations

from typing import NamedTuple

from suite_music.notation.abc import Bar, Event, default_unit

WHOLE = 2**10 * 3**2 * 5 * 7

_NONE, _OPEN, _COUNTED, _MORE = range(4)


class Clock(NamedTuple):
    """The state between two events.

    ``position`` is how much of the bar has sounded, ``bar`` how long one is (0: no meter), ``unit`` how long a
    note without a length is. ``bars`` are the bars since the section began. ``last`` is the duration of what a
    length or a broken rhythm may still change; the rest says what lies ahead: ``broken`` (n, d) scales the next
    note, ``tuplet`` (notes left, n, d) the next ones. ``chord`` and ``grace`` say what is open.
    """

    unit: int = WHOLE // 8
    bar: int = 0
    position: int = 0
    last: int = 0
    bars: int = 0
    broken: tuple[int, int] = (1, 1)
    tuplet: tuple[int, int, int] = (0, 1, 1)
    chord: int = _NONE
    grace: bool = False
    compound: bool = False
    stated: bool = False

    @property
    def follows(self) -> bool:
        """Whether the next note would be a further one of an open chord."""
        return self.chord >= _COUNTED


def advance(clock: Clock, event: Event) -> Clock:
    """The clock after an event."""
    kind, value = event
    if kind in ("other", "tie", "key"):
        return clock
    if kind in ("note", "rest"):
        return _note(clock)
    if kind == "bar":
        return _bar(clock, value)
    if kind == "grace":
        return clock._replace(grace=value)
    if kind == "chord":
        return clock._replace(chord=_OPEN if value else _NONE)
    if kind == "tuplet":
        p, q, r = value
        return clock._replace(tuplet=(r, q or (3 if clock.compound else 2), p))
    if kind == "meter":
        unit = clock.unit if clock.stated else _ticks(default_unit(value))
        compound = value is not None and value[0] % 3 == 0 and value[0] > 3
        return clock._replace(bar=_ticks(value) if value else 0, compound=compound, unit=unit)
    if kind == "unit":
        return clock._replace(unit=_ticks(value), stated=True)
    if clock.grace or clock.chord == _MORE:
        return clock
    if kind == "length":
        return _changed(clock, clock.last * value[0] // value[1])
    long, short = 2 ** (abs(value) + 1) - 1, 1
    first, second = (long, short) if value > 0 else (short, long)
    scale = 2 ** abs(value)
    return _changed(clock, clock.last * first // scale)._replace(broken=(second, scale))


def _ticks(length: tuple[int, int]) -> int:
    return WHOLE * length[0] // length[1]


def _changed(clock: Clock, duration: int) -> Clock:
    return clock._replace(position=clock.position + duration - clock.last, last=duration)


def _note(clock: Clock) -> Clock:
    if clock.grace:
        return clock
    if clock.follows:  # the first note of a chord says how long it is
        return clock._replace(chord=_MORE)
    left, n, d = clock.tuplet if clock.tuplet[0] else (0, 1, 1)
    duration = clock.unit * clock.broken[0] * n // (clock.broken[1] * d)
    # Field by field, which is faster than _replace: this is done for every note of everything.
    return Clock(
        clock.unit, clock.bar, clock.position + duration, duration, clock.bars, (1, 1), (max(left - 1, 0), n, d),
        _COUNTED if clock.chord else _NONE, clock.grace, clock.compound, clock.stated,
    )  # fmt: skip


def _bar(clock: Clock, bar: Bar) -> Clock:
    bars = 0 if bar.double else clock.bars + (clock.position > 0)
    return clock._replace(position=0, last=0, bars=bars, broken=(1, 1), tuplet=(0, 1, 1), chord=_NONE, grace=False)
