"""Sequence to sequence: an output text written token by token by an attending decoder.

Shared by tasks that decode with a beam or by sampling: the options, the search, streaming, and a family for tasks that
write one text for each input (`TextGenerationTask`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np

from suite.codecs import TargetCodec
from suite.codecs.subwords import END, START, SubwordTarget
from suite.codecs.text import LineSegmenter
from suite.codecs.text_parsers import RawParser
from suite.config import from_options
from suite.decoding import beam_search
from suite.decoding.beam_search import Beam, EncoderOutput, Hypothesis, encode, search, stream_search
from suite.decoding.reranking import MIN_HYPOTHESES, ExampleMemory, pool_memory, rerank
from suite.decoding.sampling import Sampling, check_seed
from suite.errors import DataError, UsageError
from suite.task.base import Config, Mappings, R, Task
from suite.task.codecs import Codecs, In
from suite.task.options import Option
from suite.task.results import Result
from suite.task.streaming import Segmenter, Streaming

if TYPE_CHECKING:
    from suite.codecs.subwords import Detokenizer
    from suite.inference.model import LoadedModel
    from suite.runtime import Runtime


class TokenTarget(TargetCodec, Protocol):
    """A codec of texts that a decoder writes token by token."""

    @property
    def start(self) -> int:
        """The token before the first."""
        ...


Tokens = TypeVar("Tokens", bound=TokenTarget)
Subwords = TypeVar("Subwords", bound=SubwordTarget)

#: The verbs that search for an output.
SEARCHING = ("predict", "evaluate", "stream")
#: Nearest training examples used for reranking, where a checkpoint keeps them; chosen on dev.
NEIGHBOURS = 10


class Seq2SeqTask(Task[Config, In, Tokens, R]):
    """A task whose output is a sequence of its own length, written by a decoder that attends to the encoder.

    ``mapping`` is ``"unaligned"`` for sequences in, or ``"one-to-many"`` for inputs of a fixed size, as pictures.
    """

    mapping: ClassVar[Mappings] = "unaligned"
    progress_unit: ClassVar[str] = "tokens"
    #: Whether ``augment`` gets the encoded input instead of the raw one, where encoding is costly.
    augments_arrays: bool = False

    def augment(
        self, item: Any, target: Any, config: Config, random: np.random.Generator, codecs: Codecs[In, Tokens]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The arrays of an input and its target, changed a little (``augments`` is True).

        ``item`` is the raw input, or its array if ``augments_arrays``.
        """
        raise self._missing("augment", "augments is True")


# -- search --------------------------------------------------------------------------------------------------------


def search_options(output: str, length_penalty: float = 1.0) -> tuple[Option, ...]:
    """The options of a search for an ``output`` (a noun, for the help), with a default for the length penalty."""
    return (
        Option(name="beam", type=int, default=5, verbs=SEARCHING, minimum=1, help="beam size; 1 is greedy decoding"),
        Option(
            name="length_penalty", type=float, default=length_penalty, verbs=SEARCHING, minimum=0,
            help=f"length penalty: above 1 prefers longer {output}s, below 1 shorter ones",
        ),
        Option(name="n_best", type=int, default=1, minimum=1, help=f"number of {output}s to return, best first"),
        Option(name="sample", type=bool, default=False, help=f"sample a {output} instead of beam search"),
        Option(
            name="temperature", type=float, default=1.0, minimum=0,
            help="with --sample: softmax temperature; 0 is greedy decoding",
        ),
        Option(
            name="top_p", type=float, default=0.9, maximum=1,
            help="with --sample: nucleus sampling, the probability mass of the tokens kept",
        ),
        Option(name="seed", type=int, default=0, minimum=0, help="with --sample: random seed"),
    )  # fmt: skip


#: The names of `search_options`.
_SEARCH_NAMES = frozenset(option.name for option in search_options("output"))


def search_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a verb's options that `search_options` declares, as `search_outputs` and `stream_output` take them."""
    return {name: value for name, value in options.items() if name in _SEARCH_NAMES}


def reranking_option() -> Option:
    """The option of a task whose checkpoints may keep training examples (``training.remember``)."""
    return Option(
        name="neighbours", type=int, default=NEIGHBOURS, verbs=SEARCHING, minimum=0,
        help=f"rerank {MIN_HYPOTHESES} hypotheses by the texts of this many similar training examples, if the "
        "checkpoint keeps them; 0 turns reranking off",
    )  # fmt: skip


