"""Texts as letters, for models that spell what they hear: no letter at all is 0, letters count from 1.

It may have an n-gram language model of words, for shallow fusion in the beam search.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np

from suite.codecs.serialization import json_file, read_json_file
from suite.config import check_ranges, from_dict
from suite.decoding import ngram_lm as ngrams
from suite.errors import CheckpointError, DataError

FILE = "letters.json"
Criterion = Literal["ctc", "rnnt"]


@dataclass(frozen=True)
class CharacterSpec:
    """What texts are made of.

    ``alphabet`` are the letters, in the lower case, a space between words among them. ``digits`` are the words that
    digits are spoken as, one by one; empty where digits are letters of the alphabet.
    """

    alphabet: str = " 'abcdefghijklmnopqrstuvwxyz"
    digits: tuple[str, ...] = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

    def __post_init__(self) -> None:
        if " " not in self.alphabet or len(set(self.alphabet)) < len(self.alphabet):
            raise ValueError("alphabet must have a space, and each letter once")
        if self.alphabet != self.alphabet.lower():
            raise ValueError("alphabet must be in the lower case: texts are")
        if len(self.digits) not in (0, 10):
            raise ValueError(f"digits must name ten words, or none, not {len(self.digits)}")


@dataclass(frozen=True)
class CharacterCodec:
    """Texts → ``[U]`` int64, one number a letter. ``criterion`` is what aligns them with what is heard.

    ``doubt`` is the confidence below which an answer is called doubtful. ``expects`` is what the texts of training are
    like, None where that was not learnt.
    """

    spec: CharacterSpec
    criterion: Criterion = "ctc"
    doubt: float = 0.5
    expects: ngrams.PackedNgramLM | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        check_ranges(self, least={"doubt": 0})

    @classmethod
    def fit(cls, texts: Iterable[Any], spec: CharacterSpec, criterion: Criterion, expects: ngrams.NgramSpec) -> Self:
        """Letters that expect what ``texts`` have; what is wrong with some of these is said where they are learnt."""
        letters, plain = cls(spec, criterion), []
        for text in texts if expects.order else ():
            try:
                plain.append(letters.plain(text) if isinstance(text, str) else "")
            except DataError:
                continue
        return dataclasses.replace(letters, expects=ngrams.fit_ngram(plain, expects))

    @property
    def size(self) -> int:
        """How many there are, the blank included (V)."""
        return len(self.spec.alphabet) + 1

    @property
    def loss(self) -> str:
        """What is minimised."""
        return self.criterion

    @property
    def space(self) -> int:
        """The number of the space."""
        return self.spec.alphabet.index(" ") + 1

    def plain(self, text: str) -> str:
        """A text as it is learnt and judged: lower case, digits as words, no punctuation, single spaces.

        Accents go where the alphabet has the letter only without. Raises DataError for a letter it has not at all.
        """
        known = self.spec.alphabet
        text = re.sub(r"[-‐‑–—/_\s]", " ", text.lower().replace("’", "'"))
        if self.spec.digits:
            text = re.sub(r"[0-9]", lambda digit: f" {self.spec.digits[int(digit[0])]} ", text)
        found = []
        for letter in text:
            for part in letter if letter in known else unicodedata.normalize("NFKD", letter):
                if part in known:
                    found.append(part)
                elif unicodedata.category(part)[0] in "LN":
                    raise DataError(f"{part!r} in {text.strip()[:40]!r} is not in the alphabet {known!r}; spell it so")
        words = (word.strip("'") for word in "".join(found).split())
        return " ".join(word for word in words if word)

    def encode(self, targets: Iterable[Any]) -> list[np.ndarray]:
        """Each text's letters. Raises DataError for one that is empty or not of these letters."""
        found = []
        for target in targets:
            if not isinstance(target, str) or not (text := self.plain(target)):
                raise DataError("no text; write what is said, or leave the row out")
            found.append(np.asarray([self.spec.alphabet.index(letter) + 1 for letter in text], np.int64))
        return found

    def decode(self, letters: Iterable[int]) -> str:
        """The text of numbers above 0."""
        return "".join(self.spec.alphabet[letter - 1] for letter in letters)

    def least(self, target: np.ndarray) -> int:
        """How many steps a recording must have for these letters: with CTC, a blank between two that are alike."""
        if self.criterion == "rnnt":
            return 1
        return len(target) + int((target[1:] == target[:-1]).sum())

    def files(self) -> dict[str, bytes]:
        values = {
            "alphabet": self.spec.alphabet, "digits": list(self.spec.digits), "criterion": self.criterion,
            "doubt": self.doubt,
        }  # fmt: skip
        own = json_file(FILE, values)
        return own if self.expects is None else own | self.expects.files()

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        values = read_json_file(files, FILE, "alphabet", "digits", "criterion", "doubt")
        spec = {name: values.pop(name) for name in ("alphabet", "digits")}
        made = from_dict(CharacterSpec, spec, where=FILE, error=CheckpointError)
        letters: Self = from_dict(cls, {"spec": made, **values}, where=FILE, error=CheckpointError)
        expects = ngrams.PackedNgramLM.from_files(files) if ngrams.FILE in files else None
        return dataclasses.replace(letters, expects=expects)


def spoken_form(text: str) -> str:
    """A text's letters a to z, apostrophes and single spaces, digits as words; empty for one with brackets.

    What is in brackets describes a sound: such a text is not what is said, word for word.
    """
    if re.search(r"[\[\](){}]", text):
        return ""
    digits = CharacterSpec().digits
    text = re.sub(r"\d", lambda digit: f" {digits[int(digit[0])]} ", text.lower().replace("-", " "))
    return " ".join(re.sub(r"[^a-z' ]+", " ", text).split())
