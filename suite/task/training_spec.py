"""How to train, as a frozen dataclass.

Torch-free, so that a plugin's configuration can hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from suite.config import check_ranges
from suite.data.batching import BUCKET_BATCHES


@dataclass(frozen=True)
class TrainingSpec:
    """Settings of ``suite.training``.

    ``method`` is ``gradient`` (``suite.training.loop``), or ``readout`` (``suite.training.ridge_readout``): the
    recurrent weights stay as they start and only the last layer is learnt, in one step, which small sets do best with.
    It learns from every item, from ``copies`` of it that the task's augmentation changed, and from ``cuts`` of it
    that end early; of the settings below it takes ``balance`` and ``hold_out`` alone.

    ``lr`` rises over the first ``warmup`` share of all steps and then follows ``schedule`` to the end;
    parameters whose name starts with ``frontend.`` learn at ``frontend_lr`` times that. Gradients are clipped
    to the norm ``clip`` (0: not at all). ``ema`` > 0 keeps an average of the weights with that decay, and it
    is the average that is evaluated and kept. Training stops when ``patience`` epochs brought no better dev
    metric (0: never), and with ``steps`` > 0 after so many steps, in the middle of an epoch too; the weights of
    the best epoch are kept, or with ``keep`` those of the last. ``hold_out`` is the share held out for dev where
    no dev data is given; 0 trains on everything and measures on the same.
    ``balance`` weights labels by their frequency to the minus ``balance`` (0: all items count the same).
    ``weight_decay`` is decoupled (AdamW) and spares biases and norms. ``bptt`` > 0 reads the long sequences of an
    aligned task in stretches of that many steps, one update each: state is carried on, gradients are not.
    ``batch_tokens`` > 0 fills batches up to so many tokens, padding and both sides of a pair included, instead of
    ``batch_size`` items. Those are of like length, sorted within ``window`` batches; 1 takes items as they come, since
    of few the ones of a length would be together every time. ``label_smoothing`` is the share of a target that is
    spread over all outputs (Szegedy et al., 2016, arXiv:1512.00567). ``weights`` is the precision in which they
    are saved: ``float16``, or matrices as ``int8`` with a scale for each row, half the size; metrics are those of the
    rounded weights. ``remember`` keeps what the encoder makes of every item of a one-to-many task, and
    its text, for reranking (`suite.decoding.reranking`): for small training sets.
    """

    method: Literal["gradient", "readout"] = "gradient"
    copies: int = 4
    cuts: int = 8
    epochs: int = 10
    batch_size: int = 32
    lr: float = 2e-3
    frontend_lr: float = 1.0
    warmup: float = 0.05
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.998
    patience: int = 3
    balance: float = 0.0
    hold_out: float = 0.1
    keep: Literal["best", "last"] = "best"
    steps: int = 0
    bptt: int = 0
    batch_tokens: int = 0
    window: int = BUCKET_BATCHES
    label_smoothing: float = 0.0
    weights: Literal["float16", "int8"] = "float16"
    remember: bool = False

    def __post_init__(self) -> None:
        least = {"epochs": 1, "batch_size": 1, "lr": 0, "frontend_lr": 0, "weight_decay": 0, "clip": 0, "patience": 0}
        least |= {"balance": 0, "steps": 0, "bptt": 0, "copies": 0, "cuts": 0, "batch_tokens": 0, "window": 1}
        check_ranges(self, least=least, shares=("warmup", "ema", "hold_out", "label_smoothing"))
