"""Augmentation of SVG drawings."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from suite_captioning import data
from suite_captioning.svg_augmentation import SKINS, SVG, SvgAugmentSpec, augment_svg, vary_skin_tones

STILL = SvgAugmentSpec(shift=0, hue=0, light=0, saturation=0, shaded=0, outlined=0)
FLAT = (
    f'<svg xmlns="{SVG}" viewBox="0 0 64 64"><defs><path id="p" d="M0 0h4v4z"/></defs>'
    '<g fill="none"><circle cx="32" cy="32" r="30" fill="#ff2000"/></g><path d="M20 20h9v9z" fill="#0a0"/></svg>'
)
LINED = f'<svg xmlns="{SVG}" viewBox="0 0 64 64"><path d="M9 9h40" fill="none" stroke="#000" stroke-width="2"/></svg>'


def pixels(svg: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data.draw(svg, 64))).convert("RGB")).astype(int)


def shapes(svg: str, name: str) -> list[dict[str, str]]:
    return [element.attrib for element in ElementTree.fromstring(svg).iter(f"{{{SVG}}}{name}")]


def some(svg: str, spec: SvgAugmentSpec, seed: int = 0) -> str:
    return augment_svg(svg, np.random.default_rng(seed), spec)


def test_nothing_changes_with_all_zero() -> None:
    np.testing.assert_array_equal(pixels(some(FLAT, STILL)), pixels(FLAT))


def test_chance_is_all_of_the_generator() -> None:
    assert some(FLAT, SvgAugmentSpec(), 1) == some(FLAT, SvgAugmentSpec(), 1) != some(FLAT, SvgAugmentSpec(), 2)


def test_parts_are_moved_but_not_what_is_only_referred_to() -> None:
    found = some(FLAT, SvgAugmentSpec(shift=0.1, hue=0, light=0, saturation=0, shaded=0, outlined=0))
    held, part = shapes(found, "path")
    assert "transform" not in held
    moves = [shapes(found, "circle")[0]["transform"], part["transform"]]
    assert all(move.startswith("translate(") for move in moves)
    assert moves[0] != moves[1]
    assert np.abs(pixels(found) - pixels(FLAT)).sum() > 0


def test_a_move_comes_before_what_a_part_has_of_its_own() -> None:
    turned = FLAT.replace('d="M20 20h9v9z"', 'd="M20 20h9v9z" transform="rotate(9)"')
    (_, part) = shapes(some(turned, SvgAugmentSpec()), "path")
    assert part["transform"].startswith("translate(")
    assert part["transform"].endswith(" rotate(9)")


def test_a_colour_is_the_same_wherever_it_stands_and_near_what_it_was() -> None:
    twice = FLAT.replace("#0a0", "#ff2000")
    found = some(twice, SvgAugmentSpec(shift=0, shaded=0, outlined=0))
    new = {shapes(found, "circle")[0]["fill"], shapes(found, "path")[1]["fill"]}
    assert len(new) == 1
    middle = pixels(found)[50, 32]
    assert 0 < np.abs(middle - (255, 32, 0)).max() < 70


def test_shaded_colours_go_from_lighter_to_darker() -> None:
    found = some(FLAT, SvgAugmentSpec(shift=0, hue=0, light=0, saturation=0, shaded=1, shade=(0.3, 0.3), outlined=0))
    inside = pixels(found)[12:52, 12:52].reshape(-1, 3)
    red = inside[(inside[:, 0] > inside[:, 1] * 2) & (inside[:, 2] < 100)]
    assert np.ptp(red.sum(1)) > 40


@pytest.mark.parametrize("seed", range(3))
def test_outlines_are_given_only_where_there_are_none(seed: int) -> None:
    spec = SvgAugmentSpec(shift=0, shaded=0, outlined=1)
    assert "stroke-linejoin" in some(FLAT, spec, seed)
    lined = some(LINED, spec, seed)
    assert "stroke-linejoin" not in lined
    assert 0.9 < float(shapes(lined, "path")[0]["stroke-width"]) < 2.7


def test_what_is_no_svg_is_said() -> None:
    with pytest.raises(ElementTree.ParseError):
        some("<svg", SvgAugmentSpec())


HANDS = f'<svg xmlns="{SVG}" viewBox="0 0 9 9"><path fill="#F7DECE"/><path fill="#eec2ad"/><path fill="#a57939"/></svg>'


def test_a_tone_of_skin_is_between_what_artists_take_for_it() -> None:
    skins = np.asarray([[int(skin[i : i + 2], 16) for i in (1, 3, 5)] for skin in SKINS["light"]])
    seen = set()
    for seed in range(20):
        found = vary_skin_tones(HANDS, "waving spec: light skin tone", np.random.default_rng(seed))
        skin, shade, hair = (element["fill"] for element in shapes(found, "path"))
        new, other = ([int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (skin, shade))
        assert (skins.min(0) <= new).all()
        assert (new <= skins.max(0)).all()
        # Its shade goes with it; hair in the colour of another tone's skin stays.
        assert np.abs((np.asarray(new) - other) - [0xF7 - 0xEE, 0xDE - 0xC2, 0xCE - 0xAD]).max() <= 1
        assert hair == "#a57939"
        seen.add(skin)
    assert len(seen) > 10


@pytest.mark.parametrize("name", ["waving hand", "waving spec: dark skin tone"])
def test_without_a_tone_or_its_colour_a_drawing_stays(name: str) -> None:
    assert vary_skin_tones(HANDS, name, np.random.default_rng(0)) == HANDS


def test_every_tone_that_a_name_says_is_another_one() -> None:
    pair = f'<svg xmlns="{SVG}" viewBox="0 0 9 9"><path fill="#7c533e"/><path fill="#f3d2a2"/></svg>'
    found = vary_skin_tones(pair, "people: medium-light skin tone, dark skin tone", np.random.default_rng(1))
    assert [element["fill"] for element in shapes(found, "path")] != ["#7c533e", "#f3d2a2"]
    assert all(a["fill"] != b["fill"] for a, b in zip(shapes(found, "path"), shapes(pair, "path"), strict=True))
