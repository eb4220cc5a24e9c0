"""How much inputs are changed in training, as frozen dataclasses.

Torch-free, so that a plugin's configuration can hold them.
"""

from __future__ import annotations

from dataclasses import dataclass

from suite.config import check_ranges


@dataclass(frozen=True)
class PictureChanges:
    """How much a picture is changed in training; 0 leaves that out.

    ``turn`` and ``shear`` are the largest angles (degrees), ``shift`` and ``scale`` the largest shares of the side,
    ``perspective`` how far corners move, of every other picture, ``colour`` how much brightness, contrast and
    saturation change and ``hue`` how far colours wander. ``blur``, ``erase`` and ``flip`` are chances: of a blurred
    picture, of a white patch, and of a mirrored one, which is for photographs: an arrow that points left is another
    picture.
    """

    turn: float = 12.0
    shear: float = 6.0
    shift: float = 0.08
    scale: float = 0.2
    perspective: float = 0.25
    colour: float = 0.25
    hue: float = 0.0
    blur: float = 0.1
    erase: float = 0.2
    flip: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self, least={"turn": 0, "shear": 0, "colour": 0})
        check_ranges(self, shares=("shift", "scale", "perspective", "blur", "erase", "flip"))
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"hue must be from 0 to 0.5, not {self.hue}")


@dataclass(frozen=True)
class SoundChanges:
    """How much a recording is changed in training; 0 leaves that out.

    ``speed`` is the largest share that it is faster or slower, ``gain`` (dB) how much louder or more quiet. ``noise``,
    ``reverb``, ``band`` (what a telephone passes) and ``tone`` (another microphone) are chances; noise lies from
    ``quietest`` to ``loudest`` dB under what is said. ``silence`` are the most seconds added before and after.
    """

    speed: float = 0.12
    gain: float = 12.0
    noise: float = 0.5
    loudest: float = 8.0
    quietest: float = 40.0
    reverb: float = 0.3
    band: float = 0.3
    tone: float = 0.5
    silence: float = 0.4

    def __post_init__(self) -> None:
        check_ranges(self, least={"gain": 0, "loudest": 0, "quietest": self.loudest, "silence": 0})
        for name in ("noise", "reverb", "band", "tone"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a chance, from 0 to 1")
        check_ranges(self, shares=("speed",))


@dataclass(frozen=True)
class SeriesChanges:
    """How much a recording is changed; 0 leaves that out.

    ``speed`` and ``warp`` are the spread of the log of its pace, of the whole and from one sixth of it to the next;
    ``scale`` that of the log of each channel's size, ``shift`` that of its offset, and ``noise`` that of each value,
    the last two in the channel's own spreads. ``crop`` cuts up to that share off either end; ``drop`` is the chance
    that a channel stands still.
    """

    speed: float = 0.03
    warp: float = 0.1
    scale: float = 0.1
    shift: float = 0.02
    noise: float = 0.0
    crop: float = 0.02
    drop: float = 0.1

    def __post_init__(self) -> None:
        check_ranges(self, least={"speed": 0, "warp": 0, "scale": 0, "shift": 0, "noise": 0}, shares=("crop", "drop"))
