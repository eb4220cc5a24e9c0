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


@dataclass(frozen=True)
class EmbeddingSpec:
    """An embedding. In training ``drop_word`` drops whole words, and ``dropout`` the same features at all steps."""

    features: int = 100
    dropout: float = 0.2
    drop_word: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self, least={"features": 1}, shares=("dropout", "drop_word"))


@dataclass(frozen=True)
class HeadSpec:
    """From the encoder's outputs over time to K outputs.

    ``pooling`` names one or more of ``last``, ``mean``, ``max``, ``attention``, whose results are concatenated.
    ``hidden`` > 0 adds a hidden layer of that size.
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

    ``hidden`` > 0 adds a hidden layer of that size. ``tied`` shares the output weights with the embedding of the
    inputs, where both have the same tokens, as is usual in a language model.
    """

    hidden: int = 0
    dropout: float = 0.2
    tied: bool = False

    def __post_init__(self) -> None:
        check_ranges(self, least={"hidden": 0}, shares=("dropout",))


@dataclass(frozen=True)
class AttentionSpec:
    """The attention of a decoder.

    It comes after the recurrent layer ``after``, and the layers above read its context; 0 is after the last layer.
    ``kind`` is ``multiplicative`` (Luong et al., 2015) or ``additive`` (Bahdanau et al., 2015), with ``heads`` heads of
    ``features`` features in all. ``feeding`` (input feeding) gives each step the output of the one before; steps then
    run one by one, so that training is slower.
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
    """SpecAugment: the masks of audio frames in training.

    ``bands`` masks of up to ``width`` neighbouring bands, the same at all steps, and ``times`` masks in every hundred
    steps, each of up to ``length`` steps.
    """

    bands: int = 2
    width: int = 8
    times: float = 2.0
    length: int = 8

    def __post_init__(self) -> None:
        check_ranges(self, least={"bands": 0, "width": 0, "times": 0, "length": 0})


@dataclass(frozen=True)
class BackboneSpec:
    """A convolutional network from a picture to a grid of features (``suite.nn.layers.vision``).

    ``backbone`` is ``small``, ``lite0``, or the name of one of torchvision's convolutional networks. ``small`` has
    ``width`` features after its first convolution, and ``depths`` blocks in each stage; each stage but the first halves
    the grid and doubles the features. ``weights`` names pretrained weights of the others (``DEFAULT`` for the best),
    and ``freeze`` keeps them fixed. ``dropout`` is that of the grid's features. Pictures are first enlarged ``enlarge``
    times, for a network that was trained on larger ones. ``pool`` averages squares of ``pool`` × ``pool`` places of the
    grid, for data sets too small to learn where to attend.
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
