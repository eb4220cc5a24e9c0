"""Text as sub-words: pieces that are learnt, and bytes for whatever no piece fits, so that nothing is unknown.

Data flow: text → a space before it → words, each with the space before it → byte-pair pieces (Sennrich et al., 2016,
arXiv:1508.07909) → ids; a letter that was not learnt becomes its UTF-8 bytes. Back: pieces → bytes → text, without
that first space. No letter is changed on the way, so any text comes back as it was.
"""

from __future__ import annotations

import codecs as python_codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Split

from suite.codecs.serialization import json_file, read_json_file, read_tokenizer
from suite.config import check_ranges, from_dict, to_dict
from suite.decoding import reranking as remembering
from suite.decoding.reranking import ExampleMemory
from suite.errors import CheckpointError, DataError, UsageError, nearest

SETTINGS, PIECES = "subwords.json", "tokenizer.json"
PAD, START, END = 0, 1, 2
SPECIAL = ("<pad>", "<s>", "</s>")
BYTES = tuple(f"<0x{value:02X}>" for value in range(256))

#: A word with the space before it; a digit; a run of signs; other white space. Numbers are read digit by digit: a
#: version that was never seen is then copied like any other.
_WORD = r" ?[\p{L}\p{M}]+| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+"


@dataclass(frozen=True)
class SubwordSpec:
    """How text becomes sub-words.

    ``vocabulary`` is how many there are, bytes included. In training, ``dropout`` is the chance that two pieces are
    not joined where they could be, so that words are read and written in many ways (see `SubwordCodec.ids`). A
    letter must occur ``min_count`` times to have a piece of its own. The ``whole`` commonest words are one piece each,
    whatever they are made of: what is written is then put together of words, and only a rare one of pieces.
    """

    vocabulary: int = 8000
    dropout: float = 0.0
    min_count: int = 5
    whole: int = 0

    def __post_init__(self) -> None:
        check_ranges(self, least={"vocabulary": 512, "min_count": 1, "whole": 0}, shares=("dropout",))


