"""Tunes as tokens: ABC text to ids and back, exactly.

Data flow: text → units (`suite_music.notation.abc`) → tokens. A header line is one token, and so are a note (its pitch
as a step of the scale of the key, so that a tune has the same tokens in every key), a length, a bar line with
the blanks around it, an ornament. A unit that training has not seen is spelt in bytes. With each token a model
reads hints that follow from the tokens before it: see `COLUMNS`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from suite.codecs.serialization import json_file, read_json_file
from suite.config import check_ranges, from_dict, to_dict
from suite.decoding.constraints import state_from_json, state_to_json
from suite.errors import CheckpointError, DataError
from suite_music.notation import abc
from suite_music.notation.chorales import Chorale
from suite_music.notation.clock import WHOLE, Clock, advance
from suite_music.notation.match_model import CLASSES, MatchModel
from suite_music.notation.piece_codec import END, PieceCodec

FILE = "tunes.json"
SPECIAL = ("<pad>", "<start>", "<end>", *(f"<0x{byte:02X}>" for byte in range(256)))
BYTES = 3

#: What a model reads of each token.
COLUMNS = ("token", "echo", "stretch", "position", "bar")
#: Classes of the place in a bar (in 32nds of a whole note) and of the bars since the section began.
POSITIONS, BARS = 64, 17

_LAYOUT = re.compile(r"[ \n\\|:\[\]0-9]+")
_ELEMENTS = (*" \n\\|:[]0123456789",)


@dataclass(frozen=True)
class TuneSpec:
    """How text becomes tokens.

    ``min_count`` is how often a unit must occur in training to become a token, ``min_layout`` the same for a run
    of bar signs and blanks, which are otherwise cut into shorter ones.
    """

    min_count: int = 5
    min_layout: int = 20

    def __post_init__(self) -> None:
        check_ranges(self, least={"min_count": 1, "min_layout": 1})


class TuneCodec(PieceCodec):
    """ABC text ↔ token ids."""

    kind: ClassVar[str] = "tune"

    def __init__(self, vocabulary: Sequence[str], spec: TuneSpec) -> None:
        self.vocabulary, self.spec = tuple(vocabulary), spec
        self._ids = {name: i for i, name in enumerate(self.vocabulary)}
        runs = sorted((name for name in self.vocabulary if _LAYOUT.fullmatch(name)), key=len, reverse=True)
        self._runs = re.compile("|".join(map(re.escape, runs)))
        #: What each token means, by id.
        self.events = tuple(_event(name) for name in self.vocabulary)

    # -- fitting and files -------------------------------------------------------------------------------

    @classmethod
    def fit(cls, texts: Iterable[str], spec: TuneSpec) -> Self:
        """A codec whose tokens are the units of ``texts``. Raises DataError if there are none."""
        counts: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
        for text in texts:
            for name in _names(text):
                counts[bool(_LAYOUT.fullmatch(name))][name] += 1
        if not counts[False]:
            raise DataError("the training tunes are empty; check that the files are ABC")
        found = {name: count for name, count in counts[False].items() if count >= spec.min_count}
        found |= {name: count for name, count in counts[True].items() if count >= spec.min_layout}
        found |= {name: counts[True][name] for name in _ELEMENTS}
        found |= _indispensable(counts[False] + counts[True], found)
        return cls([*SPECIAL, *sorted(found, key=lambda name: (-found[name], name))], spec)

    def files(self) -> dict[str, bytes]:
        values = {"tunes": to_dict(self.spec), "tokens": list(self.vocabulary[len(SPECIAL) :])}
        return json_file(FILE, values, indent=0)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        values = read_json_file(files, FILE, "tunes", "tokens")
        tokens, spec = values["tokens"], values["tunes"]
        fine = isinstance(tokens, list) and all(isinstance(token, str) and token for token in tokens)
        if not fine or len({*tokens, *SPECIAL}) != len(tokens) + len(SPECIAL) or not {*_ELEMENTS} <= {*tokens}:
            raise CheckpointError(f"{FILE}: not a list of different tokens; copy the checkpoint again")
        return cls([*SPECIAL, *tokens], from_dict(TuneSpec, spec, where=FILE, error=CheckpointError))

    # -- text to ids -------------------------------------------------------------------------------------

    @property
    def keys(self) -> dict[str, int]:
        """The header lines ``K:`` that are tokens, each as likely as the others."""
        return {name: 1 for name in self.vocabulary if name.startswith("K:")}

    def written(self, token: int, key: abc.Key) -> str:
        """What a token stands for in a key."""
        return _written(self.vocabulary[token], key)

    def token_features(self, state: Any = None) -> Reader:
        """What gives a model its `COLUMNS` token by token, from the start or continued from its saved ``state``."""
        return Reader(self, state)

    @property
    def columns(self) -> tuple[int, ...]:
        """How many values each of the `COLUMNS` has; 0 in the second means no hint."""
        return self.size, self.size, CLASSES, POSITIONS, BARS

    def tokens(self, piece: Any) -> list[int]:
        """The ids of a text, without start and end. Raises DataError for what is not text."""
        if not isinstance(piece, str):
            given = "a chorale" if isinstance(piece, Chorale) else type(piece).__name__
            raise DataError(f"expected ABC text, got {given}; this is a model of tunes (see --checkpoint)")
        found: list[int] = []
        for name, written in _units(piece):
            if (token := self._ids.get(name)) is not None:
                found.append(token)
            elif _LAYOUT.fullmatch(name):
                found.extend(self._ids[run] for run in self._runs.findall(name))
            else:
                try:
                    found.extend(BYTES + byte for byte in written.encode())
                except UnicodeEncodeError:
                    raise DataError(f"{written!a} is not UTF-8 text; convert it first") from None
        return found

    # -- ids to text -------------------------------------------------------------------------------------

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of ids; start, end and padding say nothing."""
        writer = Writer(self)
        return "".join([*(writer.write(int(token)) for token in tokens), writer.flush()])

    def events_of(self, tokens: Iterable[int], key: abc.Key | None = None) -> Iterator[abc.Event]:
        """What tokens mean, one by one, in ``key`` (C major) until they state another."""
        key = key or abc.Key()
        for token in tokens:
            event = self.events[token]
            if event.kind == "key":
                key = event.value
            if event.kind == "note":
                event = abc.Event("note", abc.pitch(_written(self.vocabulary[token], key)))
            yield event


