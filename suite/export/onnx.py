"""Export to ONNX: one file for each graph, with the weights in ``model.safetensors``.

Data flow: model → ``graphs()`` → each graph traced, with ONNX operators for LSTM, GRU and RNN and a placeholder
``suite::Recurrence`` for every other cell → each placeholder replaced by one ONNX ``Scan`` whose body is the cell's
``recur`` → weights replaced by references into ``model.safetensors``, dequantized on load → ``verify`` compares the
result with torch at batch sizes and lengths that were not traced.

The exporter is torch's tracing one, which is correct for recurrent operators at any batch size and length. The newer
one was not: it fixed the length for RNN, and gave wrong results for LSTM at another batch size.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from suite.errors import MissingExtra, SuiteError, one_line
from suite.nn.cells.base import Cell
from suite.nn.cells.masking import masked_step
from suite.nn.cells.tracing import DOMAIN, naming_cells
from suite.nn.models import Graph, Model

if TYPE_CHECKING:
    import onnx

OPSET = 17


def export(model: Model, folder: Path, weights: str = "model.safetensors") -> list[str]:
    """Write every graph of a model.

    Args:
        model: The model.
        folder: Where to write; the weights file must be there already, with the model's values.
        weights: The name of the weights file.

    Returns:
        The names of the graph files.

    Raises:
        MissingExtra: If onnx is not installed.
        SuiteError: If the model has no ONNX form.
    """
    model.eval()
    stored = _stored(folder / weights)
    written = []
    for name, graph in model.graphs().items():
        proto = _externalized(_trace(model, graph), stored, weights)
        data = proto.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(data)
        written.append(f"{name}.onnx")
    return written


class _Positional(nn.Module):
    """A graph's function as a module over positional tensors, as tracing needs it."""

    def __init__(self, model: nn.Module, graph: Graph) -> None:
        super().__init__()
        self.model, self.graph = model, graph

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.graph.call(dict(zip(self.graph.example, arrays, strict=True))).values())


class _Body(nn.Module):
    """One step of a cell as the body of a Scan: states, projected input, mask → next states, output."""

    def __init__(self, cell: Cell, keys: Sequence[str], masked: bool) -> None:
        super().__init__()
        self.cell, self.keys, self.masked = cell, list(keys), masked

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        count = len(self.keys)
        state = dict(zip(self.keys, arrays[:count], strict=True))
        y, following = self.cell.recur(arrays[count], state)
        if self.masked:
            y, following = masked_step(arrays[count + 1], y, following, state)
        return (*(following[key] for key in self.keys), y)


def _trace(model: Model, graph: Graph) -> onnx.ModelProto:
    cells = {name: module for name, module in model.named_modules() if isinstance(module, Cell)}
    with naming_cells({module: name for name, module in cells.items()}):
        outputs = list(graph.call(graph.example))
        names, values = list(graph.example), list(graph.example.values())
        proto = _to_onnx(_Positional(model, graph), values, names, outputs, graph.axes)
    for initializer in proto.graph.initializer:
        _rename(proto.graph, initializer.name, initializer.name.removeprefix("model."))
    for node in [n for n in proto.graph.node if n.domain == DOMAIN]:
        _replace_by_scan(proto, node, cells[_attribute(node, "name").decode()])
    for opset in [o for o in proto.opset_import if o.domain == DOMAIN]:
        proto.opset_import.remove(opset)
    return proto


def _to_onnx(
    module: nn.Module, args: list[Tensor], inputs: list[str], outputs: list[str], axes: dict[str, dict[int, str]]
) -> onnx.ModelProto:
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra("exporting", "train", error) from error
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad(), _quiet():
        # The tracing exporter warns that it is deprecated, which is a choice (above), and of shapes that become
        # constants, which verify() checks.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                module, tuple(args), buffer, input_names=inputs, output_names=outputs,  # type: ignore[arg-type]
                dynamic_axes=axes,
                opset_version=OPSET, dynamo=False, do_constant_folding=False,
            )  # fmt: skip
        except RuntimeError as error:
            raise SuiteError(f"the model cannot be exported to ONNX: {one_line(error):.300}") from error
    return onnx.load_from_string(buffer.getvalue())


