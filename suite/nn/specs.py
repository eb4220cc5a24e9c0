"""Sizes of networks, as frozen dataclasses. Torch-free, so that a plugin's configuration can hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from suite.config import check_ranges, options_field


def _cell_options(cell: str) -> type | None:
    """The dataclass of a registered cell's options, or None. This imports the cell, and so torch."""
    from suite.nn.cells.registry import cell_class

    return cell_class(cell).options


@dataclass(frozen=True)
class RecurrentSpec:
    """A stack of recurrent layers.

    ``cell`` is any registered cell. ``residual`` adds a layer's input to its output where the sizes agree;
    ``norm`` normalises each layer's input. ``feedforward`` > 0 follows each layer by a two-layer perceptron
    ``feedforward`` times as wide as ``hidden``; linear cells (mingru, rglru) gain most from it.
    ``bidirectional`` reads both ways; such an encoder sees the future and cannot stream. ``cell_options`` are the
    options of a cell that has some (``Cell.options``), by name; those left out have their defaults.
    """

    cell: str = "lstm"
    hidden: int = 128
    layers: int = 1
    dropout: float = 0.2
    residual: bool = True
    norm: Literal["none", "layer", "rms"] = "none"
    feedforward: float = 0.0
    bidirectional: bool = False
    cell_options: Mapping[str, object] = options_field("cell", _cell_options)

    def __post_init__(self) -> None:
        check_ranges(self, least={"hidden": 1, "layers": 1, "feedforward": 0}, shares=("dropout",))


#: The former name of `RecurrentSpec`.
EncoderSpec = RecurrentSpec


@dataclass(frozen=True)
class EmbeddingSpec:
    """A table of vectors for tokens. In training ``drop_word`` hides words, ``dropout`` features of a whole row."""

    features: int = 100
    dropout: float = 0.2
    drop_word: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self, least={"features": 1}, shares=("dropout", "drop_word"))


@dataclass(frozen=True)
class HeadSpec:
    """From the encoder's outputs over time to K outputs.

    ``pooling`` names one or more of ``last``, ``mean``, ``max``, ``attention``; their results are joined.
    ``hidden`` > 0 puts one layer of that width before the outputs.
    """

    pooling: tuple[str, ...] = ("last", "mean", "max")
    hidden: int = 0
    dropout: float = 0.2

    def __post_init__(self) -> None:
        check_ranges(self, least={"hidden": 0}, shares=("dropout",))
        if not self.pooling:
            raise ValueError("pooling must name at least one of last, mean, max, attention")


@dataclass(frozen=True)
class StepHeadSpec:
    """From the encoder's output at a step to K outputs at that step.

    ``hidden`` > 0 puts one layer of that width before the outputs. ``tied`` shares their weights with the table
    of vectors that the tokens come from, where both have the same tokens: a language model's usual choice.
    """

    hidden: int = 0
    dropout: float = 0.2
    tied: bool = False

    def __post_init__(self) -> None:
        check_ranges(self, least={"hidden": 0}, shares=("dropout",))


@dataclass(frozen=True)
class AttentionSpec:
    """How a decoder looks at what an encoder read.

    It looks after its layer ``after``, and the layers above read what it found; 0 is after the last. ``kind`` is
    ``multiplicative`` (Luong et al., 2015) or ``additive`` (Bahdanau et al., 2015), in ``heads`` parts of together
    ``features`` numbers. ``feeding`` gives each step what the step before found: it reads less in parallel, so
    training is slower.
    """

    kind: Literal["multiplicative", "additive"] = "multiplicative"
    features: int = 256
    heads: int = 1
    after: int = 1
    feeding: bool = False

    def __post_init__(self) -> None:
        check_ranges(self, least={"features": 1, "heads": 1, "after": 0})
        if self.features % self.heads:
            raise ValueError(f"features, {self.features}, must be a multiple of heads, {self.heads}")


@dataclass(frozen=True)
class MaskSpec:
    """What of feature vectors is hidden in training: ``bands`` stretches of up to ``width`` neighbouring features of a
    frame, the same at all steps, and ``times`` stretches in every hundred steps, each of up to ``length``.
    """

    bands: int = 2
    width: int = 8
    times: float = 2.0
    length: int = 8

    def __post_init__(self) -> None:
        check_ranges(self, least={"bands": 0, "width": 0, "times": 0, "length": 0})


@dataclass(frozen=True)
class BackboneSpec:
    """What makes a grid of features of a picture (``suite.nn.layers.vision``).

    ``backbone`` is ``small``, ``lite0``, or the name of one of torchvision's convolutional networks. ``small`` has
    ``width`` features after its first convolution, and as many blocks a stage as ``depths`` says; each stage but the
    first halves the grid and doubles the features. ``weights`` names the published weights that one of the others
    starts from (``DEFAULT`` for the best), and ``freeze`` leaves them as they are. ``dropout`` is of the grid's
    features. Pictures are made ``enlarge`` times larger before, where a network has learnt on larger ones. Squares of
    ``pool`` × ``pool`` places of the grid become one, their mean: of few pictures it cannot be learnt where to look.
    """

    backbone: str = "small"
    width: int = 32
    depths: tuple[int, ...] = (1, 2, 2, 2)
    weights: str = ""
    freeze: bool = False
    dropout: float = 0.0
    enlarge: float = 1.0
    pool: int = 1

    def __post_init__(self) -> None:
        check_ranges(self, least={"width": 1, "enlarge": 1, "pool": 1}, shares=("dropout",))
        if not self.depths or min(self.depths) < 1:
            raise ValueError("depths must name one number of blocks or more, each at least 1")
