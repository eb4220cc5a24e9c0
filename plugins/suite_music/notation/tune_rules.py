"""Constrained decoding of tunes: which ABC tokens may follow, so that bars fill their meter and repeats close.

A state machine over tokens, a constraint for `suite.decoding.generate.generate`. States are values and can be saved;
masks are cached by the few fields that a mask depends on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from suite.errors import UsageError, nearest
from suite_music.notation import abc
from suite_music.notation.clock import WHOLE, Clock, advance
from suite_music.notation.piece_codec import END
from suite_music.notation.token_kinds import KINDS, SECTION_ENDS, kind_of
from suite_music.notation.tunes import SPECIAL, TuneCodec

#: Masks that are kept at most.
MAX_CACHED_MASKS = 512
#: Bars that a section has at least, unless the whole tune is shorter.
MIN_SECTION_BARS = 4
#: Signs that may stand before a note at most.
MAX_SIGNS = 3
#: Rests in a row at most: more than three there are in no tune of training, and a model may fall silent for good.
MAX_RESTS = 4
#: Slurs inside each other, and grace notes in a group, at most.
MAX_SLURS, MAX_GRACES = 2, 4
#: Notes that are written begin on this grid, tuplets and broken rhythm aside: a 32nd.
GRID = WHOLE // 32


# What has just been written, as far as it says what may follow: a bar line; a blank; a note; its length; the end
# of a slur; a sign that waits for a note; a grace note or its brace.
_BAR, _BLANK, _NOTE, _LENGTH, _SLUR, _BEFORE, _GRACE = range(7)


class TuneState(NamedTuple):
    """Where a tune is: the clock, and what the rules must remember.

    ``head`` counts header lines (from 3 on: the body). ``pickup`` is how long the incomplete first measure of a section
    is, in ticks (−1: not known yet), ``opening`` whether this is such a measure. ``done`` are the bars that are
    complete, ``section`` how many there were when the section began. ``opened`` and ``ending`` say what repeat
    is open. ``last`` is what has just been written, ``before`` how many signs wait for their note, ``slurs`` how
    many slurs are open, ``graces`` the notes in the open braces. ``length`` is the length that the last note got
    (0: none), ``owed`` the one that a note must get (−1: any), ``fixed`` whether the last note has the one it
    must have, ``rests`` how many rests stand in a row, ``mark`` where the tuplet began, ``short`` whether the last
    note may not begin a broken rhythm. ``over`` is set where the tune may end, ``line`` where a line has.
    """

    clock: Clock = Clock()
    key: abc.Key = abc.Key()
    head: int = 0
    pickup: int = -1
    opening: bool = True
    done: int = 0
    section: int = 0
    opened: bool = False
    ending: int = 0
    last: int = _BAR
    before: int = 0
    slurs: int = 0
    graces: int = 0
    length: int = 0
    owed: int = -1
    fixed: bool = False
    rests: int = 0
    mark: int = 0
    short: bool = False
    over: bool = False
    line: bool = True

    @property
    def bar(self) -> int:
        """How long a bar is; without a meter, a whole note."""
        return self.clock.bar or WHOLE


class TuneRules:
    """Tunes whose bars fill their meter, whose repeats close, and that end where a section does.

    A section's incomplete first measure and its last one make a bar together. ``key`` and ``meter`` fix the
    header lines; with ``bars`` the tune ends after so many (both endings of a repeat count), without it where
    the model ends it, and an ``endless`` one never. Raises UsageError for a key or a meter that the codec has
    no token for, or less than one bar.
    """

    def __init__(
        self,
        codec: TuneCodec,
        *,
        key: str | None = None,
        meter: str | None = None,
        bars: int | None = None,
        endless: bool = False,
    ) -> None:
        if bars is not None and bars < 1:
            raise UsageError(f"bars {bars}: a tune has at least 1")
        self.codec, self.bars, self.endless = codec, bars, endless
        self._kinds = [kind_of(name, codec.events[i]) for i, name in enumerate(codec.vocabulary)]
        self._of = {kind: np.flatnonzero([k == kind for k in self._kinds]) for kind in KINDS}
        for opens, closes in (("grace on", "grace off"), ("slur on", "slur off")):
            if not len(self._of[closes]):  # what could not be closed is not opened
                self._of[opens] = self._of[closes]
        self._there = {kind for kind in KINDS if len(self._of[kind])}
        # A vocabulary of few tunes may have no line of a kind: it is left out.
        heads = (self._stated("meter", meter), self._of["unit"], self._stated("key", key))
        self._heads = [lines for lines in heads if len(lines)]
        self._newline = codec.vocabulary.index("\n")
        self._durations: dict[int, dict[int, int]] = {}
        self._fillable: dict[int, frozenset[int]] = {}
        self._plain: dict[abc.Key, list[int]] = {}
        self._masks: dict[TuneState, np.ndarray] = {}

    def _stated(self, name: str, wanted: str | None) -> np.ndarray:
        """The header lines that state what was asked for, or all."""
        known = {int(i): self.codec.events[i].value for i in self._of[name]}
        if wanted is None:
            return self._of[name]
        value = abc.field(name[0].upper(), wanted).value
        found = [token for token, stated in known.items() if stated == value]
        if value is None or not found:
            names = {self.codec.vocabulary[token][2:].strip() for token in known}
            raise UsageError(f"{name} {wanted!r}: not one that the model knows; {nearest(wanted, names)}")
        return np.asarray(found)

    # -- the machine -------------------------------------------------------------------------------------

    def start(self) -> TuneState:
        """Before anything is written."""
        return TuneState()

    def advance(self, state: TuneState, token: int) -> TuneState:
        """The place after a token."""
        event = self.codec.events[token]
        if token < len(SPECIAL):
            return state
        clock = advance(state.clock, event)
        if event.kind in ("meter", "unit", "key"):
            key = event.value if event.kind == "key" else state.key
            return state._replace(clock=clock, key=key, head=min(state.head + 1, 3))
        if event.kind == "bar":
            return self._barred(state, clock, token)
        kind = self._kinds[token]
        if kind in ("blank", "line"):
            return state._replace(head=3, last=_BLANK, line=self.codec.vocabulary[token].endswith("\n"))
        state = state._replace(clock=clock, head=3, over=False, line=False)
        if event.kind in ("note", "rest"):
            return state._replace(graces=state.graces + 1) if clock.grace else self._sounded(state, event.kind)
        if kind == "length":
            return state._replace(last=_LENGTH, length=token, owed=-1)
        if kind == "broken":
            # Nothing stands between the two notes: not every reader understands it.
            return state._replace(last=_BEFORE, before=MAX_SIGNS, owed=state.length)
        if kind == "tuplet":
            return state._replace(last=_BEFORE, before=0, mark=clock.position)
        if kind == "grace on":
            return state._replace(last=_GRACE, before=state.before + 1, graces=0)
        if kind in ("grace off", "ornament"):
            return state._replace(last=_BEFORE, before=state.before + (kind == "ornament"))
        if kind == "slur on":
            return state._replace(last=_BEFORE, before=state.before + 1, slurs=state.slurs + 1)
        if kind == "slur off":
            return state._replace(last=_SLUR, slurs=max(state.slurs - 1, 0))
        return state

    def _sounded(self, state: TuneState, kind: str) -> TuneState:
        """After a note or a rest, whose clock has been advanced."""
        left, _, p = state.clock.tuplet
        # All notes of a tuplet are as long as its first.
        owed = state.length if p == 3 and left < 2 else state.owed
        short = p > 1 or state.owed >= 0 or kind == "rest"
        fixed, owed = owed == 0, owed if owed > 0 else -1
        rests = min(state.rests + 1, MAX_RESTS) if kind == "rest" else 0
        return state._replace(last=_NOTE, before=0, length=0, owed=owed, fixed=fixed, rests=rests, short=short)

    def _barred(self, state: TuneState, clock: Clock, token: int) -> TuneState:
        """After a bar line, which a user's own beginning may have anywhere."""
        bar: abc.Bar = self.codec.events[token].value
        text, length = self.codec.vocabulary[token], state.clock.position
        after = state._replace(
            clock=clock, head=3, last=_BLANK if text[-1] in " \n" else _BAR, before=0, length=0, owed=-1,
            fixed=False, short=False, over=False, line=text.endswith("\n"),
        )  # fmt: skip
        if length == 0:
            return after._replace(opened=state.opened or bar.opens)
        if state.pickup < 0:
            after = after._replace(pickup=length if length < state.bar else 0)
        if state.opening and after.pickup > 0:
            return after._replace(opening=False, opened=state.opened or bar.opens)
        done = state.done + 1
        after = after._replace(done=done, opening=False)
        if bar.ending:
            return after._replace(ending=bar.ending, opened=False if bar.closes else state.opened)
        if not bar.double:
            return after
        over = not self.endless and not bar.opens and done >= (self.bars or 2 * MIN_SECTION_BARS)
        return after._replace(section=done, opening=after.pickup > 0, opened=bar.opens, ending=0, over=over, slurs=0)

    # -- what may follow ---------------------------------------------------------------------------------

    def mask(self, state: TuneState) -> np.ndarray:
        """Which tokens may follow, bool ``[V]``."""
        place = self._essence(state)
        found = self._masks.get(place)
        if found is None:
            if len(self._masks) >= MAX_CACHED_MASKS:
                self._masks.clear()
            found = self._masks[place] = np.zeros(self.codec.size, dtype=bool)
            found[self._allowed(state)] = True
        return found

    def _essence(self, state: TuneState) -> TuneState:
        """The place without what makes no difference to what may follow, so that few masks are kept."""
        clock, sounding = state.clock, state.last in (_NOTE, _LENGTH)
        tuplet = clock.tuplet if clock.tuplet[0] or state.last == _NOTE else (0, 1, 1)
        return state._replace(
            clock=Clock(clock.unit, clock.bar, clock.position, clock.last if sounding else 0, tuplet=tuplet),
            done=2 * MIN_SECTION_BARS if self.bars is None else min(self.bars - state.done, 2 * MIN_SECTION_BARS),
            section=min(state.done - state.section, MIN_SECTION_BARS),
            before=state.before if state.last == _BEFORE else 0,
            graces=state.graces if state.last == _GRACE else 0,
            length=0,
            fixed=sounding and state.fixed,
            rests=state.rests // MAX_RESTS,
            mark=state.mark if tuplet[0] else 0,
            short=sounding and state.short,
            line=state.over and state.line,
        )

    def _allowed(self, state: TuneState) -> np.ndarray:
        if state.head < len(self._heads):
            return self._heads[state.head]
        if state.over and (self.bars is not None or not state.line):
            return np.asarray([END if state.line else self._newline])
        tokens: list[int] = [END] if state.over else []
        kinds: set[str] = set()
        if state.last == _GRACE:
            kinds |= {"note"} if state.graces < MAX_GRACES else set()
            kinds |= {"grace off"} if state.graces else set()
        elif state.last == _BEFORE:
            kinds |= {"note", *self._signs(state)}
            kinds |= {"tuplet"} if state.owed < 0 and self._room_for_tuplet(state) else set()
        else:
            if state.last == _NOTE:
                tokens += self._lengths(state)
            if self._whole(state):
                kinds |= self._next(state)
        if "note" in kinds:
            kinds.remove("note")
            tokens += self._notes(state.key)
        found = np.concatenate([np.asarray(tokens, dtype=np.int64), *(self._of[kind] for kind in sorted(kinds))])
        # Where no lengths that there are fill a bar, a note overfills it, and it ends.
        return found if len(found) else np.asarray(self._notes(state.key) or [*self._of["rest"], *self._of["plain"]])

    def _notes(self, key: abc.Key) -> list[int]:
        """The notes that need no double sharp or flat in a key, or all if every one does."""
        if key not in self._plain:
            found = zip(self._of["note"], self.codec.events_of(self._of["note"], key), strict=True)
            plain = [int(token) for token, event in found if abs(event.value[0] or 0) < 2]
            self._plain[key] = plain or self._of["note"].tolist()
        return self._plain[key]

    def _signs(self, state: TuneState) -> set[str]:
        """Signs that may stand before a note."""
        if state.before >= MAX_SIGNS:
            return set()
        graces = {"grace on"} if not state.clock.tuplet[0] else set()  # which are misread inside a tuplet
        return {"ornament", *graces, *({"slur on"} if state.slurs < MAX_SLURS else ())}

    def _next(self, state: TuneState) -> set[str]:
        """The kinds that may follow a note that is complete, or a blank, or a bar line."""
        clock, ends = state.clock, self._ends(state)
        kinds = {"slur off"} if state.slurs and state.last in (_NOTE, _LENGTH, _SLUR) else set()
        if clock.tuplet[0]:
            return kinds | {"note", *self._signs(state)}
        if any(self._fits(state, end - clock.position) for end in ends if end > clock.position):
            kinds |= {"note", *self._signs(state), *({"rest"} if state.rests < MAX_RESTS else ())}
            kinds |= {"tuplet"} if self._room_for_tuplet(state) else set()
        if state.last in (_NOTE, _LENGTH) and not state.short and self._can_fill(state, clock.position + clock.last):
            kinds.add("broken")
        # A slur that must end before the section does ends before a blank.
        waiting = state.slurs and clock.position in ends
        kinds |= {"blank"} if state.last != _BLANK and not waiting else set()
        kinds |= {"line"} if state.last == _BAR else set()
        lines = ends.get(clock.position, set())
        if clock.position and not self._can_fill(state, clock.position):
            lines = set().union(*ends.values())  # a beginning of the user's own overfills its bar: let it end
        if not clock.position:
            fresh = state.pickup < 0 and not state.opened and state.last in (_BAR, _BLANK)
            lines = {"opens"} if fresh else set()
        return kinds | {kind for kind in lines if not (waiting and kind in SECTION_ENDS and state.last != _BLANK)}

    def _ends(self, state: TuneState) -> dict[int, set[str]]:
        """Where in this measure a bar line may stand (in ticks), and which."""
        bar, pickup, position = state.bar, state.pickup, state.clock.position
        number = state.done + 1 - state.section
        rest = 2 * MIN_SECTION_BARS if self.bars is None else self.bars - state.done - 1
        within = {"plain"} if rest > (state.ending == 1) else set()
        if not state.ending and number >= MIN_SECTION_BARS - 1 and rest >= 2:
            within.add("first")
        ends: set[str] = {"second"} if state.ending == 1 and rest else set()
        if rest == 0 or (number >= MIN_SECTION_BARS and rest >= MIN_SECTION_BARS):
            if not state.ending:
                ends |= {"closes", "both"}
            if state.ending == 2 or not (state.ending or state.opened):
                ends |= {"double", "opens"}
            ends -= set() if rest else {"both", "opens"}
        if pickup < 0:
            found = {bar: within | ends}
            if 0 < position <= bar // 2 and self._fits(state, bar - position):
                found[position] = {"plain"}
        elif state.opening and pickup:
            found = {pickup: {"plain"}}
        else:
            found = {bar: within, bar - pickup: ends} if pickup else {bar: within | ends}
        known = {end: kinds & self._there for end, kinds in found.items()}
        return {end: kinds for end, kinds in known.items() if kinds} or {bar: {"plain", "closes", "double"}}

    def _whole(self, state: TuneState) -> bool:
        """Whether what was written last may stay as it is: a note without a length may have to get one."""
        if state.last != _NOTE:
            return True
        if state.owed > 0:
            return False
        left, _, p = state.clock.tuplet
        end = state.mark + 2 * state.clock.unit if p == 3 and left == 2 else state.clock.position
        # A beginning of the user's own may have overfilled the bar: then no length helps.
        return 0 < left < 2 or self._can_fill(state, end) or not self._lengths(state)

    def _lengths(self, state: TuneState) -> list[int]:
        """The lengths that the last note may get."""
        if state.owed > 0:
            return [state.owed]
        if state.fixed:
            return []
        clock = state.clock
        durations = self._of_unit(clock.unit)
        if clock.tuplet[2] == 3 and clock.tuplet[0] == 2:
            return [t for t, d in durations.items() if t and self._can_fill(state, state.mark + 2 * d)]
        start = clock.position - clock.last
        return [t for t, d in durations.items() if t and self._can_fill(state, start + d)]

    def _room_for_tuplet(self, state: TuneState) -> bool:
        clock = state.clock
        if clock.tuplet[0]:
            return False
        return any(self._can_fill(state, clock.position + 2 * d) for d in self._of_unit(clock.unit).values())

    def _can_fill(self, state: TuneState, position: int) -> bool:
        """Whether from a position some end of the measure can be reached."""
        return any(end == position or self._fits(state, end - position) for end in self._ends(state))

    def _fits(self, state: TuneState, gap: int) -> bool:
        """Whether notes can fill a gap."""
        unit = state.clock.unit
        if unit not in self._fillable:
            steps = {d // GRID for d in self._of_unit(unit).values()}
            sums = {0}
            for total in range(1, 4 * WHOLE // GRID):
                if any(total - step in sums for step in steps):
                    sums.add(total)
            self._fillable[unit] = frozenset(total * GRID for total in sums - {0})
        return gap in self._fillable[unit]

    def _of_unit(self, unit: int) -> dict[int, int]:
        """Durations in ticks by length (0: none), for lengths that fall on the grid."""
        if unit not in self._durations:
            given = {int(i): self.codec.events[i].value for i in self._of["length"]} | {0: (1, 1)}
            found = {token: unit * n // d for token, (n, d) in given.items() if unit * n % (d * GRID) == 0 and n}
            self._durations[unit] = found
        return self._durations[unit]


# --- either --------------------------------------------------------------------------------------------------------