class SubwordCodec:
    """Text ↔ ids, of one vocabulary for all languages it was fitted on.

    As an input, a text ends with `END`. ``tags`` are tokens no text contains, which say what is wanted of it
    (Johnson et al., 2017, arXiv:1611.04558): where there are any, an input is a pair (tag, text), or a text, which
    then has the tag ``wanted``, the first unless `towards` chose another.
    """

    def __init__(self, tokenizer: Tokenizer, spec: SubwordSpec, tags: Sequence[str] = (), wanted: str = "") -> None:
        self.tokenizer, self.spec, self.tags = tokenizer, spec, tuple(tags)
        self.wanted = wanted or (self.tags[0] if self.tags else "")
        self._merging: _DropoutMerger | None = None
        self._bytes: list[bytes] | None = None

    # -- fitting and files -------------------------------------------------------------------------------

    @classmethod
    def fit(cls, texts: Iterable[str], spec: SubwordSpec, tags: Sequence[str] = ()) -> Self:
        """A codec whose pieces are learnt from ``texts`` of all languages; the same for the same texts."""
        from tokenizers.trainers import BpeTrainer

        counts: dict[str, int] = {}
        letters: dict[str, int] = {}
        splitter = Split(Regex(_WORD), "isolated")
        for text in texts:
            for word, _ in splitter.pre_tokenize_str(f" {check_text(text)}"):
                counts[word] = counts.get(word, 0) + 1
        for word, count in counts.items():
            for letter in word:
                letters[letter] = letters.get(letter, 0) + count
        usual = sorted(letter for letter, count in letters.items() if count >= spec.min_count)
        fixed = [*SPECIAL, *(f"<{tag}>" for tag in tags), *BYTES]
        if not usual:
            raise DataError("the training texts have no letters; check that the columns are the right ones")
        if len(fixed) + len(usual) > spec.vocabulary:
            raise DataError(
                f"a vocabulary of {spec.vocabulary:,} is too small for {len(usual):,} different letters and "
                f"{len(fixed)} other tokens; raise subwords.vocabulary or subwords.min_count"
            )
        known = frozenset(usual)
        # Words of usual letters only, in a fixed order: the learner breaks ties by it.
        words = [word for word in sorted(counts) if len(word) <= 40 and known.issuperset(word)]
        room = min(spec.whole, spec.vocabulary - len(fixed) - len(usual))
        whole = [word for word in sorted(words, key=lambda word: -counts[word])[:room] if word not in fixed]
        words = sorted(set(words) - set(whole))
        learner = Tokenizer(BPE())
        trainer = BpeTrainer(
            vocab_size=spec.vocabulary - len(fixed) - len(whole),
            special_tokens=usual,
            min_frequency=2,
            show_progress=False,
        )
        learner.train_from_iterator((word for word in words for _ in range(min(counts[word], 1000))), trainer)
        merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
        # Of the tokens that are no text, none may come out of letters.
        merges = [pair for pair in merges if "".join(pair) not in fixed]
        names = dict.fromkeys([*fixed, *usual, *whole, *("".join(pair) for pair in merges)])
        table = {name: i for i, name in enumerate(names)}
        model = BPE(table, merges, byte_fallback=True, ignore_merges=bool(whole))
        tokenizer = Tokenizer(model)
        tokenizer.pre_tokenizer = splitter
        return cls(tokenizer, spec, tags)

    def files(self) -> dict[str, bytes]:
        settings = json_file(SETTINGS, {"subwords": to_dict(self.spec), "tags": list(self.tags)})
        return settings | {PIECES: self.tokenizer.to_str().encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        settings = read_json_file(files, SETTINGS, "subwords", "tags")
        tokenizer = read_tokenizer(files, PIECES)
        if [tokenizer.id_to_token(i) for i in range(len(SPECIAL))] != list(SPECIAL):
            raise CheckpointError(f"{PIECES}: is not a tokenizer of sub-words; copy the checkpoint again")
        spec = from_dict(SubwordSpec, settings["subwords"], where=SETTINGS, error=CheckpointError)
        return cls(tokenizer, spec, settings["tags"])

    # -- text to ids -------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many ids there are (V)."""
        return int(self.tokenizer.get_vocab_size())

    def towards(self, tag: str) -> Self:
        """The same codec, by which a text without a tag has this one. Raises UsageError for one it does not have."""
        if tag not in self.tags:
            raise UsageError(f"no tag {tag!r}; {self._known(tag)}")
        return type(self)(self.tokenizer, self.spec, self.tags, tag)

    def _known(self, tag: str) -> str:
        return nearest(tag, self.tags) if self.tags else "this model has none"

    def ids(self, text: str, random: np.random.Generator | None = None, dropout: float = 0.0) -> list[int]:
        """The ids of a text. Raises DataError for what is no text.

        With ``dropout`` two pieces that could be joined are not, by this chance, at each step of joining
        (BPE-dropout: Provilkov et al., 2020, arXiv:1910.13267); the text is the same.
        """
        text = f" {check_text(text)}"
        if random is None or not dropout:
            return list(self.tokenizer.encode(text, add_special_tokens=False).ids)
        if self._merging is None:
            self._merging = _DropoutMerger(self.tokenizer)
        return self._merging.ids(text, dropout, random)

    def encode(self, raw: Any, random: np.random.Generator | None = None, dropout: float = 0.0) -> np.ndarray:
        """One input as int64 ids ``[S]``: its tag where there are tags, the text, `END`. Raises DataError."""
        tag, raw = raw if isinstance(raw, tuple) and len(raw) == 2 else (self.wanted, raw)
        if tag and tag not in self.tags:
            raise DataError(f"no tag {tag!r:.40}; {self._known(str(tag))}")
        before = [len(SPECIAL) + self.tags.index(tag)] if tag else []
        if isinstance(raw, str) and not raw.strip():
            raise DataError("the text is empty; give at least one word")
        return np.asarray([*before, *self.ids(raw, random, dropout), END], dtype=np.int64)

    # -- ids to text -------------------------------------------------------------------------------------

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """What each id stands for, readable: a byte that is no text by itself as ``<0xE2>``."""
        return [str(self.tokenizer.id_to_token(int(i))) for i in ids]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; tokens that are no text are skipped, bytes that make no text become U+FFFD."""
        writer = self.writer()
        return "".join([*(writer.feed(int(i)) for i in ids), writer.flush()])

    def writer(self) -> Detokenizer:
        """The same token by token."""
        if self._bytes is None:
            aside = len(SPECIAL) + len(self.tags)
            names = self.tokens(range(self.size))
            own = [b"" for _ in range(aside)] + [bytes([value]) for value in range(256)]
            self._bytes = own + [name.encode() for name in names[len(own) :]]
        return Detokenizer(self._bytes)


class SubwordTarget:
    """A `SubwordCodec` as what a model learns to write: a list of ids ``[T]`` for each text, `END` at the end.

    ``remembered`` are the training items used for reranking, None if they are not kept.
    """

    loss = "cross_entropy"
    start = START

    def __init__(self, codec: SubwordCodec, remembered: ExampleMemory | None = None) -> None:
        self.codec, self.remembered = codec, remembered

    def files(self) -> dict[str, bytes]:
        return self.codec.files() | (self.remembered.files() if self.remembered else {})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        kept = ExampleMemory.from_files(files) if remembering.FILE in files else None
        return cls(SubwordCodec.from_files(files), kept)

    def remembering(self, kept: ExampleMemory | None) -> Self:
        """The same, with other training items for reranking, or none."""
        return type(self)(self.codec, kept)

    def plain(self, target: Any) -> str:
        """A target as one text."""
        return str(target)

    @property
    def size(self) -> int:
        return self.codec.size

    def encode(
        self, targets: Iterable[Any], random: np.random.Generator | None = None, dropout: float = 0.0
    ) -> list[np.ndarray]:  # fmt: skip
        """Texts as int64 ids ``[T]`` each, `END` at the end. Raises DataError for one that is empty or no text."""
        found = []
        for text in targets:
            if isinstance(text, str) and not text.strip():
                raise DataError("a target is empty; leave such pairs out")
            found.append(np.asarray([*self.codec.ids(text, random, dropout), END], dtype=np.int64))
        return found


class Detokenizer:
    """Ids to text as they come; an unfinished letter is held back."""

    def __init__(self, table: Sequence[bytes]) -> None:
        self._table = table
        self._decoder = python_codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = False

    def feed(self, token: int) -> str:
        """What the token adds to the text."""
        return self._after(self._decoder.decode(self._table[token]))

    def flush(self) -> str:
        """What was held back, at the end."""
        return self._after(self._decoder.decode(b"", final=True))

    def _after(self, text: str) -> str:
        if self._begun or not text:
            return text
        self._begun = True
        return text.removeprefix(" ")


class _DropoutMerger:
    """Byte-pair merging with dropout, by numbers of a given generator: tokenizers' own draws cannot be repeated."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        model = json.loads(tokenizer.to_str())["model"]
        self._ids: dict[str, int] = model["vocab"]
        self._ranks = {tuple(pair): i for i, pair in enumerate(model["merges"])}
        self._split = Split(Regex(_WORD), "isolated").pre_tokenize_str

    def ids(self, text: str, dropout: float, random: np.random.Generator) -> list[int]:
        found: list[int] = []
        chances: Iterator[float] = iter(())
        for word, _ in self._split(text):
            pieces = list(word)
            while len(pieces) > 1:
                best, at = len(self._ranks), -1
                for i in range(len(pieces) - 1):
                    rank = self._ranks.get((pieces[i], pieces[i + 1]))
                    if rank is not None and rank < best:
                        chance = next(chances, -1.0)
                        if chance < 0:
                            chances = iter(random.random(256).tolist())
                            chance = next(chances)
                        if chance >= dropout:
                            best, at = rank, i
                if at < 0:
                    break
                pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
            for piece in pieces:
                if piece in self._ids:
                    found.append(self._ids[piece])
                else:
                    found += [self._ids[BYTES[value]] for value in piece.encode()]
        return found


_HALF = re.compile("[\ud800-\udfff]")


def check_text(text: Any) -> str:
    """A text that has UTF-8. Raises DataError for anything else."""
    if not isinstance(text, str):
        raise DataError(f"expected a text, got {type(text).__name__}; pass a str")
    if _HALF.search(text):
        raise DataError(f"{text[:40]!a} is not UTF-8 text; convert it first")
    return text
