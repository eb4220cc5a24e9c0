"""The data of the translation task: the descriptions of Debian's packages, in English and translated.

A release publishes the descriptions of its packages in one index for each language. A description is a summary line and
paragraphs; English and a translation are aligned paragraph by paragraph if both have equally many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from suite.datasets.recipes import Recipe, Source, write_parts
from suite.errors import DataError

RELEASE = "bookworm"
#: SHA-256 and size of a language's index, in the release of 11 July 2026 (12.15).
INDICES = {
    "en": ("62f59c3cdca9786e4f7adf9002f9f5729a684adcb4667e58e448dec9b5a46c7f", 32_699_363),
    "it": ("f2010961f0968127812de8484ecead4f45b25b2cb6aeb788f9f25753fbd5cff7", 26_890_950),
    "de": ("adac331fc51f9a00c1b4120b4ac87423be2b1f1615d4f288c7cbc2d5258c0650", 8_017_516),
    "fr": ("1b5ce81d2dac68fb27997899d9e092b8281f984baa658c22139d8f2640aec6cc", 13_260_065),
}
#: (rows, digest) of the parts, by target language.
PARTS = {
    "it": {
        "train": (103_758, "529c902dec16cd14"),
        "dev": (2_131, "8dfde2daa3babb79"),
        "test": (2_185, "d19f13f71b4ddb5b"),
    },
    "de": {
        "train": (30_151, "a0227b3a45307711"),
        "dev": (641, "683f25de3836eaf4"),
        "test": (628, "7e4430d044299307"),
    },
    "fr": {
        "train": (45_758, "a4cabc4135d9dd65"),
        "dev": (957, "21d8dfe87af31cae"),
        "test": (956, "578135516b472655"),
    },
}
#: Of fifty buckets of a paragraph's SHA-1, one is test and one dev.
BUCKETS = 50
#: The most words of an English paragraph, and of a translated one; longer ones are left out.
LONGEST = 60, 80


def source(language: str) -> Source:
    """The index of a language, one of ``INDICES``."""
    sha256, size = INDICES[language]
    return Source(
        purl=f"pkg:generic/debian/i18n-{language}@{RELEASE}",
        filename=f"{RELEASE}-Translation-{language}",
        sha256=sha256,
        size=size,
        licence="LicenseRef-Debian-descriptions",
        origin="Debian's maintainers and translators: the descriptions of packages, as free as the packages",
        moves=True,
    )


def recipe(*languages: str) -> Recipe:
    """English paragraphs with their translations: rows of ``key``, ``source``, ``target`` and ``to``, its language.

    The parts are those of the first language; those of each other one are in a subfolder of its name. A model of
    several languages reads the pairs of all but the first twice an epoch.
    """
    first, *others = languages
    return Recipe(
        sources=tuple(source(language) for language in ("en", *languages)),
        build=partial(build, languages=languages),
        note=(
            f"Descriptions of the packages of Debian {RELEASE}, in English and {' and '.join(map(repr, languages))}. A "
            "row's key is its English paragraph; of the fifty buckets of its SHA-1, 0 is test and 1 dev."
        ),
        parts=PARTS.get(first, {}),
        train=("train.jsonl", *(f"{language}/train.jsonl" for language in others for _ in range(2))),
        dev=("dev.jsonl", *(f"{language}/dev.jsonl" for language in others)),
    )


def build(folders: Mapping[str, Path], out: Path, *, languages: Sequence[str]) -> None:
    """Write ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl`` (rows of `pairs`) of each language."""
    english, *others = (
        descriptions(folders[found.purl] / found.filename, language)
        for language, found in ((language, source(language)) for language in ("en", *languages))
    )
    for language, other in zip(languages, others, strict=True):
        place = out if language == languages[0] else out / language
        place.mkdir(exist_ok=True)
        found = pairs(english, other)
        write_parts(place, ({"key": a, "source": a, "target": b, "to": language} for a, b in found), BUCKETS)


def pairs(english: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Pairs of (English paragraph, translation), without duplicates, in the order of the English descriptions.

    Descriptions whose translation has another number of paragraphs are left out, and so are paragraphs that are empty,
    too long, or not translated (the same text on both sides).
    """
    seen: set[tuple[str, str]] = set()
    for digest, paragraphs in english.items():
        translated = other.get(digest, [])
        if len(translated) != len(paragraphs):
            continue
        for pair in zip(paragraphs, translated, strict=True):
            words = [len(text.split()) for text in pair]
            fits = all(0 < count <= most for count, most in zip(words, LONGEST, strict=True))
            if fits and pair[0] != pair[1] and pair not in seen:
                seen.add(pair)
                yield pair


def descriptions(path: Path, language: str) -> dict[str, list[str]]:
    """The descriptions of an index by the MD5 of the English one: the summary line, then the paragraphs.

    An index has blocks of ``Name: value`` lines, separated by empty lines; a value continues on lines that start with
    a space, where a lone ``.`` separates paragraphs. Raises DataError if there is no description.
    """
    found: dict[str, list[str]] = {}
    digest, paragraphs = "", None
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if line.startswith(" "):
                if paragraphs is None:
                    continue
                text = line.strip()
                if text == ".":
                    paragraphs.append([])
                else:
                    paragraphs[-1].append(text)
            elif name == "Description-md5":
                digest = value.strip()
            elif name == f"Description-{language}":
                paragraphs = [[value.strip()], []]
            if line == "\n" and paragraphs is not None:
                found[digest] = [" ".join(words) for words in paragraphs]
                paragraphs = None
    if paragraphs is not None:
        found[digest] = [" ".join(words) for words in paragraphs]
    if not found:
        raise DataError(f"{path.name}: no descriptions in {language!r} in it; is it the right file?")
    return found
