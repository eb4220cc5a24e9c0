"""The data of the captioning task: emoji by five artists, and the stamps of Tux Paint, a drawing program for children.

Emoji are SVG drawings from Iconify's packages, with names from emojibase. The splits are by artist and by code points:
no drawing of the test artist is in training, and a tenth of the emoji in test are not in training by any artist. Images
are rendered on white at the model's input size, and stored as PNG in one ZIP for each part.
"""

from __future__ import annotations

import io
import json
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suite.codecs.images import fit_to_square, open_image
from suite.data.splits import part
from suite.data.zip_paths import Member, write_members
from suite.datasets.recipes import Recipe, Source
from suite.errors import DataError, MissingExtra

#: Pixels of a side: the input size of the shipped models.
SIZE = 96
#: Width in pixels at which drawings without a size are rendered, before they are scaled to fit.
DRAWN = 2 * SIZE


@dataclass(frozen=True)
class Artist:
    """A set of emoji by one artist, as Iconify publishes it."""

    name: str
    version: str
    sha256: str
    size: int
    licence: str
    origin: str

    @property
    def source(self) -> Source:
        """The published package."""
        return Source(
            purl=f"pkg:npm/@iconify-json/{self.name}@{self.version}",
            filename=f"iconify-json-{self.name}-{self.version}.tgz",
            sha256=self.sha256,
            size=self.size,
            licence=self.licence,
            origin=self.origin,
        )


TRAINED = (
    Artist(
        "twemoji", "1.2.5", "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7", 1_555_888,
        "CC-BY-4.0", "Twitter and the contributors of twemoji",
    ),
    Artist(
        "openmoji", "1.2.29", "03181e2c156cab35cf4a62f1f7886bd971d59212e75ac3f189d5a4cae3930fc5", 1_264_633,
        "CC-BY-SA-4.0", "OpenMoji, by HfG Schwäbisch Gmünd and contributors",
    ),
    Artist(
        "fluent-emoji-flat", "1.2.6", "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175", 1_172_438,
        "MIT", "Microsoft: Fluent Emoji",
    ),
)  # fmt: skip
CHOOSING = Artist(
    "emojione", "1.2.3", "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e", 687_690,
    "CC-BY-4.0", "Emoji One, as kept by EmojiTwo",
)  # fmt: skip
TESTING = Artist(
    "noto", "1.2.9", "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad", 3_102_958,
    "Apache-2.0", "Google: Noto Emoji",
)  # fmt: skip
NAMES = Source(
    purl="pkg:npm/emojibase-data@17.0.0",
    filename="emojibase-data-17.0.0.tgz",
    sha256="d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
    size=6_711_091,
    licence="MIT",
    origin="Miles Johnson: emojibase, after Unicode's CLDR",
)
STAMPS = Source(
    purl="pkg:deb/debian/tuxpaint-stamps-default@2022.06.04-1",
    filename="tuxpaint-stamps-default_2022.06.04-1_all.deb",
    sha256="6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
    size=160_880_444,
    licence="GPL-2.0-only",
    origin="Bill Kendrick and the contributors of Tux Paint",
)


#: What differs from the defaults: a backbone pretrained on photographs generalizes better to an unknown artist. Color
#: carries much (above all that of skin) and is augmented little here, since the augmented drawings vary theirs. These
#: are the settings of the last training stage; docs/tasks.md has those before it.
SETTINGS = (
    "encoder.backbone=lite0", "encoder.weights=DEFAULT", "encoder.enlarge=1.3333", "augment.colour=0.06",
    "training.lr=0.0007", "training.frontend_lr=0.2", "training.ema=0.998", "training.epochs=2",
)  # fmt: skip

#: For so few images a frozen backbone at its pretraining resolution is best, with a vocabulary of their captions alone,
#: and with its features pooled to one place.
STAMP_SETTINGS = (
    "encoder.backbone=lite0", "encoder.weights=DEFAULT", "encoder.enlarge=2.3333", "encoder.freeze=true",
    "encoder.pool=7", "subwords.vocabulary=1500", "subwords.min_count=1", "subwords.whole=750",
    "training.batch_size=32", "training.window=1", "training.ema=0.99", "training.epochs=30",
    "training.remember=true",
)  # fmt: skip


