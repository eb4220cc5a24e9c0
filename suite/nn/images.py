"""The front end of pictures: a convolutional network whose grid of features is what a decoder looks at.

``small`` is a residual network of our own, of a size that processors train; any other name is one of torchvision's
convolutional networks (He et al., 2016, arXiv:1512.03385, and those after it), with what it classifies by left out.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.errors import DataError, MissingExtra, UsageError, nearest, one_line
from suite.nn.specs import BackboneSpec

SMALL = "small"
#: Torchvision's families that end in a grid of features before they pool it.
FAMILIES = (
    "alexnet", "convnext", "densenet", "efficientnet", "mnasnet", "mobilenet", "regnet", "resnet", "resnext",
    "shufflenet", "squeezenet", "vgg", "wide_resnet",
)  # fmt: skip
#: What published networks expect: mean and spread of red, green and blue, 0 … 1, over ImageNet.
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Pictures(nn.Module):
    """Pictures ``[B, 3, H, W]`` (uint8) to a grid of features, row by row: ``[B, S, features]``.

    Raises UsageError for a backbone that is not known.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, spec: BackboneSpec, size: int) -> None:
        super().__init__()
        if spec.weights and spec.backbone == SMALL:
            raise UsageError("encoder.weights: 'small' is not published; name another backbone, or leave it out")
        self.spec = spec
        self.trunk = small(spec) if spec.backbone == SMALL else _published(spec.backbone, size)
        _put_norms(self.trunk)
        self.dropout = nn.Dropout(spec.dropout)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] * 255, persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD)[:, None, None] * 255, persistent=False)
        with torch.no_grad():
            grid = self.eval()._grid(torch.zeros(1, 3, size, size, dtype=torch.uint8))
        self.features, self.places = grid.shape[1], (grid.shape[2], grid.shape[3])
        self.train()
        if spec.freeze:
            self.trunk.requires_grad_(False)

    def train(self, mode: bool = True) -> Pictures:
        """What is frozen stays as it is at use, its statistics too."""
        super().train(mode)
        if self.spec.freeze:
            self.trunk.eval()
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.dropout(self._grid(inputs).flatten(2).transpose(1, 2))
        return found

    def _grid(self, inputs: Tensor) -> Tensor:
        x = (inputs.to(self.mean.dtype) - self.mean) / self.spread
        grid: Tensor = self.trunk(x)
        return grid

    def fetch(self) -> None:
        """Start from the published weights that the settings name, if any. Raises DataError if they are not there."""
        if not self.spec.weights:
            return
        from torchvision.models import get_model_weights

        kinds = get_model_weights(self.spec.backbone)
        names = ["DEFAULT", *(kind.name for kind in kinds)]
        if self.spec.weights not in names:
            raise UsageError(f"encoder.weights={self.spec.weights}: {nearest(self.spec.weights, names)}")
        try:
            found = kinds[self.spec.weights].get_state_dict(progress=False, check_hash=True)
        except Exception as error:  # whatever keeps a file from being fetched
            raise DataError(
                f"the weights {self.spec.weights} of {self.spec.backbone} cannot be fetched ({one_line(error)}); train "
                "where they can, or leave encoder.weights out"
            ) from error
        whole = _model(self.spec.backbone)
        whole.load_state_dict(found)
        self.trunk.load_state_dict(_trunk(whole).state_dict())


# --- our own --------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """Two convolutions around which what came goes past them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, 3, stride)
        self.second = _convolution(outputs, outputs, 3)
        # Starts as nothing at all: the network begins shallow.
        nn.init.zeros_(self.second[1].weight)  # type: ignore[arg-type]
        self.past = _convolution(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.past(x) + self.second(functional.relu(self.first(x))))


def small(spec: BackboneSpec) -> nn.Sequential:
    """A residual network: halved by the first convolution, and again by each stage but the first, twice as wide."""
    stages: list[nn.Module] = [_convolution(3, spec.width, 3, 2), nn.ReLU()]
    width = spec.width
    for number, depth in enumerate(spec.depths):
        for place in range(depth):
            wider = width * 2 if number and not place else width
            stages.append(Block(width, wider, 2 if number and not place else 1))
            width = wider
    return nn.Sequential(*stages)


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


# --- torchvision's --------------------------------------------------------------------------------------------


def _published(name: str, size: int) -> nn.Sequential:
    trunk = _trunk(_model(name))
    try:
        with torch.no_grad():
            grid = trunk.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"encoder.backbone={name}: takes no pictures of {size} pixels; raise images.size") from error
    if grid.ndim != 4:
        raise UsageError(f"encoder.backbone={name}: ends in no grid of features; choose another")
    return trunk


def _model(name: str) -> nn.Module:
    try:
        from torchvision.models import get_model, list_models
    except ImportError as error:
        raise MissingExtra("a backbone of torchvision", "train", error) from error
    # Those of its main module: detection and video have names of their own.
    import torchvision.models

    known = [n for n in list_models(module=torchvision.models) if n.startswith(FAMILIES)]
    if name not in known:
        raise UsageError(f"encoder.backbone={name}: {nearest(name, [SMALL, *known])}")
    found: nn.Module = get_model(name, weights=None)
    return found


def _trunk(model: nn.Module) -> nn.Sequential:
    """What comes before a network pools its grid and classifies by it."""
    for name in ("features", "layers"):
        if isinstance(found := getattr(model, name, None), nn.Module):
            return nn.Sequential(found)
    classifies = (nn.AdaptiveAvgPool2d, nn.Linear)
    return nn.Sequential(*itertools.takewhile(lambda part: not isinstance(part, classifies), model.children()))


# --- norms ----------------------------------------------------------------------------------------------------


class Norm(nn.BatchNorm2d):
    """Batch normalisation that at use is what it comes to: a product and a sum for each feature.

    An exported graph then has these weights where all others are, and its runtime folds them into the convolution.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = self.weight / torch.sqrt(self.running_var + self.eps)
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


def _put_norms(module: nn.Module) -> None:
    """Put a `Norm` in the place of every batch normalisation."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            made: Any = Norm(child.num_features, child.eps, child.momentum)
            made.load_state_dict(child.state_dict())
            setattr(module, name, made)
        else:
            _put_norms(child)
