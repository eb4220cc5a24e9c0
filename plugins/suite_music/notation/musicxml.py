"""MusicXML, read and written: as much of it as four voices need.

Times are in quarter notes, as exact fractions. What a score looks like (stems, beams, pages) is skipped.
Source: MusicXML 4.0.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from suite.errors import DataError, one_line
from suite_music.notation.abc import LETTERS, SEMITONES
from suite_music.notation.chorales import HOLD, METERS, REST, VOICES, Chorale
from suite_music.notation.keys import spelling

#: A score is unpacked into memory: a chorale has a quarter of a megabyte.
MAX_BYTES = 2**26
#: Steps of a chorale in a quarter note.
STEPS_A_QUARTER = 4
#: An hour of quarter notes at 120 a minute has half as many.
MAX_STEPS = 2**16
STEPS = dict(zip(LETTERS, SEMITONES, strict=True))
_DAMAGE = (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error, ElementTree.ParseError, RuntimeError)


@dataclass(frozen=True)
class Sound:
    """A note (``pitch`` as MIDI number) or a rest (None). ``tied`` means it goes on from the one before."""

    start: Fraction
    duration: Fraction
    pitch: int | None
    tied: bool = False
    fermata: bool = False


@dataclass(frozen=True)
class Part:
    """One part: its sounds in order, and where its measures start, with their lengths."""

    name: str
    sounds: tuple[Sound, ...]
    measures: tuple[tuple[Fraction, Fraction], ...]


@dataclass(frozen=True)
class Score:
    """The parts of a piece, with the first key (fifths, mode) and the first meter (``"3/4"``) that it states."""

    parts: tuple[Part, ...]
    key: tuple[int, str]
    meter: str


def read_score(path: Path) -> Score:
    """A score from ``.mxl``, ``.musicxml`` or ``.xml``. Raises DataError, naming the file, if it cannot be used."""
    try:
        root = ElementTree.fromstring(_content(path))  # noqa: S314 - expat limits what entities may expand to
        if root.tag != "score-partwise":
            raise DataError(f"{path}: a {root.tag}, not a score-partwise; export it as MusicXML by parts")
        names = {entry.get("id", ""): entry.findtext("part-name", "") for entry in root.iter("score-part")}
        parts = tuple(_part(names.get(part.get("id", ""), ""), part) for part in root.iter("part"))
        fifths = int(root.findtext(".//key/fifths", "0"))
        meter = f"{int(root.findtext('.//time/beats', '4'))}/{int(root.findtext('.//time/beat-type', '4'))}"
        return Score(parts, (fifths, root.findtext(".//key/mode", "major")), meter)
    except _DAMAGE as error:
        raise DataError(f"{path}: {one_line(error)}; expected a MusicXML score") from error


def _content(path: Path) -> bytes:
    if path.suffix != ".mxl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))  # noqa: S314
        member = next(entry.get("full-path", "") for entry in container.iter() if entry.tag.endswith("rootfile"))
        if archive.getinfo(member).file_size > MAX_BYTES:
            raise DataError(f"{path}: {member} unpacks to more than {MAX_BYTES:,} bytes; refused")
        return archive.read(member)


def _part(name: str, part: ElementTree.Element) -> Part:
    sounds: list[Sound] = []
    measures: list[tuple[Fraction, Fraction]] = []
    divisions, start = 1, Fraction(0)
    for measure in part.iter("measure"):
        now = end = last = start
        for element in measure:
            divisions = int(element.findtext("divisions") or divisions)
            length = Fraction(element.findtext("duration") or 0) / divisions
            if element.tag == "note" and element.find("grace") is None:
                at = last if element.find("chord") is not None else now
                last = at
                sounds.append(_sound(at, length, element))
                now = at + length
            elif element.tag in ("backup", "forward"):
                now += length if element.tag == "forward" else -length
            end = max(end, now)
        measures.append((start, end - start))
        start = end
    return Part(" ".join(name.split()), tuple(sounds), tuple(measures))


def _sound(start: Fraction, duration: Fraction, note: ElementTree.Element) -> Sound:
    pitch = None
    if (given := note.find("pitch")) is not None:
        step, octave = STEPS[given.findtext("step", "")], int(given.findtext("octave", ""))
        pitch = 12 * (octave + 1) + step + round(float(given.findtext("alter", "0")))
    tied = any(tie.get("type") == "stop" for tie in note.iter("tie"))
    return Sound(start, duration, pitch, tied, note.find(".//fermata") is not None)


# --- in steps ---------------------------------------------------------------------------------------------------


def chorale_steps(score: Score, key: str, *, named: bool = True) -> dict[str, Any] | None:
    """A score in steps of a sixteenth note, or None where one of the four voices is missing.

    Voices go by their names (soprano, alto, tenor, bass), or, if they need not be ``named`` so, four parts by their
    order.
    ``steps`` has four numbers a step, from soprano to bass: the MIDI pitch of a note that begins, or ``HOLD``, or
    ``REST``. ``bars`` are the steps at which a measure begins, ``fermatas`` those of notes with a fermata.
    ``fifths``, ``mode`` and ``meter`` are what the score states first.
    """
    found = [next((part for part in score.parts if part.name.lower().startswith(name)), None) for name in VOICES]
    voices = [part for part in found if part is not None]
    if len(voices) < len(VOICES) and not named and len(score.parts) == len(VOICES):
        voices = list(score.parts)
    if len(voices) < len(VOICES):
        return None
    end = max((start + length for voice in voices for start, length in voice.measures), default=Fraction(0))
    count = int(end * STEPS_A_QUARTER)
    if count > MAX_STEPS:
        raise DataError(f"{key}: {count:,} sixteenths long; give a piece of {MAX_STEPS:,} at most")
    steps = zip(*(_steps(voice, count) for voice in voices), strict=True)
    marked = {int(sound.start * STEPS_A_QUARTER) for voice in voices for sound in voice.sounds if sound.fermata}
    return {
        "key": key,
        "title": Path(key).stem,
        "fifths": score.key[0],
        "mode": score.key[1],
        "meter": score.meter,
        "bars": [int(start * STEPS_A_QUARTER) for start, _ in voices[0].measures],
        "fermatas": sorted(marked),
        "steps": [list(step) for step in steps],
    }


def _steps(voice: Part, count: int) -> list[int]:
    """One voice: a note is where it sounds as a step begins, so that what is shorter than a step may be lost."""
    steps = [REST] * count
    for sound in voice.sounds:
        if sound.pitch is None:
            continue
        first, last = (-int(-time * STEPS_A_QUARTER // 1) for time in (sound.start, sound.start + sound.duration))
        for step in range(first, min(last, count)):
            steps[step] = HOLD
        # A tie goes on only from a note that is there.
        if first < min(last, count) and not (sound.tied and first and steps[first - 1] != REST):
            steps[first] = sound.pitch
    return steps


# --- writing ----------------------------------------------------------------------------------------------------

#: Lengths, in sixteenths, that one note can have: (type, dots).
_TYPES = {
    24: ("whole", 1), 16: ("whole", 0), 12: ("half", 1), 8: ("half", 0), 6: ("quarter", 1), 4: ("quarter", 0),
    3: ("eighth", 1), 2: ("eighth", 0), 1: ("16th", 0),
}  # fmt: skip
_CLEFS = (("G", 2, 0), ("G", 2, 0), ("G", 2, -1), ("F", 4, 0))


def score_xml(piece: Chorale, *, title: str = "") -> str:
    """A chorale as MusicXML text: four parts, notes that cross a bar line tied, spelt as its key suggests."""
    root = Element("score-partwise", version="4.0")
    _add(_add(root, "work"), "work-title", title)
    listed = _add(root, "part-list")
    for voice, name in enumerate(VOICES):
        _add(_add(listed, "score-part", id=f"P{voice + 1}"), "part-name", name.capitalize())
    for voice in range(len(VOICES)):
        _write_part(_add(root, "part", id=f"P{voice + 1}"), piece, voice)
    ElementTree.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
    head += '"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def _write_part(part: Element, piece: Chorale, voice: int) -> None:
    length = METERS[piece.meter]
    end, number = piece.pickup or length, 0 if piece.pickup else 1
    measure = _add(part, "measure", number=str(number), **({"implicit": "yes"} if piece.pickup else {}))
    attributes = _add(measure, "attributes")
    _add(attributes, "divisions", "4")
    key, time, clef = (_add(attributes, name) for name in ("key", "time", "clef"))
    _add(key, "fifths", str(piece.fifths))
    _add(key, "mode", piece.mode)
    for name, value in zip(("beats", "beat-type"), piece.meter.split("/"), strict=True):
        _add(time, name, value)
    sign, line, octaves = _CLEFS[voice]
    _add(clef, "sign", sign)
    _add(clef, "line", str(line))
    if octaves:
        _add(clef, "clef-octave-change", str(octaves))
    for pitch, start, size in _runs(piece, voice):
        tied, stop = False, start + size
        while start < stop:
            if start == end:
                end, number = end + length, number + 1
                measure = _add(part, "measure", number=str(number))
            steps = next(steps for steps in _TYPES if steps <= min(stop, end) - start)
            start += steps
            _write_note(measure, pitch, steps, piece.fifths, tied, start < stop)
            tied = True


def _runs(piece: Chorale, voice: int) -> list[tuple[int, int, int]]:
    """What a voice does: (pitch or `REST`, first step, steps)."""
    runs: list[list[int]] = []
    for number, step in enumerate(piece.steps):
        value = step[voice]
        goes_on = value == HOLD or (value == REST and runs and runs[-1][0] == REST)
        if goes_on and runs:
            runs[-1][2] += 1
        else:
            runs.append([max(value, REST), number, 1])
    return [(pitch, start, size) for pitch, start, size in runs]


def _write_note(measure: Element, pitch: int, size: int, fifths: int, stops: bool, starts: bool) -> None:
    note = _add(measure, "note")
    ties = [kind for kind, there in (("stop", stops), ("start", starts)) if there and pitch != REST]
    if pitch == REST:
        _add(note, "rest")
    else:
        letter, alter = spelling(pitch, fifths)
        given = _add(note, "pitch")
        _add(given, "step", letter)
        if alter:
            _add(given, "alter", str(alter))
        _add(given, "octave", str((pitch - alter) // 12 - 1))
    _add(note, "duration", str(size))
    for kind in ties:
        _add(note, "tie", type=kind)
    name, dots = _TYPES[size]
    _add(note, "type", name)
    for _ in range(dots):
        _add(note, "dot")
    if ties:
        notations = _add(note, "notations")
        for kind in ties:
            _add(notations, "tied", type=kind)


def _add(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    child = SubElement(parent, name, attributes)
    child.text = text or None
    return child