def recipe() -> Recipe:
    """Emoji: train by three artists, dev by a fourth and by held-out code points, test by a fifth."""
    return Recipe(
        sources=(*(artist.source for artist in (*TRAINED, CHOOSING, TESTING)), NAMES),
        build=build,
        note=(
            "Emoji and their Unicode names. A code point's bucket, of ten of its SHA-1, is test (0), dev (1) or train. "
            "train: twemoji, openmoji and fluent-emoji-flat without the test and dev code points; dev: their dev code "
            "points, and emojione without the test ones; test: noto, 'seen' where the code point is not a test one. "
            f"Also trained on: redrawn, the drawings of train augmented {REDRAWN} times each."
        ),
        parts=PARTS,
        train=("train.jsonl", "redrawn.jsonl"),
        settings=SETTINGS,
    )


def stamps_recipe() -> Recipe:
    """The stamps of Tux Paint: photographs and drawings with a sentence each."""
    return Recipe(
        sources=(STAMPS,),
        build=build_stamps,
        note="Stamps with their English text; a stamp's key is its path without ending, and ten buckets of its SHA-1 "
        "are test (0), dev (1) and train.",
        parts=STAMP_PARTS,
        settings=STAMP_SETTINGS,
    )


#: (rows, digest of the code points) of the parts.
PARTS = {
    "train": (8_836, "0087f43fde0d87d3"),
    "dev": (2_682, "dfc48046aaa7a0bd"),
    "test": (3_708, "2f7a8d16f1c04ad5"),
}
#: Augmented copies of each emoji.
REDRAWN = 3
STAMP_PARTS = {
    "train": (732, "7eb83a731c35e6eb"),
    "dev": (122, "c7c72819ee4efafd"),
    "test": (96, "ba0813056ce039db"),
}


# --- emoji ----------------------------------------------------------------------------------------------------


def build(folders: Mapping[str, Path], out: Path) -> None:
    """Write each part: rows of ``key``, ``image``, ``captions``, ``artist`` and ``seen``, and a ZIP of images.

    And as ``redrawn`` the drawings of train augmented, the same ones every time.
    """
    from suite_captioning.svg_augmentation import augment_svg, vary_skin_tones

    packages = {artist: folders[artist.source.purl] / "package" for artist in (*TRAINED, CHOOSING, TESTING)}
    labels = names(folders[NAMES.purl] / "package" / "en" / "data.json")
    sets = {artist: icons(packages[artist], labels) for artist in (*TRAINED, TESTING)}
    called = [pair for artist in TRAINED for pair in aliases(packages[artist], sets[artist])]
    sets[CHOOSING] = by_name(packages[CHOOSING], labels, called)

    def drawings(
        wanted: Iterable[tuple[Artist, tuple[str, ...]]], seen: tuple[str, ...]
    ) -> Iterator[tuple[str, str, dict[str, Any], str]]:
        for artist, parts in wanted:
            drawn = svgs(packages[artist])
            for key, name in sorted(sets[artist].items()):
                if part(key) in parts:
                    row = {"captions": [labels[key]], "artist": artist.name, "seen": part(key) in seen}
                    yield key, f"{artist.name}/{key}", row, drawn[name]

    def rows(wanted: Iterable[tuple[Artist, tuple[str, ...]]], seen: tuple[str, ...]) -> Iterator[Member]:
        for key, place, row, svg in drawings(wanted, seen):
            yield key, f"{place}.png", row, draw(svg, SIZE)

    def anew(wanted: Iterable[tuple[Artist, tuple[str, ...]]]) -> Iterator[Member]:
        for key, place, row, svg in drawings(wanted, ("train",)):
            for number in range(REDRAWN):
                random = np.random.default_rng([number, zlib.crc32(place.encode())])
                other = augment_svg(vary_skin_tones(svg, row["captions"][0], random), random)
                yield key, f"{place}-{number}.png", row, draw(other, SIZE)

    learnt = [(artist, ("train",)) for artist in TRAINED]
    _write(out, "train", rows(learnt, ("train",)))
    _write(out, "redrawn", anew(learnt))
    held = [(artist, ("dev",)) for artist in TRAINED]
    _write(out, "dev", rows([*held, (CHOOSING, ("train", "dev"))], ("train",)))
    # In test, seen means not a test code point; the code points of dev count as seen.
    _write(out, "test", rows([(TESTING, ("train", "dev", "test"))], ("train", "dev")))


def names(path: Path) -> dict[str, str]:
    """The name of each emoji by its code points, with skin tones, without the variation selector FE0F."""
    found = {}
    for row in json.loads(path.read_text(encoding="utf-8")):
        for form in (row, *row.get("skins", ())):
            found[form["hexcode"].replace("-FE0F", "")] = form["label"]
    return found


