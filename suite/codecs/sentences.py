"""Sentence segmentation: text cut into sentences of bounded length, with the white space between them.

A sentence ends at the end of a line, or at a full stop, question mark or exclamation mark (with the quotes and brackets
that close after it) before white space, but not after an abbreviation or an item's number in a list. A longer one than
`MAX_LENGTH` characters is cut, preferably after a comma. Where a sentence ends is decided by what comes up to the next
character, so text that arrives in pieces is cut like the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from suite.codecs.text import TextBuffer

#: Characters of the longest sentence, about a paragraph.
MAX_LENGTH = 400

_END = re.compile(r"""(?P<stop>[.!?…]+)["'”’»)\]]*(?=\s)|[。！？]+[」』”）]*(?=[^。！？」』”）])|(?=[\n\r])""")
_WORD_BEFORE = re.compile(r"(?:^|[\s(\[\"'“‘«])([^\s(\[\"'“‘«]*)$")
_COMMA = re.compile(r"[,;:–—]\s")
_ABBREVIATIONS = frozenset(
    "e.g i.e etc vs cf dr mr mrs ms prof st no inc ltd co jr sr fig approx resp incl ca nr vol ed al pp p "
    "z.b d.h u.a bzw usw vgl abb evtl ggf ecc es sig dott ing pag art n p.es m mme mlle c.-à-d env ex".split()
)


def split_sentences(text: str) -> list[tuple[str, str]]:
    """Pairs of (white space before it, sentence); white space at the end of the text comes with an empty sentence."""
    segmenter = SentenceSegmenter()
    return [*segmenter.feed(text), *segmenter.flush()]


class SentenceSegmenter(TextBuffer):
    """Cuts text or UTF-8 bytes into sentences, each with the white space before it, as soon as it has ended.

    A ``Segmenter`` (``suite.task``). Raises DataError for bytes that are not UTF-8.
    """

    def feed(self, piece: str | bytes) -> Iterator[tuple[str, str]]:
        """The sentences that this piece completes."""
        text = self._text(piece)
        for start in range(0, len(text), 8 * MAX_LENGTH):
            self._held += text[start : start + 8 * MAX_LENGTH]
            yield from self._ended(final=False)

    def flush(self) -> Iterator[tuple[str, str]]:
        """The last sentence, which nothing ended."""
        self._held += self._rest()
        yield from self._ended(final=True)

    def _ended(self, final: bool) -> Iterator[tuple[str, str]]:
        while (cut := _cut(self._held, final)) is not None:
            self._held = self._held[len(cut[0]) + len(cut[1]) :]
            yield cut


def _cut(text: str, final: bool) -> tuple[str, str] | None:
    """The white space and the sentence at the start of a text; None if the sentence may continue."""
    body = text.lstrip()
    space = text[: len(text) - len(body)]
    if len(space) > MAX_LENGTH:
        return space[:MAX_LENGTH], ""
    window = body[: MAX_LENGTH + 1]
    for match in _END.finditer(window):
        if match.end() and not _continues(window, match):
            return space, window[: match.end()].rstrip()
    if len(body) > MAX_LENGTH:
        return space, window[: _break(window)].rstrip()
    if not final or not text:
        return None
    return space, body.rstrip()


def _continues(text: str, match: re.Match[str]) -> bool:
    """Whether a full stop belongs to an abbreviation, an initial, or the number of an item in a list."""
    if match["stop"] != ".":
        return False
    before = _WORD_BEFORE.search(text[: match.start()])
    word = before[1].lower() if before else ""
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()) or text[: match.start()].isdigit()


def _break(text: str) -> int:
    """Where to cut a sentence that is too long: after the last comma of its second half, else at its last space."""
    places = [match.end() for match in _COMMA.finditer(text, MAX_LENGTH // 2)]
    at = places[-1] if places else max(text.rfind(" "), 0)
    return at or MAX_LENGTH
