"""Kinds of ABC tokens, as the rules of tunes tell them apart."""

from __future__ import annotations

import re

from suite_music.notation import abc
from suite_music.notation.piece_codec import END
from suite_music.notation.tunes import SPECIAL

#: Ornaments that every reader of ABC knows.
ORNAMENTS = ".~Tuv"
#: What a token is to the rules; a token of no kind is never written.
KINDS = (
    "end", "meter", "unit", "key", "note", "rest", "length", "broken", "tuplet", "grace on", "grace off",
    "slur on", "slur off", "ornament", "blank", "line", "plain", "first", "second", "closes", "double", "opens", "both",
)  # fmt: skip
#: Bar lines that are understood, by kind, without blanks: the line within a section, before a first and a second
#: ending, and at the end of a section.
BAR_LINES = {
    "plain": ("|", "|\n|"),
    "first": ("|1", "|[1", "|\n[1"),
    "second": (":|2", ":|[2", ":||2", ":|\n[2"),
    "closes": (":|", ":||", ":|]"),
    "double": ("||", "|]"),
    "opens": ("|:", "||:", "|\n|:", "||\n|:", "|]\n|:", "||\n||"),
    "both": ("::", ":|:", ":||:", ":|\n|:", ":||\n|:", ":|]\n|:"),
}
_KIND_OF_BAR_LINE = {sign: kind for kind, signs in BAR_LINES.items() for sign in signs}
SECTION_ENDS = {"closes", "double", "opens", "both"}


def kind_of(name: str, event: abc.Event) -> str:
    """What a token is to the rules; empty for one that is never written."""
    if name in SPECIAL:
        return "end" if name == SPECIAL[END] else ""
    if event.kind in ("meter", "unit", "key"):
        return event.kind if name[0] != "[" and event.value else ""
    if event.kind == "bar":
        return _KIND_OF_BAR_LINE.get(re.sub(r"[ \\]", "", name).strip("\n"), "")
    if event.kind == "grace":
        return "grace on" if event.value else "grace off"
    if event.kind == "tuplet":
        return "tuplet" if event.value == (3, 2, 3) else ""
    if event.kind in ("note", "rest", "length", "broken"):
        return event.kind
    if event.kind != "other":
        return ""
    plain = {"(": "slur on", ")": "slur off", **dict.fromkeys(ORNAMENTS, "ornament")}
    if re.fullmatch(" +", name):
        return "blank"
    return "line" if re.fullmatch(r" *\\?\n *", name) else plain.get(name, "")
