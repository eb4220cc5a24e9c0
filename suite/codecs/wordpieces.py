"""Text as word pieces, one whitespace-separated word at a time.

Data flow: text → words (split at whitespace) → tokens of each word (emoticons and runs of punctuation kept
whole, lower case, with marker tokens for capitals and stretched words) → word pieces by ``tokenizers``. A word
is encoded without looking at its neighbours, so a text that arrives in any pieces gives the same ids.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from suite.codecs.serialization import json_file, read_json_file, read_tokenizer
from suite.codecs.text import TextBuffer
from suite.config import check_ranges, from_dict, to_dict
from suite.errors import CheckpointError, DataError

SETTINGS, PIECES = "words.json", "tokenizer.json"
PAD, UNKNOWN, CAPITALS, STRETCHED, LINK, MENTION = "<pad>", "<unk>", "<caps>", "<long>", "<url>", "<user>"
SPECIAL = (PAD, UNKNOWN, CAPITALS, STRETCHED, LINK, MENTION)

#: A word longer than this is cut, so that a text without spaces is still read in bounded memory.
MAX_WORD_LENGTH = 256

_TOKEN = re.compile(
    r"(?P<link>(?:https?://|www\.)\S+)"
    r"|(?P<mention>(?<!\w)@\w+)"
    r"|(?P<face>(?<!\w)(?:[<>]?[:;=8xX][-o*']?[)\](\[dDpPoO3/\\|@*]|[)\](\[/\\|][-o*']?[:;=8]|</?3+|[\^>][_.-][\^<])(?!\w))"
    r"|(?P<number>\d+(?:[.,:/]\d+)*)"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)"
    r"|(?P<run>([^\w\s])\7*|_+)"
)
_CLITIC = re.compile(r"(.+?)(n't|'(?:s|re|ll|ve|m|d))$")
_STRETCH = re.compile(r"(\w)\1{2,}")
#: Kinds of quotation mark, and what only changes how an emoji is drawn (its presentation and skin).
_SAME = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "…": "...",
        "\ufe0f": None,
        **{chr(c): None for c in range(0x1F3FB, 0x1F400)},
    }
)


@dataclass(frozen=True)
class WordPieceSpec:
    """How text becomes tokens.

    ``vocabulary`` bounds the whole words, most frequent first; ``pieces`` is how many word pieces are learnt
    for words that are not among them; ``min_count`` is how often a word of the training data must occur.
    """

    vocabulary: int = 20000
    pieces: int = 2000
    min_count: int = 2

    def __post_init__(self) -> None:
        check_ranges(self, least={"vocabulary": 1, "pieces": 0, "min_count": 1})


class WordPieceCodec:
    """Text ↔ ids. Fit it on training texts; ``encode`` a whole text, or feed an ``incremental`` one."""

    def __init__(self, tokenizer: Tokenizer, spec: WordPieceSpec) -> None:
        self.tokenizer, self.spec = tokenizer, spec
        self._known = _Known(tokenizer)
        self._seen: dict[str, tuple[int, ...]] = {}

    # -- fitting and files -------------------------------------------------------------------------------

    @classmethod
    def fit(cls, texts: Iterable[str], spec: WordPieceSpec, words: Sequence[str] = ()) -> Self:
        """A codec whose whole words are those of ``texts``, then ``words`` in their order."""
        counts: Counter[str] = Counter()
        for text in texts:
            for word in text.split():
                counts.update(_tokens(word, frozenset()))
        for special in SPECIAL:
            counts.pop(special, None)
        if not counts:
            raise DataError("the training texts have no words; check that the text column is the right one")
        own = [word for word, count in counts.most_common() if count >= spec.min_count]
        whole = dict.fromkeys([*own, *(word for word in words if word not in SPECIAL)])
        names = [*SPECIAL, *list(whole)[: spec.vocabulary]]
        names = list(dict.fromkeys([*names, *_pieces(counts, spec.pieces)]))
        vocabulary = {name: i for i, name in enumerate(names)}
        # The longest-match search is quadratic in a word's length: words past 64 letters are cut first.
        model = WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=64)
        return cls(Tokenizer(model), spec)

    def files(self) -> dict[str, bytes]:
        return json_file(SETTINGS, {"words": to_dict(self.spec)}) | {PIECES: self.tokenizer.to_str().encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        settings = read_json_file(files, SETTINGS, "words")
        tokenizer = read_tokenizer(files, PIECES)
        return cls(tokenizer, from_dict(WordPieceSpec, settings["words"], where=SETTINGS, error=CheckpointError))

    # -- text to ids -------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many ids there are (V)."""
        return int(self.tokenizer.get_vocab_size())

    @property
    def unknown(self) -> int:
        """The id of what no piece fits."""
        return self.tokenizer.get_vocab()[UNKNOWN]

    @property
    def vocabulary(self) -> list[str]:
        """Every token, by id."""
        table = self.tokenizer.get_vocab()
        return sorted(table, key=table.__getitem__)

    def word(self, word: str) -> tuple[int, ...]:
        """The ids of one word. Empty for a word of control characters only."""
        found = self._seen.get(word)
        if found is None:
            try:
                tokens = _tokens(word, self._known)
                encoding = self.tokenizer.encode(tokens, is_pretokenized=True, add_special_tokens=False)
            except (
                TypeError,
                UnicodeEncodeError,
            ):  # tokenizers takes no half of a surrogate pair: what bytes that are no text become
                raise DataError(f"{word!a} is not UTF-8 text; convert it first") from None
            found = tuple(encoding.ids)
            if len(self._seen) < 16_384 and len(word) <= 32:  # bounded: a stream may never repeat a word
                self._seen[word] = found
        return found

    def encode(self, raw: Any) -> np.ndarray:
        """One text as int64 ids ``[T]``. Raises DataError for what is not a text, or has no words."""
        if not isinstance(raw, str):
            raise DataError(f"expected a text, got {type(raw).__name__}; pass a str")
        ids = [i for word in split_words(raw) for i in self.word(word)]
        if not ids:
            raise DataError("the text is empty; give at least one word")
        return np.asarray(ids, dtype=np.int64)

    def incremental(self, pending: Any = None) -> TextFeeder:
        """A feeder that takes text or UTF-8 bytes in any pieces, and gives a step a word."""
        return TextFeeder(self, pending)


