"""Four-part chorales as tokens: sixteenth-note steps of four voices to ids and back, exactly.

Data flow: key, meter and pickup (a token each), then four tokens a step: what soprano, bass, tenor and alto do.
A pitch is counted from the tonic, so that a chorale has the same tokens in every key. With each token a model
reads what is sounding: see `COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from suite.codecs.serialization import json_file, read_json_file
from suite.errors import CheckpointError, DataError, nearest
from suite_music.notation.piece_codec import END, PieceCodec

FILE = "chorales.json"
VOICES = ("soprano", "alto", "tenor", "bass")
#: What a voice does in a step in which it begins no note (whose MIDI pitch would stand there).
REST, HOLD = 0, -1
#: The order in which voices (0 is the soprano) speak in a step: outer voices first, since they say most.
ORDER = (0, 3, 2, 1)
METERS = {"2/2": 16, "3/2": 24, "2/4": 8, "3/4": 12, "4/4": 16, "6/4": 24, "3/8": 6, "6/8": 12, "9/8": 18, "12/8": 24}
MODES = ("major", "minor")
#: Steps of a first measure that is not whole, from none.
PICKUPS = 24
LOWEST, HIGHEST = 24, 96

SPECIAL = ("<pad>", "<start>", "<end>")
KEYS = tuple((fifths, mode) for fifths in range(-7, 8) for mode in MODES)
#: Every token: specials, keys, meters, pickups, then rest, hold, and pitches from the tonic.
VOCABULARY = (
    *SPECIAL,
    *(f"key {fifths:+d} {mode}" for fifths, mode in KEYS),
    *(f"meter {meter}" for meter in METERS),
    *(f"pickup {steps}" for steps in range(PICKUPS)),
    "rest",
    "hold",
    *(f"pitch {pitch}" for pitch in range(LOWEST, HIGHEST + 1)),
)
KEY = len(SPECIAL)
METER = KEY + len(KEYS)
PICKUP = METER + len(METERS)
REST_TOKEN = PICKUP + PICKUPS
HOLD_TOKEN = REST_TOKEN + 1
PITCH = HOLD_TOKEN + 1

#: What a model reads of each token: the token, what comes next (0: no voice, then 1 + the voice), the place in
#: the bar, the pitch that the voice to come has sung so far, and what the four voices sing (0: nothing).
COLUMNS = ("token", "next", "position", "own", "soprano", "alto", "tenor", "bass")
POSITIONS = 1 + max(METERS.values())


@dataclass(frozen=True)
class Chorale:
    """A piece in steps of a sixteenth note, each what soprano, alto, tenor and bass do.

    In a step a voice begins a note (its MIDI pitch), or holds one (`HOLD`), or is silent (`REST`). ``fifths``
    and ``mode`` are the key; ``pickup`` is how many steps come before the first whole bar.
    """

    steps: tuple[tuple[int, int, int, int], ...]
    fifths: int = 0
    mode: str = "major"
    meter: str = "4/4"
    pickup: int = 0

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The chorale of a row of the data. Raises DataError for a row that is not one."""
        try:
            bars, length = row["bars"], METERS.get(row["meter"], 0)
            first = bars[1] if len(bars) > 1 else 0
            steps = tuple((int(s), int(a), int(t), int(b)) for s, a, t, b in row["steps"])
            return cls(steps, int(row["fifths"]), row["mode"], row["meter"], first if first < length else 0)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a chorale: {error}; expected steps, bars, fifths, mode and meter") from error

    @property
    def tonic(self) -> int:
        """The tonic as semitones from C, −5…6."""
        return tonic(self.fifths, self.mode)


def tonic(fifths: int, mode: str) -> int:
    """The tonic of a key as semitones from the nearest C, −5…6."""
    return (7 * fifths + (9 if mode == "minor" else 0) + 5) % 12 - 5


