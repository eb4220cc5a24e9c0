"""Models with an attending decoder: over an encoder's outputs, or over a grid of a picture's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.errors import UsageError
from suite.nn.cells.base import Cell
from suite.nn.cells.state import State
from suite.nn.layers.attending_decoder import AttendingDecoder
from suite.nn.layers.embeddings import Embedding
from suite.nn.layers.frontends import apply_frontend, initial_state
from suite.nn.layers.recurrent import RecurrentStack
from suite.nn.models.base import Graph, Model, Tensors, prefixed
from suite.nn.specs import AttentionSpec, RecurrentSpec, StepHeadSpec


class EncoderDecoder(Model):
    """The base of unaligned and one-to-many models: a memory, and a decoder that attends to it.

    ``forward(inputs, lengths [B], tokens [B, T]) -> features [B, T, F]`` is teacher forcing: ``tokens`` are the target
    tokens before each step. ``head`` maps features to logits ``[…, V]``. A subclass defines ``encode`` and
    ``encoder_inputs``.

    There are two graphs. ``encoder``: the arrays of ``encoder_inputs`` → ``memory.*`` (keys and values ``[B, S, A]``,
    mask ``[B, S]``) and ``start.*``, the decoder's first state. ``decoder``: ``token [B]``, ``state.*``, ``memory.*`` →
    ``logits [B, V]``, attention ``weights [B, S]`` and ``next.*``. The first state is the one after a step on the mean
    of the memory's values, which is a valid state of any cell.

    Args:
        frontend: The front end of the inputs.
        encoder: The encoder; None for one-to-many models.
        memory_features: The number of features of a place of the memory.
        cell: The cell class of the decoder.
        decoder: The sizes of the decoder.
        attention: The decoder's attention.
        head: From features to logits; with ``tied`` the output weights are the target embedding.
        outputs: The number of tokens, V.
        example: Two valid inputs, for tracing.
        table: The embedding of target tokens; by default the front end, for models with one vocabulary.

    Raises:
        UsageError: If ``head.tied`` does not fit the target embedding, or there is none.
    """

    # An input is read whole, in both directions if asked for; a stream is split into inputs.
    causal = True

    def __init__(
        self, frontend: nn.Module, encoder: RecurrentStack | None, memory_features: int, cell: type[Cell],
        decoder: RecurrentSpec, attention: AttentionSpec, head: StepHeadSpec, outputs: int, example: Tensor,
        table: Embedding | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.frontend, self.table, self.encoder = frontend, table, encoder
        targets = self.target_embedding
        width = head.hidden or targets.features
        self.decoder = AttendingDecoder(cell, targets.features, memory_features, decoder, attention, width)
        self.first = nn.Linear(memory_features, targets.features)
        self.dropout = nn.Dropout(head.dropout)
        self.bias = nn.Parameter(torch.zeros(outputs))
        if head.tied and (width, outputs) != (targets.features, targets.table.num_embeddings):
            raise UsageError(
                f"head.tied needs an embedding of {outputs} tokens, as many as outputs, and no head.hidden"
            )
        self.weight = None if head.tied else nn.Parameter(torch.randn(outputs, width) * width**-0.5)
        self.register_buffer("example", example, persistent=False)

    @property
    def target_embedding(self) -> Embedding:
        """The embedding of target tokens."""
        found = self.frontend if self.table is None else self.table
        if not isinstance(found, Embedding):
            raise UsageError("the decoder needs an embedding of target tokens: give table=")
        return found

    def encode(self, inputs: Tensor, lengths: Tensor) -> tuple[State, Tensor]:
        """The memory of the inputs, and the first input of the decoder, ``[B, D]``."""
        raise NotImplementedError

    def encoder_inputs(self) -> tuple[Tensors, dict[str, dict[int, str]]]:
        """An example of the inputs of the graph ``encoder``, and their dynamic axes (see ``Graph``)."""
        raise NotImplementedError

    def forward(self, inputs: Tensor, lengths: Tensor, tokens: Tensor) -> Tensor:
        memory, first = self.encode(inputs, lengths)
        x = torch.cat([first[:, None], self.target_embedding(tokens).to(first.dtype)], dim=1)
        features, _, _ = self.decoder(x, self.decoder.initial(x.shape[0]), memory)
        found: Tensor = self.dropout(features[:, 1:])
        return found

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        """The output layer, from features to logits: weight ``[V, F]`` and bias ``[V]``."""
        return self.target_embedding.table.weight if self.weight is None else self.weight, self.bias

    def graphs(self) -> dict[str, Graph]:
        given, axes = self.encoder_inputs()
        rows, device = given["inputs"].shape[0], given["inputs"].device
        state = self.decoder.initial(rows)
        place = {0: "batch", 1: "time"}

        def encode(arrays: Tensors) -> Tensors:
            memory, first = self.encode(**{name: arrays[name] for name in given})
            start = self.decoder.initial(first.shape[0])
            start = self.decoder(first[:, None], start, memory)[1]
            return prefixed("memory", memory) | {f"start.{name}": start[name] for name in state}

        def decode(arrays: Tensors) -> Tensors:
            own = {name: arrays[f"state.{name}"] for name in state}
            memory = {name: arrays[f"memory.{name}"] for name in ("keys", "values", "mask")}
            features, following, weights = self.decoder(self.target_embedding(arrays["token"][:, None]), own, memory)
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
                decode, {"token": token, **prefixed("state", state), **prefixed("memory", memory)},
                {"token": {0: "batch"}, **reads, **carried, "logits": {0: "batch"}, "weights": place},
            ),
        }  # fmt: skip


class Unaligned(EncoderDecoder):
    """A sequence ``[B, S, …]`` to another one: front end, encoder, and a decoder that attends to the encoder's outputs.

    The graph ``encoder`` takes ``inputs`` and ``lengths``. ``decoder_cell`` is by default the encoder's ``cell``; see
    ``EncoderDecoder`` for the other arguments.
    """

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], encoder: RecurrentSpec, decoder: RecurrentSpec,
        attention: AttentionSpec, head: StepHeadSpec, outputs: int, example: Tensor,
        table: Embedding | None = None, decoder_cell: type[Cell] | None = None,
    ) -> None:  # fmt: skip
        made = RecurrentStack(cell, int(frontend.features), encoder)  # type: ignore[arg-type]
        super().__init__(
            frontend, made, made.outputs, decoder_cell or cell, decoder, attention, head, outputs, example, table
        )  # fmt: skip

    def encode(self, inputs: Tensor, lengths: Tensor) -> tuple[State, Tensor]:
        assert self.encoder is not None
        start = initial_state(self.frontend, lengths.shape[0], self.bias)
        x, _ = apply_frontend(self.frontend, inputs, lengths, start)
        y, _ = self.encoder(x, lengths, self.encoder.initial(x.shape[0]))
        # Outputs beyond a row's length are zero.
        mean = y.sum(1) / lengths.clamp(min=1)[:, None].to(y.dtype)
        return self.decoder.attention.make_memory(y, lengths), self.first(mean)

    def encoder_inputs(self) -> tuple[Tensors, dict[str, dict[int, str]]]:
        example = self.example
        assert isinstance(example, Tensor)
        lengths = torch.full((example.shape[0],), example.shape[1], dtype=torch.int64, device=example.device)
        return {"inputs": example, "lengths": lengths}, {"inputs": {0: "batch", 1: "time"}, "lengths": {0: "batch"}}


class OneToMany(EncoderDecoder):
    """An input of fixed size to a sequence: a front end that gives S places, and a decoder that attends to them.

    No row has padding, so that the graph ``encoder`` takes ``inputs`` alone. See ``EncoderDecoder`` for the arguments.
    """

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], decoder: RecurrentSpec, attention: AttentionSpec,
        head: StepHeadSpec, outputs: int, example: Tensor, table: Embedding,
    ) -> None:  # fmt: skip
        features = int(frontend.features)  # type: ignore[arg-type]
        super().__init__(frontend, None, features, cell, decoder, attention, head, outputs, example, table)

    def encode(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[State, Tensor]:
        places = self.frontend(inputs)
        whole = torch.full((places.shape[0],), places.shape[1], dtype=torch.int64, device=places.device)
        return self.decoder.attention.make_memory(places, whole), self.first(places.mean(1))

    def encoder_inputs(self) -> tuple[Tensors, dict[str, dict[int, str]]]:
        example = self.example
        assert isinstance(example, Tensor)
        return {"inputs": example}, {"inputs": {0: "batch"}}