class _Known:
    """Which words a tokenizer has whole; asked one by one, since listing them all takes longer than a prediction."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._id = tokenizer.token_to_id

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self._id(word) is not None


class WordEncoder(Protocol):
    """A codec that encodes a text word by word."""

    def word(self, word: str) -> tuple[int, ...]:
        """The ids of one word."""
        ...


class TextFeeder(TextBuffer):
    """Text in pieces to whole words; a word is finished by whitespace, or by the end."""

    def __init__(self, codec: WordEncoder, pending: Mapping[str, str] | None = None) -> None:
        super().__init__(pending)
        self._codec = codec

    def feed(self, piece: Any) -> list[tuple[Any, np.ndarray]]:
        text = self._held + self._text(piece)
        if text and not text[-1].isspace():
            # The last word may go on. What is too long for a word is cut as it would be in a whole text.
            head, tail = _at_last_space(text)
            keep = len(tail) % MAX_WORD_LENGTH or (MAX_WORD_LENGTH if tail else 0)
            self._held = tail[len(tail) - keep :]
            text = head + tail[: len(tail) - keep]
        else:
            self._held = ""
        return self._steps(text)

    def flush(self) -> list[tuple[Any, np.ndarray]]:
        text = self._held + self._rest()
        self._held = ""
        return self._steps(text)

    def _steps(self, text: str) -> list[tuple[Any, np.ndarray]]:
        steps = ((word, self._codec.word(word)) for word in split_words(text))
        return [(word, np.asarray(ids, dtype=np.int64)) for word, ids in steps if ids]


def split_words(text: str) -> Iterator[str]:
    """The words of a text, split at whitespace; one longer than ``MAX_WORD_LENGTH`` is cut."""
    for word in text.split():
        if len(word) <= MAX_WORD_LENGTH:
            yield word
        else:
            yield from (word[i : i + MAX_WORD_LENGTH] for i in range(0, len(word), MAX_WORD_LENGTH))


def _tokens(word: str, known: Container[str]) -> list[str]:
    """One word as tokens. ``known`` words are kept whole; empty while a vocabulary is being counted."""
    word = html.unescape(word).translate(_SAME)
    if word in known:
        return [word]
    found: list[str] = []
    for match in _TOKEN.finditer(word):
        kind, text = match.lastgroup, match.group()
        if kind == "link":
            found.append(LINK)
        elif kind == "mention":
            found.append(MENTION)
        elif kind == "word":
            if len(text) > 1 and text.isupper():
                found.append(CAPITALS)
            text = text.lower()
            if _STRETCH.search(text):
                found.append(STRETCHED)
                twice = _STRETCH.sub(r"\1\1", text)
                text = twice if twice in known else _STRETCH.sub(r"\1", text)
            clitic = None if text in known else _CLITIC.match(text)
            found.extend(clitic.groups() if clitic else (text,))
        elif match.group("run"):
            # "!!!!!!" is one token as far as four, an emoji as far as one; more of the same says no more.
            found.append(text[:4] if text.isascii() else text[0])
        else:
            found.append(text)
    return found


def _pieces(counts: Counter[str], size: int) -> list[str]:
    """Word pieces for words outside the vocabulary: every letter, and the ``size`` most useful pieces."""
    from tokenizers.trainers import WordPieceTrainer

    letters: Counter[str] = Counter()
    for word, count in counts.items():
        letters.update(dict.fromkeys(word, min(count, 3)))
    alphabet = sorted(letter for letter, count in letters.most_common(600) if count >= 2)
    usual = frozenset(alphabet)
    # Words of usual letters only: the learner would break ties among rare letters differently from run to run.
    words = [word for word in sorted(counts) if len(word) <= 30 and usual.issuperset(word)]
    learner = Tokenizer(WordPiece(unk_token=UNKNOWN))
    # Given beforehand, the letters have the same numbers in every run, and by those the learner breaks ties.
    letters_first = [*alphabet, *(f"##{letter}" for letter in alphabet)]
    trainer = WordPieceTrainer(vocab_size=size + len(letters_first), special_tokens=letters_first, show_progress=False)
    learner.train_from_iterator((word for word in words for _ in range(min(counts[word], 20))), trainer)
    # The learner numbers its pieces in no fixed order; their set is the same every time.
    return [*letters_first, *sorted(learner.get_vocab())]


def _at_last_space(text: str) -> tuple[str, str]:
    last = text.rsplit(maxsplit=1)[-1]
    return text[: len(text) - len(last)], last
