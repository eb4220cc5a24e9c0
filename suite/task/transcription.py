"""Transcription: text written down while it comes, from audio or images, by CTC or a transducer.

Data flow: outputs at every step → a search over texts (``suite.decoding``) → words with times → updates and results.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np

from suite.codecs import InputCodec
from suite.codecs.characters import CharacterCodec
from suite.decoding import ngram_lm
from suite.decoding.ctc import CTCGreedy, CTCPrefixBeamSearch, Search
from suite.decoding.endpointing import Endpointer, Utterance
from suite.decoding.shallow_fusion import ShallowFusion
from suite.decoding.transducer import GreedyTransducer, TransducerBeamSearch
from suite.errors import UsageError
from suite.metrics import edit_distance, error_rates, per_source
from suite.task.aligned import AlignedTask
from suite.task.base import Config, Monitor
from suite.task.codecs import Codecs
from suite.task.options import Option
from suite.task.results import Result
from suite.task.streaming import Streaming

if TYPE_CHECKING:
    from suite.data.examples import Example
    from suite.inference.model import LoadedModel

#: Seconds without a word that end an utterance.
PAUSE = 0.8
#: A text counts as understood with at most this many errors a character; this share of those may be called doubtful.
UNDERSTOOD, DOUBTED = 0.2, 0.05
#: Defaults of the search: beam size, language model weight and word bonus. Chosen on dev, for CTC and transducers.
BEAM, LM_WEIGHT, WORD_BONUS = 16, 0.25, 1.0

_SEARCH_OPTIONS = (
    Option(
        name="beam", type=int, minimum=1,
        help=f"beam size; 1 is greedy decoding without a language model (default: {BEAM}; 1 for CTC without one)",
    ),
    Option(
        name="lm", type=Path,
        help="shallow fusion: n-gram language model, an ARPA file as train-lm writes (default: the checkpoint's own)",
    ),
    Option(
        name="lm_weight", type=float, default=LM_WEIGHT, minimum=0,
        help="shallow fusion: weight of the language model; 0 turns it off",
    ),
    Option(
        name="word_bonus", type=float, default=WORD_BONUS,
        help="shallow fusion: score added for each word, against the language model's preference for short texts",
    ),
    Option(name="vocabulary", type=Path, help="vocabulary bias: file of words to prefer, one a line"),
    Option(
        name="favour", type=float, default=1.0,
        help="vocabulary bias: score added for each letter of a word in --vocabulary",
    ),
    Option(name="only", type=bool, default=False, help="restrict the output to the words in --vocabulary"),
    Option(
        name="pause", type=float, default=PAUSE, minimum=0,
        help="endpointing: seconds without a word that end an utterance; 0 never ends one",
    ),
)  # fmt: skip


def search_options(*verbs: str) -> tuple[Option, ...]:
    """The options of a search, for some of the core's verbs; without verbs for a command of a task's own."""
    return tuple(dataclasses.replace(option, verbs=verbs) for option in _SEARCH_OPTIONS) if verbs else _SEARCH_OPTIONS


class TimedCodec(InputCodec, Protocol):
    """An input codec whose steps have a duration."""

    @property
    def step_seconds(self) -> float:
        """Seconds a step."""
        ...


Timed = TypeVar("Timed", bound=TimedCodec)


@dataclass(frozen=True, kw_only=True)
class Transcript(Result):
    """A text with its words and their times.

    Attributes:
        text: The text.
        confidence: 0 … 1.
        words: Each with ``word``, ``start`` and ``end`` (seconds) and ``confidence``.
        note: What is wrong with the recording, or a low confidence, in a line.
        whole: Set on the updates of a stream: whether this one is a whole utterance.
        files: The subtitle files that were written.
    """

    text: str
    confidence: float
    words: tuple[dict[str, Any], ...]
    note: str | None = None
    whole: bool | None = None
    files: tuple[str, ...] | None = None

    optional: ClassVar[tuple[str, ...]] = ("note", "whole", "files")


class TranscriptDecoder:
    """Decodes outputs as they come: the partial text of the utterance under way, and finished utterances."""

    def __init__(
        self, model: LoadedModel[Any, CharacterCodec], pending: Any, *, beam: int | None = None, lm: Path | None = None,
        lm_weight: float = LM_WEIGHT, word_bonus: float = WORD_BONUS, vocabulary: Path | None = None,
        only: bool = False, favour: float = 1.0, pause: float = PAUSE, **options: Any,
    ) -> None:  # fmt: skip
        self._letters = letters = model.codecs.target
        if only and vocabulary is None:
            raise UsageError("only needs vocabulary: give the file of words too")
        if beam == 1 and not (lm is None and vocabulary is None):
            raise UsageError("beam=1 is greedy decoding, without lm or vocabulary: leave out one of them")
        language_model: ngram_lm.NgramLM | None = letters.expects if not only and beam != 1 else None
        language_model = language_model if lm is None else ngram_lm.load_arpa(lm)
        language_model = language_model if lm_weight else None
        fusion = None
        if language_model is not None or vocabulary is not None:
            fusion = ShallowFusion(
                language_model, lm_weight=lm_weight, word_bonus=word_bonus, vocabulary_bonus=favour,
                vocabulary_only=only,
                vocabulary=() if vocabulary is None else _words(vocabulary, _changed(vocabulary), letters),
            )  # fmt: skip
        if beam is None:
            # CTC has no language model of its own: without one a beam search gains nothing over greedy decoding.
            beam = BEAM if fusion is not None or letters.criterion == "rnnt" else 1
        search: Search
        alphabet = letters.spec.alphabet
        if letters.criterion == "rnnt":
            runtime = model.runtime
            search = GreedyTransducer(runtime) if beam == 1 else TransducerBeamSearch(runtime, alphabet, beam, fusion)
        else:
            search = CTCGreedy() if beam == 1 else CTCPrefixBeamSearch(alphabet, beam, fusion)
        pending = pending or {"listener": None, "shown": ""}
        self._step = model.codecs.input.step_seconds
        self._listener = Endpointer(alphabet, search, round(pause / self._step), pending["listener"])
        self._shown: str = pending["shown"]

    def feed(self, outputs: np.ndarray) -> list[Transcript]:
        """The utterances that end here, and the one under way where it has grown."""
        found = [self._result(heard, final=False, whole=True) for heard in self._listener.feed(outputs)]
        if found:
            self._shown = ""
        heard = self._listener.partial()
        if heard.text != self._shown:
            self._shown = heard.text
            found.append(self._result(heard, final=False, whole=False))
        return found

    def finish(self, updates: Sequence[Result]) -> Transcript:
        """The answer, of the last updates and of what was not over."""
        last = self._result(self._listener.finish(), final=True)
        over = [update for update in updates if isinstance(update, Transcript) and update.whole]
        if not over:
            return last
        return dataclasses.replace(joined([*over, last], self._letters), final=True)

    @property
    def pending(self) -> Any:
        """All that is kept between two pieces, as JSON."""
        return {"listener": self._listener.pending, "shown": self._shown}

    def _result(self, heard: Utterance, *, final: bool, whole: bool | None = None) -> Transcript:
        words = tuple(
            {
                "word": word.word,
                "start": round(word.start * self._step, 3),
                "end": round(word.end * self._step, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in heard.words
        )
        note = _doubt(bool(words), heard.confidence, self._letters) if whole or final else None
        confidence = round(heard.confidence, 4)
        return Transcript(
            input=None, final=final, text=heard.text, confidence=confidence, words=words, note=note, whole=whole
        )  # fmt: skip


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0  # reading it says what is wrong


@lru_cache(4)
def _words(path: Path, changed: int, letters: CharacterCodec) -> tuple[str, ...]:
    """The words of a file that was last ``changed`` then, a word or several a line."""
    from suite.data.readers import read_rows

    rows = read_rows(path, format="txt", text_column="words")
    return tuple(dict.fromkeys(word for row in rows for word in letters.plain(row.values["words"]).split()))


def joined(results: Sequence[Transcript], letters: CharacterCodec) -> Transcript:
    """One result of finished utterances."""
    over = [result for result in results if result.whole or result.final]
    words = tuple(word for result in over for word in result.words)
    count = sum(len(word["word"]) for word in words)
    if count:
        logs = [len(word["word"]) * math.log(max(word["confidence"], 1e-9)) for word in words]
        confidence = math.exp(sum(logs) / count)
    else:
        confidence = over[-1].confidence
    text = " ".join(word["word"] for word in words)
    note = _doubt(bool(text), confidence, letters)
    return Transcript(input=None, text=text, confidence=round(confidence, 4), words=words, note=note)


def _doubt(said: bool, confidence: float, letters: CharacterCodec) -> str | None:
    if not said or confidence >= letters.doubt:
        return None
    return f"low confidence ({confidence:.2f}): unlike the training data, words may be wrong"


class TranscriptionTask(AlignedTask[Config, Timed, CharacterCodec, Transcript]):
    """A task that writes down text as it comes: audio, or lines of writing column by column.

    Its model is a CTC or transducer encoder; the options of `search_options` decide how outputs are searched.
    """

    result = Transcript
    target_codec = CharacterCodec
    monitor: Sequence[Monitor] = (Monitor(metric="wer", mode="min"),)
    streaming: Streaming | None = Streaming(kind="decoder")

    def decode(
        self, outputs: np.ndarray, codecs: Codecs[Timed, CharacterCodec], item: Any, *, final: bool | None = None,
        **options: Any,
    ) -> Transcript:  # fmt: skip
        """Not used: a transducer's outputs need its other graphs; see `transcripts` and `stream_decoder`."""
        raise UsageError(f"{self.name}: outputs are decoded with the model; use predict or a session")

    def predict(
        self,
        model: LoadedModel[Timed, CharacterCodec],
        pieces: Sequence[Any],
        arrays: Sequence[np.ndarray],
        **options: Any,
    ) -> list[Transcript]:
        """The text of each input."""
        results = []
        for outputs in model.outputs(list(arrays)):
            decoder = self.stream_decoder(model, None, **options)
            updates = decoder.feed(outputs)
            results.append(joined([*updates, decoder.finish(())], model.codecs.target))
        return results

    def stream_decoder(
        self, model: LoadedModel[Timed, CharacterCodec], pending: Any, **options: Any
    ) -> TranscriptDecoder:
        """The decoder of a session."""
        return TranscriptDecoder(model, pending, **options)

    def calibrate(
        self, model: LoadedModel[Timed, CharacterCodec], examples: Sequence[Example],
        predict: Callable[[], Sequence[Any]],
    ) -> Codecs[Timed, CharacterCodec]:  # fmt: skip
        """The codecs with the confidence threshold that nearly all understood examples reach (`doubt`)."""
        understood = [
            result.confidence
            for result, example in zip(predict(), examples, strict=True)
            if result.text and edit_distance(result.text, str(example.target)) <= UNDERSTOOD * len(str(example.target))
        ]
        if not understood:
            return model.codecs
        doubt = round(float(np.quantile(understood, DOUBTED)), 3)
        return model.codecs.replace(target=dataclasses.replace(model.codecs.target, doubt=doubt))

    def render(self, result: Any) -> str:
        """The text and its input, a note if there is one, and the files that were written."""
        lines = [f"{result.text}  [{result.input}]"]
        if result.note:
            lines.append(f"  {result.note}")
        return "\n".join([*lines, *(f"  saved: {file}" for file in result.files or ())])

    def render_update(self, result: Any, previous: Any) -> str | None:
        """The partial text after dots; a whole utterance without."""
        return render_transcript(result, previous)

    def metrics(self, results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
        """Word and character error rate, and the same by source if the data names several."""
        metrics = _error_rates(results, examples)
        apart = per_source(results, examples, _error_rates)
        if len(apart) > 1:
            metrics["per_source"] = {
                source: {name: own[name] for name in ("items", "wer", "cer")} for source, own in apart.items()
            }
        return metrics


def render_transcript(result: Any, previous: Any = None) -> str | None:
    """An update of a stream: partial text after dots, a whole utterance without; None for no text."""
    if not result.text:
        return None
    if not (result.whole or result.final):
        return f"… {result.text}"
    return f"{result.text}\n  {result.note}" if result.note else str(result.text)


def _error_rates(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    texts, wanted = [result.text for result in results], [str(example.target) for example in examples]
    return {"items": len(texts), **error_rates(texts, wanted)}