class ChoraleCodec(PieceCodec):
    """Chorales ↔ token ids."""

    kind: ClassVar[str] = "chorale"
    vocabulary = VOCABULARY

    def files(self) -> dict[str, bytes]:
        values = {"order": list(ORDER), "tokens": list(VOCABULARY)}
        return json_file(FILE, values, indent=0)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        if read_json_file(files, FILE) != {"order": list(ORDER), "tokens": list(VOCABULARY)}:
            raise CheckpointError(f"{FILE}: other tokens than this version's; use the version that wrote it")
        return cls()

    @property
    def columns(self) -> tuple[int, ...]:
        """How many values each of the `COLUMNS` has."""
        return self.size, 5, POSITIONS, *([self.size] * 5)

    def token_features(self, state: Any = None) -> Reader:
        """What gives a model its `COLUMNS` token by token, from the start or continued from its saved ``state``."""
        return Reader(state)

    def header(self, fifths: int, mode: str, meter: str, pickup: int = 0) -> list[int]:
        """The tokens of key, meter and pickup. Raises DataError for what there is no token for."""
        if (fifths, mode) not in KEYS:
            raise DataError(f"{fifths:+d} fifths {mode}: no key; choose -7 to 7 and major or minor")
        if meter not in METERS:
            raise DataError(f"meter {meter}: {nearest(meter, METERS)}")
        if not 0 <= pickup < PICKUPS:
            raise DataError(f"a pickup of {pickup} steps: choose 0 to {PICKUPS - 1}")
        return [KEY + KEYS.index((fifths, mode)), METER + list(METERS).index(meter), PICKUP + pickup]

    def tokens(self, piece: Any) -> list[int]:
        """The ids of a `Chorale`, or a row of the data, without start and end.

        Raises DataError for a tune, and for a pitch out of range.
        """
        if isinstance(piece, str):
            raise DataError("expected a chorale, got ABC text; this is a model of chorales (see --checkpoint)")
        if not isinstance(piece, Chorale):
            piece = Chorale.from_row(piece)
        found = self.header(piece.fifths, piece.mode, piece.meter, piece.pickup)
        plain = {REST: REST_TOKEN, HOLD: HOLD_TOKEN}
        for number, step in enumerate(piece.steps):
            for voice in ORDER:
                if step[voice] in plain:
                    found.append(plain[step[voice]])
                elif LOWEST <= step[voice] - piece.tonic <= HIGHEST:
                    found.append(PITCH + step[voice] - piece.tonic - LOWEST)
                else:
                    raise DataError(f"step {number}: pitch {step[voice]} is out of range; transpose the piece")
        return found

    def decode(self, tokens: Iterable[int]) -> Chorale:
        """The piece of ids that begin with key, meter and pickup; a step that is not whole is left out."""
        ids = [int(token) for token in tokens if token > END]
        kinds = [(KEY, METER), (METER, PICKUP), (PICKUP, REST_TOKEN)]
        if len(ids) < 3 or not all(low <= i < high for i, (low, high) in zip(ids, kinds, strict=False)):
            raise DataError("tokens of a chorale begin with its key, meter and pickup")
        fifths, mode = KEYS[ids[0] - KEY]
        base = tonic(fifths, mode) + LOWEST - PITCH
        plain = {REST_TOKEN: REST, HOLD_TOKEN: HOLD}
        sung = [plain[i] if i in plain else i + base for i in ids[3:]]
        steps = []
        for start in range(0, len(sung) - 3, 4):
            step = [0] * 4
            for voice, value in zip(ORDER, sung[start : start + 4], strict=True):
                step[voice] = value
            steps.append((step[0], step[1], step[2], step[3]))
        return Chorale(tuple(steps), fifths, mode, list(METERS)[ids[1] - METER], ids[2] - PICKUP)


class Reader:
    """Tokens in, one by one; out come the rows that a model reads."""

    def __init__(self, state: Any = None) -> None:
        self._meter, self._position, self._turn = 16, 0, -1
        self._sounding = [0] * 4
        if state is not None:
            meter, position, turn, *sounding = map(int, state)
            if meter not in METERS.values() or not 0 <= position < POSITIONS - 1 or not -1 <= turn < len(sounding) == 4:
                raise ValueError(f"not the state of a chorale: {state!r:.80}")
            self._meter, self._position, self._turn, self._sounding = meter, position, turn, sounding

    @property
    def state(self) -> list[int]:
        """Everything that the next rows depend on, as JSON values."""
        return [self._meter, self._position, self._turn, *self._sounding]

    def next(self, token: int) -> tuple[int, ...]:
        """The `COLUMNS` of the next token."""
        if METER <= token < PICKUP:
            self._meter = list(METERS.values())[token - METER]
        elif PICKUP <= token < REST_TOKEN:
            self._position = (self._meter - (token - PICKUP)) % self._meter
            self._turn = 0
        elif token >= REST_TOKEN:
            if token != HOLD_TOKEN:
                self._sounding[ORDER[self._turn]] = token if token >= PITCH else 0
            self._turn += 1
            if self._turn == len(ORDER):
                self._turn, self._position = 0, (self._position + 1) % self._meter
        if self._turn < 0:
            return token, 0, 0, 0, *self._sounding
        voice = ORDER[self._turn]
        return token, 1 + voice, 1 + self._position, self._sounding[voice], *self._sounding
