"""Models: a front end, recurrent layers and a head for each mapping.

A model is one graph or several over named arrays (see `Graph`), which the torch runtime calls and the exporter writes.
"""

from suite.nn.models.aligned import Aligned
from suite.nn.models.base import Graph, Model, SingleGraphModel, Tensors
from suite.nn.models.many_to_one import ManyToOne
from suite.nn.models.seq2seq import EncoderDecoder, OneToMany, Unaligned
from suite.nn.models.transducer import Transducer

__all__ = [
    "Aligned",
    "EncoderDecoder",
    "Graph",
    "ManyToOne",
    "Model",
    "OneToMany",
    "SingleGraphModel",
    "Tensors",
    "Transducer",
    "Unaligned",
]
