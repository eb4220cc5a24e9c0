"""The mappings: whole models, built of a front end, an encoder and what follows it.

A model is one graph or several over named arrays. ``graphs`` describes them; the torch runtime calls them and
the exporter writes each to ONNX, so that both runtimes take and give the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.errors import UsageError
from suite.nn.cells.base import Cell, State, within
from suite.nn.layers.attending_decoder import AttendingDecoder
from suite.nn.layers.embeddings import Embedding
from suite.nn.layers.pooling import pooling
from suite.nn.layers.recurrent import Encoder
from suite.nn.specs import AttentionSpec, EncoderSpec, HeadSpec, StepHeadSpec

Arrays = dict[str, Tensor]


@dataclass(frozen=True)
class Graph:
    """One graph: a function over named arrays, an example of its inputs, and the names of moving axes."""

    call: Callable[[Arrays], Arrays]
    example: Arrays
    axes: dict[str, dict[int, str]]


class Model(nn.Module):
    """What every mapping is: a module whose graphs can run, be exported, and carry state."""

    causal: bool = True

    def graphs(self) -> dict[str, Graph]:
        """The model's graphs by name: ``encoder``, ``decoder``, or both; a transducer's are three."""
        raise NotImplementedError


class OneGraph(Model):
    """A front end, an encoder and what follows it as one graph: what the mappings of one graph have in common.

    ``forward(inputs [B, T, …], lengths [B], state) -> (outputs, next)``. The graph is called ``graph``;
    ``over_time`` says whether its outputs have a time axis.
    """

    over_time = False

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], encoder: EncoderSpec, example: Tensor, graph: str = "encoder"
    ) -> None:
        super().__init__()
        self.frontend = frontend
        self.encoder = Encoder(cell, int(frontend.features), encoder)  # type: ignore[arg-type]
        self.causal = self.encoder.causal
        self.graph = graph
        # One row of two steps: what tracing needs to know of the inputs' type and shape.
        self.register_buffer("example", example, persistent=False)

    def initial(self, batch: int) -> State:
        """The state before any input."""
        return self.encoder.initial(batch)

    def graphs(self) -> dict[str, Graph]:
        example = self.example
        assert isinstance(example, Tensor)
        state = self.initial(example.shape[0])
        lengths = torch.full((example.shape[0],), example.shape[1], dtype=torch.int64, device=example.device)
        axes = {"inputs": {0: "batch", 1: "time"}, "lengths": {0: "batch"}}
        axes["outputs"] = {0: "batch", 1: "time"} if self.over_time else {0: "batch"}
        for name in state:
            axes[f"state.{name}"] = axes[f"next.{name}"] = {0: "batch"}

        def call(arrays: Arrays) -> Arrays:
            carried = {name: arrays[f"state.{name}"] for name in state}
            outputs, following = self(arrays["inputs"], arrays["lengths"], carried)
            return {"outputs": outputs, **{f"next.{name}": following[name] for name in state}}

        inputs = {"inputs": example, "lengths": lengths, **{f"state.{k}": v for k, v in state.items()}}
        return {self.graph: Graph(call, inputs, axes)}


class ManyToOne(OneGraph):
    """A sequence to one vector of K outputs: front end, encoder, pooling, head.

    ``forward(inputs [B, T, …], lengths [B], state) -> (outputs [B, K], next)``. The outputs are those of
    everything read so far, so the same graph that classifies a whole sequence streams it.
    """

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], encoder: EncoderSpec, head: HeadSpec, outputs: int,
        example: Tensor,
    ) -> None:  # fmt: skip
        super().__init__(frontend, cell, encoder, example)
        self.poolings = nn.ModuleList([pooling(name, self.encoder.outputs) for name in head.pooling])
        self.head, width = _head(self.encoder.outputs * len(head.pooling), head)
        self.head.append(nn.Linear(width, outputs))

    def initial(self, batch: int) -> State:
        """The state before any input; poolings' arrays are named ``pool.*``."""
        like = next(self.parameters())
        pools = {
            f"pool.{name}": torch.zeros(batch, *shape, dtype=like.dtype, device=like.device)
            for module in self.poolings
            for name, shape in module.state_shapes().items()  # type: ignore[operator]
        }
        return {**super().initial(batch), **pools}

    def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        carried = {k: v for k, v in state.items() if not k.startswith("pool.")}
        pools = {k[5:]: v for k, v in state.items() if k.startswith("pool.")}
        y, following = self.encoder(self.frontend(inputs), lengths, carried)
        vectors = []
        for module in self.poolings:
            vector, after = module(y, lengths, pools)
            vectors.append(vector)
            following.update({f"pool.{name}": value for name, value in after.items()})
        return self.head(torch.cat(vectors, dim=1)), following