def search_outputs(
    runtime: Runtime, arrays: Sequence[np.ndarray], limits: Sequence[int], *, start: int, end: int, beam: int,
    length_penalty: float, n_best: int = 1, sample: bool = False, temperature: float = 1.0, top_p: float = 1.0,
    seed: int = 0, given: EncoderOutput | None = None, attention: bool = False,
) -> Sequence[Sequence[Hypothesis]]:  # fmt: skip
    """The hypotheses for each encoded input, best first: by beam search, or a single sampled one.

    A sample depends on the seed and the input alone. ``limits`` are the most tokens of each output. ``given`` is the
    encoder's output for the inputs, if it is known already. Raises UsageError for options that make no sense.
    """
    given, decoder = given or encode(runtime, arrays), runtime.graph("decoder")
    if not sample:
        kept = make_beam(beam, length_penalty, n_best)
        return search(decoder, given, start=start, end=end, limits=limits, beam=kept, attention=attention)
    check_seed(seed)
    if n_best > 1:
        raise UsageError("--n-best needs beam search: leave out --n-best or --sample")
    sampling = from_options(Sampling, temperature, top_p=top_p)
    randoms = [np.random.default_rng([seed, zlib.crc32(array.tobytes())]) for array in arrays]
    found = beam_search.sample(
        decoder, given, start=start, end=end, limits=limits, sampling=sampling, randoms=randoms,
        attention=attention,
    )  # fmt: skip
    return [[one] for one in found]


def make_beam(size: int, length_penalty: float, n_best: int = 1) -> Beam:
    """The beam that options ask for, widened to ``n_best``. Raises UsageError for options that make no sense."""
    if size < 1:
        raise UsageError(f"beam={size}: expected a whole number from 1")
    return from_options(Beam, max(size, n_best), length_penalty, n_best)


def alternatives(rest: Sequence[tuple[str, float]], n_best: int) -> tuple[dict[str, Any], ...] | None:
    """The hypotheses after the best, (text, score) each, as a result lists them; None if only one was asked for."""
    return tuple({"text": text, "score": score} for text, score in rest) if n_best > 1 else None


def stream_output(
    runtime: Runtime, array: np.ndarray, writer: Detokenizer, sums: dict[str, Any], *, start: int, end: int, limit: int,
    beam: int, length_penalty: float,
) -> Iterator[tuple[str, Hypothesis | None]]:  # fmt: skip
    """Pairs of (text, None) for the parts of an output as they are settled, and last (rest, hypothesis).

    A part is settled once no hypothesis of the beam differs in it. The hypothesis's score goes into ``sums``.
    """
    kept = make_beam(beam, length_penalty)
    given = encode(runtime, [array])
    for tokens, answer in stream_search(runtime.graph("decoder"), given, start=start, end=end, limit=limit, beam=kept):
        text = "".join(map(writer.feed, tokens))
        if answer is not None:
            add_score(sums, answer)
            yield text + writer.flush(), answer
        elif text:
            yield text, None


def add_score(sums: dict[str, Any], hypothesis: Hypothesis) -> None:
    """Add a hypothesis's score to the sums of a stream, for `mean_score`."""
    tokens = len(hypothesis.tokens) + 1
    sums["score"] = sums.get("score", 0.0) + hypothesis.score * tokens
    sums["tokens"] = sums.get("tokens", 0) + tokens


def mean_score(sums: Mapping[str, Any]) -> float:
    """The mean log-probability a token of all hypotheses of a stream; 0 if there were none."""
    return float(sums["score"] / sums["tokens"]) if sums.get("tokens") else 0.0