def _replace_by_scan(proto: onnx.ModelProto, node: onnx.NodeProto, cell: Cell) -> None:
    """Replace a placeholder by an ONNX Scan; the weights of its body stay in the outer graph."""
    from onnx import helper

    name = _attribute(node, "name").decode()
    keys = list(cell.state_shapes())
    masked = len(node.input) > len(keys) + 1
    first = cell.initial(2)
    state = [first[key] for key in keys]
    example = next(cell.parameters())
    x = example.new_zeros(2, cell.inputs)
    args = [*state, cell.project(x).detach(), *([torch.ones(2, dtype=torch.bool)] if masked else [])]
    inputs = [f"in.{key}" for key in keys] + ["in.x"] + (["in.mask"] if masked else [])
    outputs = [f"out.{key}" for key in keys] + ["out.y"]
    axes = {label: {0: "batch"} for label in (*inputs, *outputs)}
    body = _to_onnx(_Body(cell, keys, masked), args, inputs, outputs, axes).graph
    outer = {i.name for i in proto.graph.initializer}
    weights = {i.name: f"{name}.{i.name.removeprefix('cell.')}" for i in body.initializer if i.name.startswith("cell.")}
    for label in {o for n in body.node for o in n.output} | {i.name for i in body.initializer} | {*inputs, *outputs}:
        _rename(body, label, weights.get(label, f"{name}/{label}"))
    for initializer in [i for i in body.initializer if i.name in weights.values()]:
        if initializer.name not in outer:
            proto.graph.initializer.append(initializer)
        body.initializer.remove(initializer)
    body.name = f"{name}.step"
    scan = helper.make_node(
        "Scan", list(node.input), list(node.output), name=f"{name}.scan", body=body,
        num_scan_inputs=2 if masked else 1, scan_input_axes=[1] * (2 if masked else 1), scan_output_axes=[1],
    )  # fmt: skip
    place = list(proto.graph.node).index(node)
    proto.graph.node.remove(node)
    proto.graph.node.insert(place, scan)


def _externalized(proto: onnx.ModelProto, stored: dict[str, _Stored], weights: str) -> onnx.ModelProto:
    """Replace the initializers that are in the weights file by references into it, with nodes that dequantize them."""
    from onnx import helper

    graph = proto.graph
    dequantizing: list[onnx.NodeProto] = []
    for initializer in list(graph.initializer):
        name = initializer.name
        names = [part for part in (name, f"{name}.scale") if part in stored]
        if not names or stored[name].kind not in ("F16", "I8"):
            continue
        graph.initializer.remove(initializer)
        parts = [_reference(part, stored[part], weights) for part in names]
        graph.initializer.extend(parts)
        users = [n for n in graph.node if name in n.input]
        if users and all(n.op_type == "Gather" and n.input[0] == name for n in users):
            # An embedding is looked up as it is stored, and only the rows found are dequantized.
            for user in users:
                rows, (wide,) = [f"{user.output[0]}.{part.name}" for part in parts], user.output
                at = list(graph.node).index(user)
                graph.node.remove(user)
                gathers = [
                    helper.make_node("Gather", [part.name, user.input[1]], [row], axis=0)
                    for part, row in zip(parts, rows, strict=True)
                ]
                for i, node in enumerate([*gathers, *_dequantized(rows, wide)]):
                    graph.node.insert(at + i, node)
        else:
            dequantizing += _dequantized([part.name for part in parts], name)
    for node in reversed(dequantizing):
        graph.node.insert(0, node)
    return proto


def _reference(name: str, entry: _Stored, weights: str) -> onnx.TensorProto:
    """A reference to a tensor of the weights file."""
    from onnx import TensorProto

    kinds = {"F16": TensorProto.FLOAT16, "I8": TensorProto.INT8, "F32": TensorProto.FLOAT}
    made = TensorProto(name=f"{name}.stored", data_type=kinds[entry.kind], dims=entry.shape)
    made.data_location = TensorProto.EXTERNAL
    for key, value in (("location", weights), ("offset", str(entry.offset)), ("length", str(entry.size))):
        made.external_data.add(key=key, value=value)
    return made


def _dequantized(parts: Sequence[str], name: str) -> list[onnx.NodeProto]:
    """The nodes that convert a stored tensor, or one with its scales, to single precision."""
    from onnx import TensorProto, helper

    cast = helper.make_node("Cast", [parts[0]], [name if len(parts) == 1 else f"{name}.whole"], to=TensorProto.FLOAT)
    return [cast] if len(parts) == 1 else [cast, helper.make_node("Mul", [cast.output[0], parts[1]], [name])]


class _Stored(NamedTuple):
    """The type, shape, offset and size in bytes of a tensor in the weights file."""

    kind: str
    shape: list[int]
    offset: int
    size: int


def _stored(path: Path) -> dict[str, _Stored]:
    """The tensors of a safetensors file."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        found[name] = _Stored(entry["dtype"], entry["shape"], 8 + size + begin, end - begin)
    return found


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, old, new)
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        if value.name == old:
            value.name = new


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    from onnx import helper

    return next(helper.get_attribute_value(a) for a in node.attribute if a.name == name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what the exporter prints about itself, and the whole graph where it fails, from C++ too."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        output = os.dup(1)
        try:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            yield
        finally:
            os.dup2(output, 1)
            os.close(output)