class Aligned(OneGraph):
    """A sequence to K outputs at every step: front end, encoder, and one head for all steps.

    ``forward(inputs [B, T, …], lengths [B], state) -> (outputs [B, T, K], next)``; outputs beyond a row's
    length are zero. With ``head.tied`` the outputs are the scores of the front end's own table of vectors
    (Press and Wolf, 2017, arXiv:1608.05859), reached by a projection where the sizes differ.
    """

    over_time = True

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], encoder: EncoderSpec, head: StepHeadSpec, outputs: int,
        example: Tensor, graph: str = "encoder",
    ) -> None:  # fmt: skip
        super().__init__(frontend, cell, encoder, example, graph)
        self.head, width = _head(self.encoder.outputs, head)
        self.bias = nn.Parameter(torch.zeros(outputs)) if head.tied else None
        if not head.tied:
            self.head.append(nn.Linear(width, outputs))
            return
        table = getattr(frontend, "table", None)
        if not isinstance(table, nn.Embedding) or table.num_embeddings != outputs:
            raise UsageError(f"head.tied needs a front end that is a table of as many vectors as outputs, {outputs}")
        if width != table.embedding_dim:
            self.head.append(nn.Linear(width, table.embedding_dim))

    def forward(self, inputs: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]:
        y, following = self.encoder(self.frontend(inputs), lengths, state)
        outputs: Tensor = self.head(y)
        if self.bias is not None:
            outputs = functional.linear(outputs, self.frontend.table.weight, self.bias)  # type: ignore[union-attr,arg-type]
        return outputs * within(lengths, outputs.shape[1])[:, :, None], following


class Transducer(Aligned):
    """A sequence to another one as it comes: an encoder, a prediction network over what was written, and a joiner.

    After every step of what is read, any number of tokens is written, then the blank, 0, which goes on to the next
    (Graves, 2012, arXiv:1211.3711). ``forward`` gives frames ``[B, T, J]``, ``predicted(tokens [B, U])`` what is
    expected before each token and after the last, ``[B, U + 1, J]``, and ``joined`` makes logits of both.

    Three graphs. ``encoder`` as of an aligned model; ``decoder``: ``token [B]``, ``state.*`` → ``prediction [B, J]``,
    ``next.*``; ``joiner``: ``frame [B, J]``, ``prediction [B, J]`` → ``logits [B, V]``.
    """

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], encoder: EncoderSpec, head: StepHeadSpec, joint: int,
        decoder_cell: type[Cell], decoder: EncoderSpec, outputs: int, example: Tensor,
    ) -> None:  # fmt: skip
        super().__init__(frontend, cell, encoder, head, joint, example)
        if decoder.bidirectional:
            raise UsageError("a prediction network reads forwards: its bidirectional must be false")
        self.table = nn.Embedding(outputs, decoder.hidden)
        self.prediction = Encoder(decoder_cell, decoder.hidden, decoder)
        self.expects = nn.Linear(self.prediction.outputs, joint)
        self.joiner = nn.Linear(joint, outputs)

    def predicted(self, tokens: Tensor) -> Tensor:
        """What is expected before each of the tokens ``[B, U]``, and after them: ``[B, U + 1, J]``."""
        first = torch.zeros_like(tokens[:, :1])
        x = self.table(torch.cat([first, tokens], dim=1))
        y, _ = self.prediction(x, None, self.prediction.initial(x.shape[0]))
        expected: Tensor = self.expects(y)
        return expected

    def joined(self, frames: Tensor, predicted: Tensor) -> Tensor:
        """Logits of frames and predictions, whose axes but the last go together."""
        logits: Tensor = self.joiner(torch.tanh(frames + predicted))
        return logits

    def graphs(self) -> dict[str, Graph]:
        graphs = super().graphs()
        example = graphs["encoder"].example["inputs"]
        rows, device = example.shape[0], example.device
        state = self.prediction.initial(rows)

        def decode(arrays: Arrays) -> Arrays:
            own = {name: arrays[f"state.{name}"] for name in state}
            y, following = self.prediction(self.table(arrays["token"][:, None]), None, own)
            return {"prediction": self.expects(y)[:, 0], **{f"next.{name}": following[name] for name in state}}

        def join(arrays: Arrays) -> Arrays:
            return {"logits": self.joined(arrays["frame"], arrays["prediction"])}

        token = torch.zeros(rows, dtype=torch.int64, device=device)
        joint = torch.zeros(rows, self.joiner.in_features, device=device)
        carried = {f"{part}.{name}": {0: "batch"} for part in ("state", "next") for name in state}
        each = {0: "batch"}
        graphs["decoder"] = Graph(
            decode, {"token": token, **_named("state", state)}, {"token": each, **carried, "prediction": each}
        )  # fmt: skip
        graphs["joiner"] = Graph(
            join, {"frame": joint, "prediction": joint}, {"frame": each, "prediction": each, "logits": each}
        )  # fmt: skip
        return graphs


