"""Generating texts in sub-words: a text rewritten as another, or the caption of one thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from suite.codecs.subwords import SubwordCodec, SubwordTarget
from suite.codecs.text_parsers import RawParser
from suite.errors import DataError
from suite.metrics import accuracy
from suite.task.base import Config, Mappings, Monitor
from suite.task.codecs import In
from suite.task.options import Option
from suite.task.seq2seq import TextGenerationTask, reranking_option, search_options
from suite.task.streaming import Streaming

if TYPE_CHECKING:
    from suite.data.examples import Example
    from suite.data.readers import Row


class SubwordGenerationTask(TextGenerationTask[Config, In, SubwordTarget]):
    """A text of sub-words for each input, compared with the one wanted as a whole.

    The second of ``data.columns`` has the texts.
    """

    target_codec = SubwordTarget
    monitor: Sequence[Monitor] = (Monitor(metric="exact_match"),)
    options: Sequence[Option] = search_options("text")
    streaming = Streaming(
        kind="segments",
        parser=RawParser,
        help="A line is an input; its text is written as soon as no hypothesis of the beam differs.",
    )

    def example(self, row: Row) -> Example:
        """The input and its text. Raises DataError for a text that is not a string."""
        found = super().example(row)
        if not isinstance(found.target, str):
            column = self.data.columns[1].name
            raise DataError(f"{row.where}: {column} is {type(found.target).__name__}, not a string; quote it")
        return found

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        """The share of texts that are exactly the ones wanted."""
        wanted, found = [example.target for example in examples], [result.text for result in results]
        return {"items": len(wanted), "exact_match": accuracy(wanted, found)}


class TextToTextTask(SubwordGenerationTask[Config, SubwordCodec]):
    """A text rewritten as another. Only codecs and model are left to write.

    Both sides may share one `SubwordCodec`, which is then the input codec, and the target's ``SubwordTarget(codec)``.
    """

    input_codec = SubwordCodec


class CaptionTask(SubwordGenerationTask[Config, In]):
    """A text for one thing of a fixed size, such as a picture. Only codecs and model are left to write.

    With ``training.remember`` a model of few examples keeps them, and reranks by the texts of similar ones.
    """

    mapping: ClassVar[Mappings] = "one-to-many"
    options: Sequence[Option] = (*search_options("text"), reranking_option())
