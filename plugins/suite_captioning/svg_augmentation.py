"""Augmentation of SVG drawings: parts are shifted, and colors, shading and outlines changed, by chance.

Artists differ in more than an image rotated or recolored as a whole can show: in how the parts of a drawing lie to each
other, and in whether it has outlines or flat colors. Drawings are SVG, so these are changed before they are rendered.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

SVG = "http://www.w3.org/2000/svg"
#: Elements that are rendered, and elements that only define how, in which nothing is shifted.
SHAPES = {"path", "circle", "ellipse", "rect", "polygon", "polyline", "line", "use"}
HELD = {"defs", "clipPath", "mask", "symbol", "linearGradient", "radialGradient", "pattern", "filter"}
_HEX = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b")
#: The color of each skin tone by artist (twemoji, OpenMoji, Fluent): one's medium is nearly another's medium-light.
SKINS = {
    "light": ("#f7dece", "#fadcbc", "#ffd7c2"),
    "medium-light": ("#f3d2a2", "#debb90", "#eebfaa"),
    "medium": ("#d5ab88", "#c19a65", "#c68d7b"),
    "medium-dark": ("#af7e57", "#a57939", "#966661"),
    "dark": ("#7c533e", "#6a462f", "#573739"),
}
_TONE = re.compile(r"\b(medium-light|medium-dark|light|medium|dark) skin tone")
#: The largest distance (RGB, 0 … 255) from a skin color of its shades, and of what counts as the same color.
_SHADES, _SAME = 64.0, 4.0


@dataclass(frozen=True)
class SvgAugmentSpec:
    """How much a drawing is changed.

    Attributes:
        shift: Standard deviation of the position of parts, as a share of the side.
        hue, light, saturation: Standard deviations of these of a color; that of the saturation is relative.
        shaded, outlined: Probabilities that a drawing is shaded, and gets an outline.
        shade: Smallest and largest change of the lightness across a shaded color.
        width: Smallest and largest width of an outline, as shares of the side.
    """

    shift: float = 0.012
    hue: float = 0.012
    light: float = 0.025
    saturation: float = 0.08
    shaded: float = 0.5
    shade: tuple[float, float] = (0.05, 0.22)
    outlined: float = 0.35
    width: tuple[float, float] = (0.005, 0.025)


DEFAULT = SvgAugmentSpec()


def augment_svg(svg: str, random: np.random.Generator, spec: SvgAugmentSpec = DEFAULT) -> str:
    """An SVG, augmented. Raises ElementTree.ParseError for text that is not XML."""
    ElementTree.register_namespace("", SVG)
    # From packages that are pinned by their SHA-256.
    root = ElementTree.fromstring(svg)  # noqa: S314
    side = float(root.attrib["viewBox"].split()[2])
    _move(root, random, spec.shift * side)
    lined = any("stroke" in element.attrib for element in root.iter())
    if lined:
        _thicken(root, float(random.uniform(0.5, 1.3)))
    colours = {colour: _near(colour, random, spec) for colour in _colours(root)}
    shade = float(random.uniform(*spec.shade)) if random.random() < spec.shaded else 0.0
    _paint(root, colours, shade, random)
    if not lined and random.random() < spec.outlined:
        _outline(root, random, float(random.uniform(*spec.width)) * side)
    return ElementTree.tostring(root, encoding="unicode")


def vary_skin_tones(svg: str, name: str, random: np.random.Generator) -> str:
    """A drawing whose ``name`` has a skin tone, with the skin and its shades in a color between those of the artists.

    Without it a model would learn the tones by artist, and not know them in the drawings of others.
    """
    given = [_rgb(colour) for colour in dict.fromkeys(_HEX.findall(svg))]
    moved: list[tuple[np.ndarray, np.ndarray]] = []
    for tone in dict.fromkeys(_TONE.findall(name)):
        skins = np.stack([_rgb(colour) for colour in SKINS[tone]])
        new = random.dirichlet(np.ones(len(skins))) @ skins
        moved += [(own, new - own) for own in skins if _holds(given, own)]

    def changed(match: re.Match[str]) -> str:
        colour = _rgb(match[0])
        for own, change in moved:
            if np.linalg.norm(colour - own) <= _SHADES:
                return _written(np.clip(colour + change, 0, 255))
        return match[0]

    return _HEX.sub(changed, svg) if moved else svg


def _holds(colours: Iterable[np.ndarray], wanted: np.ndarray) -> bool:
    return any(np.linalg.norm(colour - wanted) <= _SAME for colour in colours)


def _rgb(colour: str) -> np.ndarray:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    return np.asarray([int(digits[i : i + 2], 16) for i in (0, 2, 4)], np.float64)


def _drawn(element: Element) -> Iterator[Element]:
    """The elements below this one that are rendered, in order."""
    for child in element:
        name = _name(child)
        if name in SHAPES:
            yield child
        elif name not in HELD:
            yield from _drawn(child)


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _move(root: Element, random: np.random.Generator, spread: float) -> None:
    """Shift the parts; neighbors in the file, which often belong together, by similar amounts."""
    place = random.normal(0, spread, 2)
    for shape in _drawn(root):
        place = 0.7 * place + random.normal(0, spread * 0.7, 2)
        moved = f"translate({place[0]:.3f} {place[1]:.3f})"
        shape.set("transform", f"{moved} {shape.get('transform', '')}".strip())


def _thicken(root: Element, times: float) -> None:
    for element in root.iter():
        try:
            element.set("stroke-width", f"{float(element.attrib['stroke-width']) * times:.3f}")
        except (KeyError, ValueError):
            continue  # no width of its own, or one with a unit


def _colours(root: Element) -> list[str]:
    """The distinct colors, in document order."""
    found: dict[str, None] = {}
    for element in root.iter():
        for name in ("fill", "stroke", "stop-color"):
            if _HEX.fullmatch(value := element.get(name, "")):
                found[value] = None
    return list(found)


def _near(colour: str, random: np.random.Generator, spec: SvgAugmentSpec) -> str:
    hue, light, saturation = _hls(colour)
    hue = (hue + random.normal(0, spec.hue)) % 1
    light = min(1.0, max(0.0, light + random.normal(0, spec.light)))
    return _hex(hue, light, min(1.0, saturation * max(0.0, 1 + random.normal(0, spec.saturation))))


def _hls(colour: str) -> tuple[float, float, float]:
    return colorsys.rgb_to_hls(*(_rgb(colour) / 255).tolist())


def _hex(hue: float, light: float, saturation: float) -> str:
    return _written(255 * np.asarray(colorsys.hls_to_rgb(hue, light, saturation)))


def _written(colour: np.ndarray) -> str:
    """A color (RGB, 0 … 255) in SVG's hexadecimal notation, the inverse of `_rgb`."""
    return "#" + "".join(f"{round(part):02x}" for part in colour.tolist())