class Attending(Model):
    """What is read, and a decoder that attends to it: what the mappings that write have in common.

    ``forward(inputs, lengths [B], tokens [B, T]) -> features [B, T, F]`` is teacher forcing: ``tokens`` are those
    written before each step, and ``head`` makes logits ``[…, V]`` of features. A mapping says what is read: ``read``,
    and ``reads``.

    Two graphs. ``encoder``: what ``reads`` names → ``memory.*`` (keys, values ``[B, S, A]`` and mask ``[B, S]``) and
    ``start.*``, the decoder's first state. ``decoder``: ``token [B]``, ``state.*``, ``memory.*`` → ``logits [B, V]``,
    ``weights [B, S]`` (where it looked) and ``next.*``. The first state is that after one step which reads the mean of
    what was found: a state that the cell can reach, whatever the cell.

    A written token's vector is of the front end's table, or of ``table`` where what is read are other tokens or
    none. With ``head.tied`` the outputs are the scores of that table.
    """

    # What is read is read whole, both ways if it likes; what streams are the pieces.
    causal = True

    def __init__(
        self, frontend: nn.Module, encoder: Encoder | None, remembers: int, cell: type[Cell], decoder: EncoderSpec,
        attention: AttentionSpec, head: StepHeadSpec, outputs: int, example: Tensor, table: Embedding | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.frontend, self.table, self.encoder = frontend, table, encoder
        written = self.written
        width = head.hidden or written.features
        self.decoder = AttendingDecoder(cell, written.features, remembers, decoder, attention, width)
        self.first = nn.Linear(remembers, written.features)
        self.dropout = nn.Dropout(head.dropout)
        self.bias = nn.Parameter(torch.zeros(outputs))
        if head.tied and (width, outputs) != (written.features, written.table.num_embeddings):
            raise UsageError(f"head.tied needs a table of as many vectors as outputs, {outputs}, and no head.hidden")
        self.weight = None if head.tied else nn.Parameter(torch.randn(outputs, width) * width**-0.5)
        self.register_buffer("example", example, persistent=False)

    @property
    def written(self) -> Embedding:
        """The table of the vectors of written tokens."""
        found = self.frontend if self.table is None else self.table
        if not isinstance(found, Embedding):
            raise UsageError("the decoder needs a table of vectors for what it writes")
        return found

    def read(self, inputs: Tensor, lengths: Tensor) -> tuple[State, Tensor]:
        """The memory of what is read, and the vector ``[B, D]`` that the decoder begins with."""
        raise NotImplementedError

    def reads(self) -> tuple[Arrays, dict[str, dict[int, str]]]:
        """What the graph ``encoder`` takes: an example, and the names of moving axes."""
        raise NotImplementedError

    def forward(self, inputs: Tensor, lengths: Tensor, tokens: Tensor) -> Tensor:
        memory, first = self.read(inputs, lengths)
        x = torch.cat([first[:, None], self.written(tokens).to(first.dtype)], dim=1)
        features, _, _ = self.decoder(x, self.decoder.initial(x.shape[0]), memory)
        written: Tensor = self.dropout(features[:, 1:])
        return written

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        """What makes logits of features: weight ``[V, F]`` and bias ``[V]``."""
        return self.written.table.weight if self.weight is None else self.weight, self.bias

    def graphs(self) -> dict[str, Graph]:
        given, axes = self.reads()
        rows, device = given["inputs"].shape[0], given["inputs"].device
        state = self.decoder.initial(rows)
        place = {0: "batch", 1: "time"}

        def encode(arrays: Arrays) -> Arrays:
            memory, first = self.read(**{name: arrays[name] for name in given})
            start = self.decoder.initial(first.shape[0])
            start = self.decoder(first[:, None], start, memory)[1]
            return _named("memory", memory) | {f"start.{name}": start[name] for name in state}

        def decode(arrays: Arrays) -> Arrays:
            own = {name: arrays[f"state.{name}"] for name in state}
            memory = {name: arrays[f"memory.{name}"] for name in ("keys", "values", "mask")}
            features, following, weights = self.decoder(self.written(arrays["token"][:, None]), own, memory)
            results = {"logits": functional.linear(features[:, 0], *self.head), "weights": weights[:, 0]}
            return results | {f"next.{name}": following[name] for name in state}

        whole = torch.zeros(rows, 2, self.decoder.attention.features, device=device)
        memory = {"keys": whole, "values": whole, "mask": whole[:, :, 0] == 0}
        token = torch.zeros(rows, dtype=torch.int64, device=device)
        reads = {f"memory.{name}": place for name in memory}
        starts = {f"start.{name}": {0: "batch"} for name in state}
        carried = {f"{part}.{name}": {0: "batch"} for part in ("state", "next") for name in state}
        return {
            "encoder": Graph(encode, given, axes | reads | starts),
            "decoder": Graph(
                decode, {"token": token, **_named("state", state), **_named("memory", memory)},
                {"token": {0: "batch"}, **reads, **carried, "logits": {0: "batch"}, "weights": place},
            ),
        }  # fmt: skip


class Unaligned(Attending):
    """A sequence ``[B, S, …]`` to another one: front end, encoder, and a decoder that attends to what the encoder read.

    The graph ``encoder`` takes ``inputs`` and ``lengths``.
    """

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], encoder: EncoderSpec, decoder: EncoderSpec,
        attention: AttentionSpec, head: StepHeadSpec, outputs: int, example: Tensor,
        table: Embedding | None = None, decoder_cell: type[Cell] | None = None,
    ) -> None:  # fmt: skip
        made = Encoder(cell, int(frontend.features), encoder)  # type: ignore[arg-type]
        super().__init__(
            frontend, made, made.outputs, decoder_cell or cell, decoder, attention, head, outputs, example, table
        )  # fmt: skip

    def read(self, inputs: Tensor, lengths: Tensor) -> tuple[State, Tensor]:
        assert self.encoder is not None
        x = self.frontend(inputs)
        y, _ = self.encoder(x, lengths, self.encoder.initial(x.shape[0]))
        # Beyond a row's length it is zero.
        mean = y.sum(1) / lengths.clamp(min=1)[:, None].to(y.dtype)
        return self.decoder.attention.remember(y, lengths), self.first(mean)

    def reads(self) -> tuple[Arrays, dict[str, dict[int, str]]]:
        example = self.example
        assert isinstance(example, Tensor)
        lengths = torch.full((example.shape[0],), example.shape[1], dtype=torch.int64, device=example.device)
        return {"inputs": example, "lengths": lengths}, {"inputs": {0: "batch", 1: "time"}, "lengths": {0: "batch"}}


