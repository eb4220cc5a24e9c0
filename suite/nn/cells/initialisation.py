"""Initialisation of recurrent weights, gate by gate."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def rnn_parameters(rnn: nn.RNNBase) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A one-layer module's own parameters: input weight, recurrent weight, input bias, recurrent bias."""
    input_weight, recurrent_weight, input_bias, recurrent_bias = rnn.parameters()
    return input_weight, recurrent_weight, input_bias, recurrent_bias


def init_rnn_(rnn: nn.RNNBase, gates: int) -> None:
    """Glorot input weights and orthogonal recurrent ones, gate by gate; biases zero."""
    input_weight, recurrent_weight, input_bias, recurrent_bias = rnn_parameters(rnn)
    with torch.no_grad():
        glorot_gates_(input_weight, gates)
        orthogonal_gates_(recurrent_weight)
        input_bias.zero_()
        recurrent_bias.zero_()


def orthogonal_gates_(weight: Tensor) -> None:
    """Fill ``[gates · H, H]`` with one orthogonal matrix a gate (Saxe et al., 2014, arXiv:1312.6120)."""
    for block in torch.split(weight, weight.shape[1]):
        nn.init.orthogonal_(block)


def glorot_gates_(weight: Tensor, gates: int) -> None:
    """Fill ``[gates · H, D]`` gate by gate, uniform in ±sqrt(6 / (H + D)) (Glorot and Bengio, 2010)."""
    bound = math.sqrt(6 / (weight.shape[0] // gates + weight.shape[1]))
    nn.init.uniform_(weight, -bound, bound)