def icons(package: Path, labels: Mapping[str, str]) -> dict[str, str]:
    """An artist's icons that have a name in ``labels``: code points → name of the icon."""
    given = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    found = {code.upper().replace("-FE0F", ""): name for code, name in sorted(given.items())}
    return {key: name for key, name in found.items() if key in labels}


def aliases(package: Path, found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The names and aliases that an artist gives the icons in ``found``, each with its code points."""
    keys: dict[str, list[str]] = {}
    for key, name in found.items():
        keys.setdefault(name, []).append(key)
    for name, own in keys.items():
        yield from ((name, key) for key in own)
    for alias, drawing in _icon_set(package).get("aliases", {}).items():
        # A rotated or mirrored alias is another drawing.
        if drawing.keys() == {"parent"}:
            yield from ((alias, key) for key in keys.get(drawing["parent"], ()))


def by_name(package: Path, labels: Mapping[str, str], others: Iterable[tuple[str, str]]) -> dict[str, str]:
    """An artist's icons whose package has no code points: found by the emoji's name, or else by others' names for it.

    Of several emoji with a name, the one with the fewest code points is taken; each emoji is taken once.
    """
    called: dict[str, list[str]] = {}
    for name, key in others:
        called.setdefault(name, []).append(key)
    own = {_plain(label): [key] for key, label in labels.items()}
    found: dict[str, str] = {}
    for name in _icon_set(package)["icons"]:
        ways = (name, name.replace("flag-for-", "flag-"))
        keys = next((table[way] for table in (own, called) for way in ways if way in table), None)
        if keys is not None:
            found.setdefault(min(keys, key=lambda key: (len(key), key)), name)
    return found


def _plain(label: str) -> str:
    """A name in the form of icon names: ``womans-hat`` for ``woman’s hat``."""
    text = unicodedata.normalize("NFKD", label.replace("’", "")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _icon_set(package: Path) -> Any:
    return json.loads((package / "icons.json").read_text(encoding="utf-8"))


def svgs(package: Path) -> dict[str, str]:
    """An artist's drawings by name, each as an SVG with a square view box."""
    given = _icon_set(package)
    found = {}
    for name, icon in given["icons"].items():
        width, height = (float(icon.get(side, given.get(side, 16))) for side in ("width", "height"))
        side = max(width, height)
        view = f"{(width - side) / 2:g} {(height - side) / 2:g} {side:g} {side:g}"
        found[name] = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{view}">{icon["body"]}</svg>'
        )
    return found


def draw(svg: str, width: int) -> bytes:
    """An SVG rendered on white, ``width`` pixels wide, as PNG. Raises MissingExtra if resvg-py is not installed."""
    try:
        import resvg_py
    except ImportError as error:
        raise MissingExtra("rendering SVG", "train", error) from error
    try:
        # Without the fonts of the machine, so that the result is the same everywhere.
        drawn: bytes = resvg_py.svg_to_bytes(
            svg_string=svg, background="white", width=width, dpi=96, skip_system_fonts=True
        )
    except ValueError as error:
        raise DataError(f"an SVG cannot be rendered: {error}") from error
    return drawn


# --- stamps ---------------------------------------------------------------------------------------------------


def build_stamps(folders: Mapping[str, Path], out: Path) -> None:
    """Write each part: rows of ``key``, ``image`` and ``captions``, and a ZIP of images."""
    stamps = folders[STAMPS.purl] / "usr" / "share" / "tuxpaint" / "stamps"
    texts = sorted(stamps.rglob("*.txt"))
    keys = [path.relative_to(stamps).with_suffix("").as_posix() for path in texts]

    def rows(wanted: str) -> Iterator[Member]:
        for key, path in zip(keys, texts, strict=True):
            picture, drawing = path.with_suffix(".png"), path.with_suffix(".svg")
            if part(key) != wanted or not (picture.exists() or drawing.exists()):
                continue
            with path.open(encoding="utf-8") as lines:
                caption = lines.readline().strip()
            content = picture.read_bytes() if picture.exists() else draw(drawing.read_text("utf-8"), DRAWN)
            yield key, f"{key}.png", {"captions": [caption]}, content

    for name in ("train", "dev", "test"):
        _write(out, name, rows(name))


# --- files ----------------------------------------------------------------------------------------------------


def _write(out: Path, name: str, images: Iterable[Member]) -> None:
    """Write a part's rows, and its images scaled to fit, as PNG."""
    write_members(out, name, "image", ((key, place, row, _fitted(content)) for key, place, row, content in images))


def _fitted(content: bytes) -> bytes:
    buffer = io.BytesIO()
    fit_to_square(open_image(content), SIZE).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()