def _paint(root: Element, colours: dict[str, str], shade: float, random: np.random.Generator) -> None:
    """Replace colors by new ones, or with ``shade`` by gradients of them."""
    shades: dict[str, str] = {}
    for element in root.iter():
        for name in ("fill", "stroke", "stop-color"):
            if (value := element.get(name, "")) not in colours:
                continue
            new = colours[value]
            if name == "fill" and shade:
                new = shades.setdefault(new, f"url(#shade{len(shades)})")
            element.set(name, new)
    if not shades:
        return
    defs = Element(f"{{{SVG}}}defs")
    for colour, place in shades.items():
        defs.append(_gradient(place[5:-1], colour, shade, random))
    root.insert(0, defs)


def _gradient(name: str, colour: str, shade: float, random: np.random.Generator) -> Element:
    """A linear or radial gradient from a lighter to a darker shade of a color."""
    hue, light, saturation = _hls(colour)
    if random.random() < 0.5:
        angle = random.uniform(0, 2 * np.pi)
        across, down = np.cos(angle) / 2, np.sin(angle) / 2
        ends = {"x1": 0.5 - across, "y1": 0.5 - down, "x2": 0.5 + across, "y2": 0.5 + down}
        made = Element(f"{{{SVG}}}linearGradient", {"id": name, **{key: f"{at:.3f}" for key, at in ends.items()}})
    else:
        middle = {"cx": random.uniform(0.3, 0.7), "cy": random.uniform(0.3, 0.7), "r": random.uniform(0.5, 0.8)}
        made = Element(f"{{{SVG}}}radialGradient", {"id": name, **{key: f"{at:.3f}" for key, at in middle.items()}})
    for place, change in ((0, shade), (1, -shade)):
        stop = _hex(hue, min(1.0, max(0.0, light * (1 + change))), saturation)
        made.append(Element(f"{{{SVG}}}stop", {"offset": str(place), "stop-color": stop}))
    return made


def _outline(root: Element, random: np.random.Generator, width: float) -> None:
    """Give all parts the same dark outline."""
    drawn = list(root)
    around = Element(
        f"{{{SVG}}}g",
        {
            "stroke": _hex(float(random.random()), float(random.uniform(0.05, 0.3)), float(random.uniform(0, 0.4))),
            "stroke-width": f"{width:.3f}", "stroke-linejoin": "round", "stroke-linecap": "round",
        },
    )  # fmt: skip
    for element in drawn:
        root.remove(element)
        around.append(element)
    root.append(around)