class OneToMany(Attending):
    """One thing of a fixed size to a sequence: a front end that sees it as S places, and a decoder that looks there.

    Every place is there in every row, so the graph ``encoder`` takes ``inputs`` alone.
    """

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], decoder: EncoderSpec, attention: AttentionSpec,
        head: StepHeadSpec, outputs: int, example: Tensor, table: Embedding,
    ) -> None:  # fmt: skip
        features = int(frontend.features)  # type: ignore[arg-type]
        super().__init__(frontend, None, features, cell, decoder, attention, head, outputs, example, table)

    def read(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[State, Tensor]:
        places = self.frontend(inputs)
        whole = torch.full((places.shape[0],), places.shape[1], dtype=torch.int64, device=places.device)
        return self.decoder.attention.remember(places, whole), self.first(places.mean(1))

    def reads(self) -> tuple[Arrays, dict[str, dict[int, str]]]:
        example = self.example
        assert isinstance(example, Tensor)
        return {"inputs": example}, {"inputs": {0: "batch"}}


def _named(part: str, arrays: State) -> Arrays:
    return {f"{part}.{name}": value for name, value in arrays.items()}


def _head(width: int, spec: HeadSpec | StepHeadSpec) -> tuple[nn.Sequential, int]:
    """What comes before the outputs, and how many features it gives them."""
    head = nn.Sequential(nn.Dropout(spec.dropout))
    if spec.hidden:
        head.extend([nn.Linear(width, spec.hidden), nn.GELU(), nn.Dropout(spec.dropout)])
    return head, spec.hidden or width
