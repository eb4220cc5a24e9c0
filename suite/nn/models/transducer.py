"""A sequence transducer: an encoder, a prediction network and a joiner."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from suite.errors import UsageError
from suite.nn.cells.base import Cell
from suite.nn.layers.recurrent import RecurrentStack
from suite.nn.models.aligned import Aligned
from suite.nn.models.base import Graph, Tensors, prefixed
from suite.nn.specs import RecurrentSpec, StepHeadSpec


class Transducer(Aligned):
    """A streaming sequence-to-sequence model (Graves, 2012, arXiv:1211.3711).

    At each step of the encoder any number of tokens is emitted, then the blank, token 0, which ends the step.
    ``forward`` gives frames ``[B, T, J]``, ``predict(tokens [B, U])`` the outputs of the prediction network before each
    token and after the last, ``[B, U + 1, J]``, and ``join`` logits of both.

    There are three graphs. ``encoder``, as of an aligned model; ``decoder``: ``token [B]``, ``state.*`` → ``prediction
    [B, J]``, ``next.*``; ``joiner``: ``frame [B, J]``, ``prediction [B, J]`` → ``logits [B, V]``.

    Args:
        frontend, cell, encoder, head, example: As of an aligned model.
        joint: The number of joint features, J.
        decoder_cell: The cell class of the prediction network.
        decoder: The sizes of the prediction network.
        outputs: The number of tokens, V, the blank included.

    Raises:
        UsageError: If ``decoder`` is bidirectional.
    """

    def __init__(
        self, frontend: nn.Module, cell: type[Cell], encoder: RecurrentSpec, head: StepHeadSpec, joint: int,
        decoder_cell: type[Cell], decoder: RecurrentSpec, outputs: int, example: Tensor,
    ) -> None:  # fmt: skip
        super().__init__(frontend, cell, encoder, head, joint, example)
        if decoder.bidirectional:
            raise UsageError("a prediction network is causal: its bidirectional must be false")
        self.table = nn.Embedding(outputs, decoder.hidden)
        self.prediction = RecurrentStack(decoder_cell, decoder.hidden, decoder)
        self.expects = nn.Linear(self.prediction.outputs, joint)
        self.joiner = nn.Linear(joint, outputs)

    def predict(self, tokens: Tensor) -> Tensor:
        """The prediction network's outputs before each token of ``[B, U]`` and after the last: ``[B, U + 1, J]``."""
        first = torch.zeros_like(tokens[:, :1])
        x = self.table(torch.cat([first, tokens], dim=1))
        y, _ = self.prediction(x, None, self.prediction.initial(x.shape[0]))
        predictions: Tensor = self.expects(y)
        return predictions

    def join(self, frames: Tensor, predicted: Tensor) -> Tensor:
        """Logits ``[…, V]`` of frames and predictions ``[…, J]``, whose leading axes broadcast."""
        logits: Tensor = self.joiner(torch.tanh(frames + predicted))
        return logits

    def graphs(self) -> dict[str, Graph]:
        graphs = super().graphs()
        example = graphs["encoder"].example["inputs"]
        rows, device = example.shape[0], example.device
        state = self.prediction.initial(rows)

        def decode(arrays: Tensors) -> Tensors:
            own = {name: arrays[f"state.{name}"] for name in state}
            y, following = self.prediction(self.table(arrays["token"][:, None]), None, own)
            return {"prediction": self.expects(y)[:, 0], **{f"next.{name}": following[name] for name in state}}

        def join(arrays: Tensors) -> Tensors:
            return {"logits": self.join(arrays["frame"], arrays["prediction"])}

        token = torch.zeros(rows, dtype=torch.int64, device=device)
        frame = torch.zeros(rows, self.joiner.in_features, device=device)
        carried = {f"{part}.{name}": {0: "batch"} for part in ("state", "next") for name in state}
        each = {0: "batch"}
        graphs["decoder"] = Graph(
            decode, {"token": token, **prefixed("state", state)}, {"token": each, **carried, "prediction": each}
        )  # fmt: skip
        graphs["joiner"] = Graph(
            join, {"frame": frame, "prediction": frame}, {"frame": each, "prediction": each, "logits": each}
        )  # fmt: skip
        return graphs
