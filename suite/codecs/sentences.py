"""Text as sentences, of bounded length, with the white space between them; whole or in pieces alike.

A sentence ends at a line's end, or at a full stop, a question or exclamation mark (and quotes that close after it)
before white space, save after abbreviations and in numbered lists. One that is longer than ``LONGEST`` letters is
cut, best after a comma. Whether it ends there is decided by what comes up to the next letter, so that text that
comes in pieces is cut as the whole would be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from suite.codecs.text import TextBuffer

#: Letters of the longest sentence: about as many words as a paragraph has.
MAX_SENTENCE_LENGTH = 400

_END = re.compile(r"""(?P<stop>[.!?…]+)["'”’»)\]]*(?=\s)|[。！？]+[」』”）]*(?=[^。！？」』”）])|(?=[\n\r])""")
_WORD_BEFORE = re.compile(r"(?:^|[\s(\[\"'“‘«])([^\s(\[\"'“‘«]*)$")
_BREATH = re.compile(r"[,;:–—]\s")
_ABBREVIATIONS = frozenset(
    "e.g i.e etc vs cf dr mr mrs ms prof st no inc ltd co jr sr fig approx resp incl ca nr vol ed al pp p "
    "z.b d.h u.a bzw usw vgl abb evtl ggf ecc es sig dott ing pag art n p.es m mme mlle c.-à-d env ex".split()
)


def split_sentences(text: str) -> list[tuple[str, str]]:
    """Each sentence with the white space before it; what ends the text is (space, ``""``) if there is any."""
    cutter = SentenceSegmenter()
    return [*cutter.feed(text), *cutter.flush()]


class SentenceSegmenter(TextBuffer):
    """Text or UTF-8 bytes in pieces to (white space, sentence) pairs; a sentence comes once it is known to have ended.

    Raises DataError for bytes that are not UTF-8.
    """

    def feed(self, piece: str | bytes) -> Iterator[tuple[str, str]]:
        """The sentences that this piece ends."""
        text = self._text(piece)
        for start in range(0, len(text), 8 * MAX_SENTENCE_LENGTH):
            self._held += text[start : start + 8 * MAX_SENTENCE_LENGTH]
            yield from self._ended(final=False)

    def flush(self) -> Iterator[tuple[str, str]]:
        """What is left at the end."""
        self._held += self._rest()
        yield from self._ended(final=True)

    def _ended(self, final: bool) -> Iterator[tuple[str, str]]:
        while (cut := _cut(self._held, final)) is not None:
            self._held = self._held[len(cut[0]) + len(cut[1]) :]
            yield cut


def _cut(text: str, final: bool) -> tuple[str, str] | None:
    """The white space and the sentence that a text begins with; None where it may go on."""
    body = text.lstrip()
    space = text[: len(text) - len(body)]
    if len(space) > MAX_SENTENCE_LENGTH:
        return space[:MAX_SENTENCE_LENGTH], ""
    window = body[: MAX_SENTENCE_LENGTH + 1]
    for match in _END.finditer(window):
        if match.end() and not _goes_on(window, match):
            return space, window[: match.end()].rstrip()
    if len(body) > MAX_SENTENCE_LENGTH:
        return space, window[: _breath(window)].rstrip()
    if not final or not text:
        return None
    return space, body.rstrip()


def _goes_on(text: str, match: re.Match[str]) -> bool:
    """Whether a full stop only ends an abbreviation, an initial, or the number of an item in a list."""
    if match["stop"] != ".":
        return False
    before = _WORD_BEFORE.search(text[: match.start()])
    word = before[1].lower() if before else ""
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()) or text[: match.start()].isdigit()


def _breath(text: str) -> int:
    """Where to cut what is too long: after the last comma of its second half, else at its last space, else its end."""
    places = [match.end() for match in _BREATH.finditer(text, MAX_SENTENCE_LENGTH // 2)]
    at = places[-1] if places else max(text.rfind(" "), 0)
    return at or MAX_SENTENCE_LENGTH