def ranked_lines(score: float, text: str, others: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for an output and for each of its alternatives: score and text."""
    rows = [(score, text), *((other["score"], other["text"]) for other in others)]
    return [f"{value:7.3f}  {words}" for value, words in rows]


# -- one text for each input ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class GeneratedText(Result):
    """A text written by a decoder.

    Attributes:
        text: The best hypothesis.
        score: Its mean log-probability a token.
        alternatives: The next best, each with ``text`` and ``score``; set with ``n_best``.
        whole: Set on the updates of a stream of texts: whether this one ends its input's text.
    """

    text: str
    score: float
    alternatives: tuple[dict[str, Any], ...] | None = None
    whole: bool | None = None

    optional: ClassVar[tuple[str, ...]] = ("alternatives", "whole")


class TextGenerationTask(Seq2SeqTask[Config, In, Subwords, GeneratedText]):
    """A task that writes one text of at most ``max_tokens`` sub-words for each input, such as a caption.

    Its stream reads an input a line, and writes each text as it is settled. Where a checkpoint keeps training examples
    (``training.remember``) hypotheses are reranked by those nearest to the input.
    """

    result = GeneratedText
    max_tokens: int = 64
    streaming = Streaming(kind="segments", parser=RawParser)

    def input_name(self, item: Any) -> Any:
        """An input as results name it."""
        return item

    def predict(
        self, model: LoadedModel[In, Subwords], pieces: Sequence[Any], arrays: Sequence[np.ndarray], **options: Any
    ) -> list[GeneratedText]:
        """The text for each input."""
        decode, n_best = model.codecs.target.codec.decode, options.get("n_best", 1)
        results = []
        for piece, found in zip(pieces, self.hypotheses(model, arrays, **options), strict=True):
            (text, score), *others = [(decode(one.tokens), one.score) for one in found]
            rest = alternatives(others, n_best)
            results.append(GeneratedText(input=self.input_name(piece), text=text, score=score, alternatives=rest))
        return results

    def hypotheses(
        self, model: LoadedModel[In, Subwords], arrays: Sequence[np.ndarray], *, attention: bool = False,
        **options: Any,
    ) -> Sequence[Sequence[Hypothesis]]:  # fmt: skip
        """The hypotheses for each encoded input, best first, as many as ``n_best``.

        They are reranked if the checkpoint keeps training examples. With ``attention`` each has the attention weights
        of its tokens. ``options`` are those of ``predict``; others than of the search are ignored.
        """
        memory = self.reranking_memory(model, **options)
        given, search = encode(model.runtime, arrays), search_values(options)
        n_best = search.get("n_best", 1)
        if memory is not None:
            search["n_best"] = max(n_best, MIN_HYPOTHESES)
        found = search_outputs(
            model.runtime, arrays, [self.max_tokens] * len(arrays), start=START, end=END, given=given,
            attention=attention, **search,
        )  # fmt: skip
        if memory is None:
            return found
        decode, best = model.codecs.target.codec.decode, []
        for hypotheses, vector in zip(found, pool_memory(given), strict=True):
            texts = [(decode(one.tokens), one.score) for one in hypotheses]
            places = rerank(texts, memory.nearest(vector, options["neighbours"]))
            best.append([hypotheses[i] for i in places[:n_best]])
        return best

    def reranking_memory(
        self, model: LoadedModel[In, Subwords], *, beam: int, neighbours: int = 0, sample: bool = False, **options: Any
    ) -> ExampleMemory | None:  # fmt: skip
        """The training examples that hypotheses are reranked by; None without any, and for greedy decoding or samples.

        ``neighbours`` is 0 for a task that has no `reranking_option`.
        """
        return model.codecs.target.remembered if neighbours and beam > 1 and not sample else None

    def segmenter(self, pending: Any) -> Segmenter:
        """A line of the stream is an input."""
        return LineSegmenter(pending)

    def stream_segment(
        self, model: LoadedModel[In, Subwords], separator: Any, segment: Any, sums: dict[str, Any], **options: Any
    ) -> Iterator[GeneratedText]:
        """The text for one line, in parts as they are settled; with reranking, which needs all of it, whole."""
        try:
            array = model.codecs.input.encode(segment)
        except DataError as error:
            raise DataError(f"{segment}: {error}") from error
        codec = model.codecs.target.codec
        if self.reranking_memory(model, **options) is not None:
            ((best,),) = self.hypotheses(model, [array], **options)
            add_score(sums, best)
            text = codec.decode(best.tokens)
            yield GeneratedText(input=segment, text=text, score=best.score, final=False, whole=True)
            return
        parts = stream_output(
            model.runtime, array, codec.writer(), sums, start=START, end=END, limit=self.max_tokens,
            **search_values(options),
        )  # fmt: skip
        for text, whole in parts:
            score = 0.0 if whole is None else whole.score
            yield GeneratedText(input=segment, text=text, score=score, final=False, whole=whole is not None)

    def last_result(self, updates: Sequence[Any], sums: Mapping[str, Any]) -> GeneratedText:
        """What was held back, and the mean score of the stream."""
        return last_text(updates, sums)

    def render(self, result: Any) -> str:
        """The text and its input; with alternatives a line each, with scores."""
        if not result.alternatives:
            return f"{result.text}  [{result.input}]"
        return "\n".join([str(result.input), *ranked_lines(result.score, result.text, result.alternatives)])

    def render_update(self, result: Any, previous: Any) -> str | None:
        """What the update adds; a text ends its line."""
        if result.final:
            return f"{result.text}\n" if result.text else None
        return str(result.text) + ("\n" if result.whole else "")


def last_text(updates: Sequence[GeneratedText], sums: Mapping[str, Any]) -> GeneratedText:
    """The last result of a stream of generated texts: what was held back, and the mean score of all of it."""
    text, given = "".join(update.text for update in updates), "".join(dict.fromkeys(u.input for u in updates))
    return GeneratedText(input=given, text=text, score=mean_score(sums), final=True)
