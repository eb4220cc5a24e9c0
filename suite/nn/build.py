"""Builders: from a configuration's specs to a model.

A plugin's ``build_model`` calls one of these and nothing below it: the builder finds the cells by the names in the
specs, and gives them the sizes and options that the specs hold. ::

    def build_model(self, config, codecs):
        from suite.nn.build import tokens_to_one     # torch is imported here, not above

        words, labels = codecs.input.size, codecs.target.size
        return tokens_to_one(words, config.embedding, config.encoder, config.head, labels)

======================  ======================================================  ===============================
builder                 inputs                                                  outputs
======================  ======================================================  ===============================
``tokens_to_one``       token ids ``[B, T]``                                    ``[B, K]``, many-to-one
``series_to_one``       feature vectors ``[B, T, D]``                           ``[B, K]``, many-to-one
``many_to_one``         those of any front end                                  ``[B, K]``, many-to-one
``tokens_to_each``      token ids ``[B, T]``                                    ``[B, T, K]``, aligned
``columns_to_each``     tokens with token features ``[B, T, C]``                ``[B, T, K]``, aligned
``series_to_each``      feature vectors ``[B, T, D]``                           ``[B, T, K]``, aligned
``frames_to_each``      stacked audio frames ``[B, T, stack · bands]``          ``[B, T, K]``, aligned
``aligned``             those of any front end                                  ``[B, T, K]``, aligned
``frames_to_tokens``    stacked audio frames ``[B, T, stack · bands]``          tokens, by a transducer
``transducer``          those of any front end                                  tokens, by a transducer
``tokens_to_tokens``    token ids ``[B, S]``                                    tokens, by an attending decoder
``image_to_tokens``     a picture ``[B, 3, size, size]``                        tokens, by an attending decoder
``one_to_many``         those of any front end without time                     tokens, by an attending decoder
======================  ======================================================  ===============================

Letters: B rows, T steps (S of a source), D features of an input, K outputs. Logits and values come without a softmax.

A front end of the plugin's own, or a ready-made one with state (``suite.nn.layers.frontends``), goes into the general
builders:

>>> import torch
>>> from suite.nn.build import aligned
>>> from suite.nn.layers.frontends import FrameDifference
>>> from suite.nn.specs import RecurrentSpec, StepHeadSpec
>>> model = aligned(FrameDifference(4), RecurrentSpec("gru", hidden=8), StepHeadSpec(), outputs=3)
>>> outputs, state = model(torch.zeros(2, 5, 4), torch.tensor([5, 3]), model.initial(2))
>>> tuple(outputs.shape), list(state)
((2, 5, 3), ['frontend.last', 'frontend.begun', '0.h'])
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from suite.errors import UsageError
from suite.nn.cells.registry import cell_class
from suite.nn.layers.embeddings import Embedding, FactoredEmbedding, FeatureInput, SpecAugment
from suite.nn.layers.frontends import Frontend
from suite.nn.layers.vision import ImageBackbone
from suite.nn.models import Aligned, ManyToOne, OneToMany, Transducer, Unaligned
from suite.nn.specs import AttentionSpec, BackboneSpec, EmbeddingSpec, HeadSpec, MaskSpec, RecurrentSpec, StepHeadSpec

# -- many-to-one ---------------------------------------------------------------------------------------------------


def many_to_one(
    frontend: nn.Module, encoder: RecurrentSpec, head: HeadSpec, outputs: int, *, example: Tensor | None = None
) -> ManyToOne:
    """A many-to-one model with any front end.

    Args:
        frontend: A module from inputs ``[B, T, …]`` to vectors ``[B, T, features]``, with the attribute ``features``;
            a ``suite.nn.layers.frontends.StatefulFrontend`` also gets lengths and state.
        encoder: The recurrent layers.
        head: Poolings over time, and what follows them.
        outputs: The number of outputs, K.
        example: Two rows of two steps of valid inputs, ``[2, 2, …]``, for tracing; by default ``frontend.example()``.

    Raises:
        UsageError: If the front end has no example and none is given, or for a cell or option that does not exist.
    """
    return ManyToOne(frontend, cell_class(encoder.cell), encoder, head, outputs, _example(frontend, example))


def tokens_to_one(
    vocabulary: int, embedding: EmbeddingSpec, encoder: RecurrentSpec, head: HeadSpec, outputs: int,
    silent: int | None = None,
) -> ManyToOne:  # fmt: skip
    """A many-to-one model over token ids ``[B, T]``, int64.

    Args:
        vocabulary: The number of tokens, V; ids are below it.
        embedding: The table of token vectors.
        encoder: The recurrent layers.
        head: Poolings over time, and what follows them.
        outputs: The number of outputs, K.
        silent: A token whose vector is zero and stays so, such as the unknown word.
    """
    return many_to_one(Embedding(vocabulary, embedding, silent), encoder, head, outputs)


def series_to_one(features: int, encoder: RecurrentSpec, head: HeadSpec, outputs: int) -> ManyToOne:
    """A many-to-one model over feature vectors ``[B, T, D]``, float32.

    Args:
        features: The number of features of a step, D.
        encoder: The recurrent layers.
        head: Poolings over time, and what follows them.
        outputs: The number of outputs, K.
    """
    return many_to_one(FeatureInput(features), encoder, head, outputs)


# -- aligned -------------------------------------------------------------------------------------------------------


def aligned(
    frontend: nn.Module, encoder: RecurrentSpec, head: StepHeadSpec, outputs: int, *, graph: str = "encoder",
    example: Tensor | None = None,
) -> Aligned:  # fmt: skip
    """An aligned model with any front end.

    Args:
        frontend: A module from inputs ``[B, T, …]`` to vectors ``[B, T, features]``, with the attribute ``features``;
            a ``suite.nn.layers.frontends.StatefulFrontend`` also gets lengths and state.
        encoder: The recurrent layers.
        head: From a step's features to its outputs.
        outputs: The number of outputs of a step, K.
        graph: The name of the exported graph: ``"decoder"`` for an autoregressive model, else ``"encoder"``.
        example: Two rows of two steps of valid inputs, ``[2, 2, …]``, for tracing; by default ``frontend.example()``.

    Raises:
        UsageError: If the front end has no example and none is given, or for a cell or option that does not exist.
    """
    return Aligned(frontend, cell_class(encoder.cell), encoder, head, outputs, _example(frontend, example), graph)


def tokens_to_each(
    vocabulary: int, embedding: EmbeddingSpec, encoder: RecurrentSpec, head: StepHeadSpec, outputs: int,
    graph: str = "encoder",
) -> Aligned:  # fmt: skip
    """An aligned model over token ids ``[B, T]``, int64.

    Args:
        vocabulary: The number of tokens, V; ids are below it.
        embedding: The table of token vectors, which ``head.tied`` shares with the outputs.
        encoder: The recurrent layers.
        head: From a step's features to its outputs.
        outputs: The number of outputs of a step, K; of a language model, V.
        graph: The name of the exported graph: ``"decoder"`` for an autoregressive model, else ``"encoder"``.
    """
    return aligned(Embedding(vocabulary, embedding), encoder, head, outputs, graph=graph)


def columns_to_each(
    sizes: Sequence[int], embedding: EmbeddingSpec, beside: Sequence[int], encoder: RecurrentSpec, head: StepHeadSpec,
    outputs: int, graph: str = "encoder",
) -> Aligned:  # fmt: skip
    """An aligned model over tokens with token features, ``[B, T, C]``, int64; the first column is the token.

    Args:
        sizes: The number of values of each column, C numbers.
        embedding: The table of token vectors.
        beside: The number of features of each other column's vectors, C − 1 numbers.
        encoder: The recurrent layers.
        head: From a step's features to its outputs.
        outputs: The number of outputs of a step, K.
        graph: The name of the exported graph: ``"decoder"`` for an autoregressive model, else ``"encoder"``.
    """
    return aligned(FactoredEmbedding(sizes, embedding, beside), encoder, head, outputs, graph=graph)


def series_to_each(features: int, encoder: RecurrentSpec, head: StepHeadSpec, outputs: int) -> Aligned:
    """An aligned model over feature vectors ``[B, T, D]``, float32.

    Args:
        features: The number of features of a step, D.
        encoder: The recurrent layers.
        head: From a step's features to its outputs.
        outputs: The number of outputs of a step, K.
    """
    return aligned(FeatureInput(features), encoder, head, outputs)


def frames_to_each(
    bands: int, stack: int, masks: MaskSpec, encoder: RecurrentSpec, head: StepHeadSpec, outputs: int
) -> Aligned:
    """An aligned model over stacked audio frames ``[B, T, stack · bands]``, float32, masked in training.

    Args:
        bands: The number of frequency bands of a frame.
        stack: The number of frames of a step.
        masks: How much is masked in training (SpecAugment).
        encoder: The recurrent layers.
        head: From a step's features to its outputs.
        outputs: The number of outputs of a step, K; for CTC, the tokens and the blank.
    """
    return aligned(SpecAugment(bands, stack, masks), encoder, head, outputs)


# -- transducers ---------------------------------------------------------------------------------------------------


def transducer(
    frontend: nn.Module, encoder: RecurrentSpec, head: StepHeadSpec, joint: int, prediction: RecurrentSpec,
    outputs: int, *, example: Tensor | None = None,
) -> Transducer:  # fmt: skip
    """A transducer with any front end.

    Args:
        frontend: A module from inputs ``[B, T, …]`` to vectors ``[B, T, features]``, with the attribute ``features``;
            a ``suite.nn.layers.frontends.StatefulFrontend`` also gets lengths and state.
        encoder: The encoder's recurrent layers.
        head: From a step's features to its joint features.
        joint: The number of joint features, J, of encoder and prediction network.
        prediction: The recurrent layers of the prediction network.
        outputs: The number of tokens, V; token 0 is the blank.
        example: Two rows of two steps of valid inputs, ``[2, 2, …]``, for tracing; by default ``frontend.example()``.

    Raises:
        UsageError: If the front end has no example and none is given, or for a cell or option that does not exist.
    """
    cells = cell_class(encoder.cell), cell_class(prediction.cell)
    given = _example(frontend, example)
    return Transducer(frontend, cells[0], encoder, head, joint, cells[1], prediction, outputs, given)


def frames_to_tokens(
    bands: int, stack: int, masks: MaskSpec, encoder: RecurrentSpec, head: StepHeadSpec, joint: int,
    prediction: RecurrentSpec, outputs: int,
) -> Transducer:  # fmt: skip
    """A transducer over stacked audio frames ``[B, T, stack · bands]``, float32, masked in training.

    Args:
        bands: The number of frequency bands of a frame.
        stack: The number of frames of a step.
        masks: How much is masked in training (SpecAugment).
        encoder: The encoder's recurrent layers.
        head: From a step's features to its joint features.
        joint: The number of joint features, J, of encoder and prediction network.
        prediction: The recurrent layers of the prediction network.
        outputs: The number of tokens, V; token 0 is the blank.
    """
    return transducer(SpecAugment(bands, stack, masks), encoder, head, joint, prediction, outputs)


# -- attending decoders --------------------------------------------------------------------------------------------


def tokens_to_tokens(
    vocabulary: int, embedding: EmbeddingSpec, encoder: RecurrentSpec, decoder: RecurrentSpec, attention: AttentionSpec,
    head: StepHeadSpec,
) -> Unaligned:  # fmt: skip
    """An unaligned model from token ids ``[B, S]``, int64, to tokens of the same vocabulary.

    Args:
        vocabulary: The number of tokens, V, of source and target together.
        embedding: The one table of token vectors, for both; ``head.tied`` shares it with the outputs too.
        encoder: The encoder's recurrent layers.
        decoder: The decoder's recurrent layers.
        attention: How the decoder attends to the encoder's outputs.
        head: From a step's features to its logits.
    """
    cells = cell_class(encoder.cell), cell_class(decoder.cell)
    frontend = Embedding(vocabulary, embedding, scaled=head.tied)
    return Unaligned(
        frontend, cells[0], encoder, decoder, attention, head, vocabulary, frontend.example(), decoder_cell=cells[1]
    )  # fmt: skip


def one_to_many(
    frontend: nn.Module, embedding: EmbeddingSpec, decoder: RecurrentSpec, attention: AttentionSpec,
    head: StepHeadSpec, outputs: int, *, example: Tensor | None = None,
) -> OneToMany:  # fmt: skip
    """A one-to-many model with any front end that gives a fixed number of places to attend to.

    Args:
        frontend: A module from inputs ``[B, …]`` to vectors ``[B, S, features]``, with the attribute ``features``.
        embedding: The table of token vectors, which ``head.tied`` shares with the outputs.
        decoder: The decoder's recurrent layers.
        attention: How the decoder attends to the places.
        head: From a step's features to its logits.
        outputs: The number of tokens, V.
        example: Two valid inputs, ``[2, …]``, for tracing; by default ``frontend.example()``.

    Raises:
        UsageError: If the front end has no example and none is given, or for a cell or option that does not exist.
    """
    table = Embedding(outputs, embedding, scaled=head.tied)
    cell, given = cell_class(decoder.cell), _example(frontend, example)
    return OneToMany(frontend, cell, decoder, attention, head, outputs, given, table)


def image_to_tokens(
    size: int, vocabulary: int, embedding: EmbeddingSpec, backbone: BackboneSpec, decoder: RecurrentSpec,
    attention: AttentionSpec, head: StepHeadSpec,
) -> OneToMany:  # fmt: skip
    """A one-to-many model from a picture ``[B, 3, size, size]``, uint8, to tokens.

    Args:
        size: Height and width of a picture, in pixels.
        vocabulary: The number of tokens, V.
        embedding: The table of token vectors, which ``head.tied`` shares with the outputs.
        backbone: The convolutional network that makes a grid of features of the picture.
        decoder: The decoder's recurrent layers.
        attention: How the decoder attends to the grid.
        head: From a step's features to its logits.
    """
    example = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    # Made before the backbone, so that a random seed gives the same weights as ever.
    table = Embedding(vocabulary, embedding, scaled=head.tied)
    cell = cell_class(decoder.cell)
    return OneToMany(ImageBackbone(backbone, size), cell, decoder, attention, head, vocabulary, example, table)


def _example(frontend: nn.Module, given: Tensor | None) -> Tensor:
    if given is not None:
        return given
    if isinstance(frontend, Frontend) and type(frontend).example is not Frontend.example:
        return frontend.example()
    raise UsageError(f"{type(frontend).__name__} defines no example(): give example=, two rows of valid inputs")