class Reader:
    """Tokens in, one by one; out come the rows that a model reads."""

    def __init__(self, codec: TuneCodec, state: Any = None) -> None:
        self._events, self._clock, self._echo = codec.events, Clock(), MatchModel()
        if state is not None:
            self._clock = state_from_json(state["clock"], Clock())
            self._echo = MatchModel(state=state["echo"])

    def next(self, token: int) -> tuple[int, int, int, int, int]:
        """The `COLUMNS` of the next token."""
        self._clock = clock = advance(self._clock, self._events[token])
        hint, stretch = self._echo.read(token)
        position = min(clock.position * 32 // WHOLE, POSITIONS - 1)
        return token, max(hint, 0), stretch, position, min(clock.bars, BARS - 1)

    @property
    def state(self) -> dict[str, Any]:
        """Everything that the next rows depend on, as JSON values."""
        return {"clock": state_to_json(self._clock), "echo": self._echo.state}


class Writer:
    """Ids in, one by one; out comes the text they make."""

    def __init__(self, codec: TuneCodec) -> None:
        self._codec, self._key = codec, abc.Key()
        self._bytes, self._line = b"", ""

    def write(self, token: int) -> str:
        """What the next id adds to the text; nothing while bytes of one character are still to come."""
        if BYTES <= token < len(SPECIAL):
            self._bytes += bytes([token - BYTES])
            return self._spell(final=False)
        held = self.flush()
        return held + (self._add(_written(self._codec.vocabulary[token], self._key)) if token > END else "")

    def flush(self) -> str:
        """What is left of bytes that were not a whole character."""
        return self._spell(final=True)

    def _spell(self, *, final: bool) -> str:
        try:
            text, self._bytes = self._bytes.decode(), b""
        except UnicodeDecodeError as error:
            if not final and error.reason == "unexpected end of data":
                return ""
            text, self._bytes = self._bytes.decode(errors="replace"), b""
        return self._add(text) if text else ""

    def _add(self, text: str) -> str:
        """The text, once the header lines in it have been looked at for the key."""
        *whole, self._line = (self._line + text).split("\n")
        for line in whole:
            if line.startswith("K:"):
                self._key = abc.key_of(line) or self._key
        self._line = self._line[:2] if self._line[:2] != "K:" else self._line
        return text


def _indispensable(counts: Counter[str], found: Container[str]) -> dict[str, int]:
    """What a tune cannot be written without, where nothing of its kind was frequent enough: the likeliest.

    A meter, a unit and a key, as far as there are any, a note, and a bar line that ends the tune.
    """
    events = {name: _event(name) for name in counts if name[0] != "["}
    chosen: dict[str, int] = {}
    for kind in ("meter", "unit", "key", "note"):
        names = [name for name, event in events.items() if event.kind == kind and event.value]
        if names and not any(name in found for name in names):
            likeliest = max(names, key=lambda name: (counts[name], name))
            chosen[likeliest] = counts[likeliest]
    bars = [name for name, event in events.items() if event.kind == "bar" and name in found]
    if not any(bar.double and not bar.opens and not bar.ending for bar in (events[name].value for name in bars)):
        chosen["||"] = counts["||"]
    return chosen


def _units(text: str) -> Iterator[tuple[str, str]]:
    """The units of a text as (name of the token, what is written)."""
    tonic = abc.Key()
    for unit in abc.units(text):
        kind, written = abc.kind_of(unit), unit[0]
        if kind == "note":
            yield _named(abc.pitch(written), tonic), written
        elif kind == "length":
            yield f"*{written}", written
        else:
            if kind == "field" and written[0] == "K":
                tonic = abc.key_of(written) or tonic
            yield written, written


def _names(text: str) -> Iterator[str]:
    return (name for name, _ in _units(text))


def _named(pitch: tuple[int | None, int], key: abc.Key) -> str:
    """A note as a step of the key's scale: ``♪4``, or ``♪+1@4`` where an accidental raises it by a semitone."""
    accidental, position = pitch
    by = "" if accidental is None else f"{accidental - key.signature[position % 7]:+d}@"
    return f"♪{by}{position - key.letter}"


def _written(name: str, key: abc.Key) -> str:
    """The reverse of `_units`: what a token's name stands for in a key."""
    if name[0] == "*" and len(name) > 1:
        return name[1:]
    if name[0] != "♪" or len(name) == 1:
        return name
    by, _, step = name[1:].rpartition("@")
    position = int(step) + key.letter
    accidental = min(max(int(by) + key.signature[position % 7], -2), 2) if by else None
    return abc.spelt(accidental, position)


def _event(name: str) -> abc.Event:
    """What a token means; a note's pitch is that of C major."""
    if name in SPECIAL:
        return abc.OTHER
    if _LAYOUT.fullmatch(name):
        # A bracket alone opens or closes a chord, unless a digit makes an ending of it.
        return abc.event("other", name) if name in "[]" else abc.bar(name)
    written = _written(name, abc.Key())
    of_length = name[0] == "*" and len(name) > 1  # a star alone is a sign that means nothing
    first = next(abc.units(f"z{written}" if of_length else written))
    if of_length:
        return abc.Event("length", abc.length(written))
    return abc.event(abc.kind_of(first), first[0])
