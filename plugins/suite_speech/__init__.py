"""What is said, as text, word by word while it is said."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import suite_assets

from suite import ngrams
from suite.codecs.audio import AudioCodec, AudioSpec
from suite.codecs.letters import Criterion, Letters, LettersSpec
from suite.config import check_ranges
from suite.data.audio import BLOCK, ENDINGS, FORMATS, Samples, mixed, opened
from suite.data.members import in_folder
from suite.data.recordings import read
from suite.errors import DataError, UsageError
from suite.hooks import hookimpl
from suite.nn.specs import EncoderSpec, MaskSpec, StepHeadSpec
from suite.spelling import BestPath, Expected, Heard, Listener, Prefixes, Search, Transduced
from suite.task import Codecs, Column, Example, Option, Result, Task, Verb
from suite.training.specs import SoundChanges, TrainingSpec

if TYPE_CHECKING:
    from suite.data.sources import Recipe
    from suite.nn.mappings import Model
    from suite.pipelines import Pipeline

#: A recording longer than this, in seconds, is read as a stream, in constant memory.
LONG = 60.0
#: Seconds without a letter that end an utterance.
PAUSE = 0.8
#: A search that is to lean on words or a language model keeps as many prefixes at least.
LEANING = 32
#: Recordings that the front end is fitted on.
SAMPLE = 300
#: Nothing is heard below this peak; a peak is clipped from the second on; more than this share of clipped is too much.
SILENT, FULL, CLIPPED = 1e-4, 0.999, 1e-3


@dataclass(frozen=True)
class SpeechConfig:
    """Sizes of the shipped model."""

    audio: AudioSpec = field(default_factory=lambda: AudioSpec(stack=4))
    letters: LettersSpec = field(default_factory=LettersSpec)
    augment: SoundChanges = field(default_factory=SoundChanges)
    masks: MaskSpec = field(default_factory=MaskSpec)
    encoder: EncoderSpec = field(
        default_factory=lambda: EncoderSpec(hidden=320, layers=4, dropout=0.15, norm="layer")
    )  # fmt: skip
    #: Of a transducer, what it expects after its own letters, and how many features are joined.
    prediction: EncoderSpec = field(default_factory=lambda: EncoderSpec(cell="gru", hidden=256, dropout=0.2))
    joint: int = 256
    head: StepHeadSpec = field(default_factory=lambda: StepHeadSpec(dropout=0.1))
    training: TrainingSpec = field(
        default_factory=lambda: TrainingSpec(
            epochs=30, batch_size=32, lr=2e-3, warmup=0.08, weight_decay=0.01, ema=0.999, patience=0, keep="last",
            weights="int8", clip=2.0,
        )
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_ranges(self, least={"joint": 1})


@dataclass(frozen=True, kw_only=True)
class SpeechResult(Result):
    """``words`` have ``word``, ``start`` and ``end`` (seconds) and ``confidence``, 0 … 1, as the whole has.

    ``note`` says in a line what is wrong with the recording, or that it is unlike what the model knows. ``whole`` is
    set on the updates of a stream: whether this one is an utterance that is over. ``files`` are the subtitles written.
    """

    text: str
    confidence: float
    words: tuple[dict[str, Any], ...]
    note: str | None = None
    whole: bool | None = None
    files: tuple[str, ...] | None = None

    optional: ClassVar[tuple[str, ...]] = ("note", "whole", "files")


# --- data -----------------------------------------------------------------------------------------------------


def expand(
    argument: str, on_error: Any = None, *, recursive: bool = False, **options: Any
) -> Iterator[tuple[str, str]]:
    return in_folder(argument, ENDINGS, "recording", recursive=recursive)


def fit(examples: Sequence[Example], config: SpeechConfig, *, criterion: Criterion = "ctc") -> dict[str, Any]:
    # Every so many-th of them, by their keys: the figures are of sound in general.
    some = sorted(examples, key=lambda example: example.key)[:: max(1, len(examples) // SAMPLE)]
    return {
        "input": AudioCodec.fit(_readable(some), config.audio),
        "target": Letters(config.letters, criterion),
    }


def _readable(examples: Sequence[Example]) -> Iterator[tuple[Samples, int]]:
    """The recordings that can be read; what is wrong with the others is said where they are learnt."""
    from suite.data.audio import read as sound

    for example in examples:
        try:
            samples, rate = sound(example.input)
        except DataError:
            continue
        if len(samples):
            yield samples, rate


def check(example: Example, codecs: Codecs) -> Example:
    letters = codecs["target"]
    assert isinstance(letters, Letters)
    text = letters.plain(example.target) if isinstance(example.target, str) else ""
    if not text:
        raise DataError("no text; write what is said, or leave the row out")
    return dataclasses.replace(example, target=text)


def build(config: SpeechConfig, codecs: Codecs) -> Model:
    from suite.nn.build import frames_to_each, frames_to_letters

    letters = codecs["target"]
    assert isinstance(letters, Letters)
    frames = (config.audio.mels, config.audio.stack, config.masks, config.encoder, config.head)
    if letters.criterion == "rnnt":
        return frames_to_letters(*frames, config.joint, config.prediction, letters.size)
    return frames_to_each(*frames, letters.size)


def augment(recording: Any, config: SpeechConfig, random: np.random.Generator, codecs: Codecs) -> tuple[Samples, int]:
    from suite.codecs.audio import samples_at
    from suite.training.sound import varied

    rate = config.audio.rate
    return varied(samples_at(recording, rate), rate, config.augment, random), rate


# --- answers --------------------------------------------------------------------------------------------------


def adapt(codecs: Codecs, *, sample_rate: int | None = None, **options: Any) -> Codecs:
    codec = codecs["input"]
    assert isinstance(codec, AudioCodec)
    return codecs if sample_rate is None else {**codecs, "input": codec.at(sample_rate)}


def pieces(recording: Any, codecs: Codecs, **options: Any) -> list[Any]:
    """The recording's samples and their rate: they are looked at for what is wrong with them too."""
    from suite.data.audio import read as sound

    if isinstance(recording, str | Path):
        return [sound(recording)]
    return [recording]


def blocks(recording: Any, codecs: Codecs, **options: Any) -> Iterator[Any] | None:
    """A long recording in pieces, so that an hour takes no more memory than a minute."""
    codec = codecs["input"]
    assert isinstance(codec, AudioCodec)
    if isinstance(recording, np.ndarray):
        size = round(LONG * (codec.given or codec.spec.rate))
        long = len(recording) > size
        return (recording[at : at + size] for at in range(0, len(recording), size)) if long else None
    if not isinstance(recording, str | Path):
        return None
    with opened(recording) as sound:
        if sound.seconds is not None and sound.seconds <= LONG:
            return None
    return _blocks(recording)


def _blocks(path: str | Path) -> Iterator[tuple[Samples, int]]:
    from suite.cli.output import progress

    with opened(path) as sound:
        size = sound.frames
        pairs = ((block, sound.rate) for block in sound.blocks)
        heard = False
        for pair in progress(pairs, lambda: None if size is None else -(-size // BLOCK), Path(path).name):
            heard = True
            yield pair
    if not heard:
        raise DataError("no samples in it; is it the right file?")


def answer(
    pipeline: Pipeline, pieces: Sequence[Any], arrays: Sequence[np.ndarray], **options: Any
) -> list[SpeechResult]:  # fmt: skip
    """The text of each recording."""
    results = []
    for piece, outputs in zip(pieces, pipeline.outputs(list(arrays)), strict=True):
        reader = UtteranceReader(pipeline, None, **options)
        updates = reader.feed(outputs)
        result = _joined([*updates, reader.finish(())], pipeline.codecs)
        results.append(dataclasses.replace(result, note=_wrong(piece) or result.note))
    return results


def join(
    results: Sequence[Any], recording: Any, codecs: Codecs, *, srt: bool = False, vtt: bool = False, **options: Any
) -> SpeechResult:  # fmt: skip
    """The answer for a recording, of its utterances; subtitles are written beside it."""
    result = results[0] if len(results) == 1 else _joined(results, codecs)
    result = dataclasses.replace(result, input=_named(recording), final=None, whole=None)
    if not (srt or vtt):
        return result
    from suite.subtitles import write

    if not isinstance(recording, str | Path):
        raise UsageError("subtitles are written beside a file: give a path, or leave --srt and --vtt out")
    kinds = [kind for kind, wanted in (("srt", srt), ("vtt", vtt)) if wanted]
    files = tuple(str(write(result.words, Path(recording).with_suffix(f".{kind}"))) for kind in kinds)
    return dataclasses.replace(result, files=files)


def _joined(results: Sequence[SpeechResult], codecs: Codecs) -> SpeechResult:
    """One result of utterances that are over."""
    over = [result for result in results if result.whole or result.final]
    words = tuple(word for result in over for word in result.words)
    letters = sum(len(word["word"]) for word in words)
    if letters:
        logs = [len(word["word"]) * math.log(max(word["confidence"], 1e-9)) for word in words]
        confidence = math.exp(sum(logs) / letters)
    else:
        confidence = over[-1].confidence
    text = " ".join(word["word"] for word in words)
    return SpeechResult(
        input=None, text=text, confidence=confidence, words=words, note=_doubt(bool(text), confidence, codecs)
    )  # fmt: skip


def _doubt(said: bool, confidence: float, codecs: Codecs) -> str | None:
    letters = codecs["target"]
    assert isinstance(letters, Letters)
    if not said or confidence >= letters.doubt:
        return None
    return f"in doubt ({confidence:.2f}): unlike what the model was trained on, words may be wrong"


def _wrong(piece: Any) -> str | None:
    """What is wrong with a recording that can be read all the same."""
    samples = mixed(np.asarray(piece[0] if isinstance(piece, tuple) else piece))
    sizes = np.abs(samples)
    if sizes.max() < SILENT:
        return "silence: there is nothing to hear"
    if (share := float((sizes >= FULL).mean())) > CLIPPED:
        return f"clipped: {share:.1%} of the samples are at full scale; record it more quietly"
    return None


def _named(recording: Any) -> str:
    """What was given, in a word."""
    if isinstance(recording, str | Path):
        return str(recording)
    samples = recording[0] if isinstance(recording, tuple) else recording
    return f"{len(samples):,} samples"


class UtteranceReader:
    """Outputs as they come → what is being said, and utterances that are over (see ``Task.reader``)."""

    def __init__(
        self, pipeline: Pipeline, pending: Any, *, beam: int = 1, lm: Path | None = None, lm_weight: float = 0.5,
        word_bonus: float = 1.0, vocabulary: Path | None = None, only: bool = False, favour: float = 1.0,
        pause: float = PAUSE, **options: Any,
    ) -> None:  # fmt: skip
        self._codecs = pipeline.codecs
        codec, letters = self._codecs["input"], self._codecs["target"]
        assert isinstance(codec, AudioCodec)
        assert isinstance(letters, Letters)
        if beam < 1:
            raise UsageError(f"beam={beam}: expected a whole number from 1")
        if not 0 <= pause < math.inf:
            raise UsageError(f"pause={pause:g}: give seconds, or 0 for none")
        if only and vocabulary is None:
            raise UsageError("only: of which words? give them with vocabulary")
        expected = None
        if lm is not None or vocabulary is not None:
            expected = Expected(
                None if lm is None else ngrams.opened(lm), weight=lm_weight, bonus=word_bonus, favour=favour, only=only,
                words=() if vocabulary is None else _words(vocabulary, letters),
            )  # fmt: skip
            beam = max(beam, LEANING)
        search: Search
        if letters.criterion == "rnnt":
            if beam > 1:
                raise UsageError("a transducer takes the likeliest letter each time: leave beam, lm and vocabulary out")
            search = Transduced(pipeline.runtime)
        else:
            search = BestPath() if beam == 1 else Prefixes(letters, beam, expected)
        pending = pending or {"listener": None, "shown": ""}
        self._step = codec.spec.step
        self._listener = Listener(letters, search, round(pause / self._step), pending["listener"])
        self._shown: str = pending["shown"]

    def feed(self, outputs: np.ndarray) -> list[SpeechResult]:
        """The utterances that end here, and the one under way where it has grown."""
        found = [self._result(heard, final=False, whole=True) for heard in self._listener.feed(outputs)]
        if found:
            self._shown = ""
        heard = self._listener.heard()
        if heard.text != self._shown:
            self._shown = heard.text
            found.append(self._result(heard, final=False, whole=False))
        return found

    def finish(self, updates: Sequence[Result]) -> SpeechResult:
        last = self._result(self._listener.finish(), final=True)
        over = [update for update in updates if isinstance(update, SpeechResult) and update.whole]
        if not over:
            return last
        joined = _joined([*over, last], self._codecs)
        return dataclasses.replace(joined, final=True)

    @property
    def pending(self) -> Any:
        return {"listener": self._listener.pending, "shown": self._shown}

    def _result(self, heard: Heard, *, final: bool, whole: bool | None = None) -> SpeechResult:
        words = tuple(
            {
                "word": word.word,
                "start": round(word.start * self._step, 3),
                "end": round(word.end * self._step, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in heard.words
        )
        note = _doubt(bool(words), heard.confidence, self._codecs) if whole or final else None
        confidence = round(heard.confidence, 4)
        return SpeechResult(
            input=None, final=final, text=heard.text, confidence=confidence, words=words, note=note, whole=whole
        )  # fmt: skip


@lru_cache(4)
def _words(path: Path, letters: Letters) -> tuple[str, ...]:
    """The words of a file, a word or several a line."""
    from suite.data.readers import read_rows

    rows = read_rows(path, format="txt", text_column="words")
    return tuple(dict.fromkeys(word for row in rows for word in letters.plain(row.values["words"]).split()))


def render(result: Any) -> str:
    lines = [f"{result.text}  [{result.input}]"]
    if result.note:
        lines.append(f"  {result.note}")
    return "\n".join([*lines, *(f"  saved: {file}" for file in result.files or ())])


def render_update(result: Any, before: Any = None) -> str | None:
    """What is being said, after dots; what is over, without."""
    if not result.text:
        return None
    if not (result.whole or result.final):
        return f"… {result.text}"
    return f"{result.text}\n  {result.note}" if result.note else str(result.text)


# --- figures --------------------------------------------------------------------------------------------------


def metrics(results: Sequence[Any], examples: Sequence[Example]) -> dict[str, Any]:
    """Errors a word and a letter, and the same by source where the data names several."""
    from suite.metrics import error_rates

    texts, wanted = [result.text for result in results], [str(example.target) for example in examples]
    figures: dict[str, Any] = {"items": len(texts), **error_rates(texts, wanted)}
    sources = sorted({str(example.values["source"]) for example in examples if example.values.get("source")})
    if len(sources) > 1:
        figures["per_source"] = {}
        for source in sources:
            those = [i for i, example in enumerate(examples) if example.values.get("source") == source]
            own = error_rates([texts[i] for i in those], [wanted[i] for i in those])
            figures["per_source"][source] = {"items": len(those), "wer": own["wer"], "cer": own["cer"]}
    return figures


def measure(pipeline: Pipeline, examples: Sequence[Example], **options: Any) -> dict[str, Any]:
    """Seconds computed per second of sound, in a stream of pieces of a tenth of a second."""
    from suite.listening import real_time_factor

    return {"rtf": real_time_factor(pipeline, [example.input for example in examples], **options)}


def plot(pipeline: Pipeline, inputs: Sequence[Any], results: Sequence[Any], path: Path) -> None:
    from suite_speech.plot import spectrograms

    spectrograms(pipeline, inputs, results, path)


def stream(pipeline: Pipeline, **options: Any) -> Iterator[Result]:
    """Standard input, or a microphone, as it comes."""
    from suite.listening import listen

    return listen(pipeline, **options)


def train_lm(pipeline: Pipeline | None, *files: str, order: int, out: Path) -> dict[str, Any]:
    """An n-gram model of the texts in some files."""
    return ngrams.learn_files(files, order, out, Letters(LettersSpec()).plain)


def recipe() -> Recipe:
    from suite_speech.data import recipe as build_recipe

    return build_recipe()


def voices_recipe() -> Recipe:
    from suite_speech.data import voices_recipe as build_recipe

    return build_recipe()


_SEARCHING = (
    Option(name="beam", type=int, default=1, help="texts kept while searching; 1 takes the likeliest letter each time"),
    Option(name="lm", type=Path, help="an n-gram model to lean on: an ARPA file, as train-lm writes"),
    Option(name="lm_weight", type=float, default=0.5, help="with --lm: how much it counts beside what is heard"),
    Option(name="word_bonus", type=float, default=1.0, help="with --lm: what each word adds, so that none is shunned"),
    Option(name="vocabulary", type=Path, help="a file of words, a line each, that are likelier than others"),
    Option(name="favour", type=float, default=1.0, help="with --vocabulary: how much likelier, for each letter"),
    Option(name="only", type=bool, default=False, help="with --vocabulary: there are no other words"),
    Option(name="pause", type=float, default=PAUSE, help="seconds without a word that end an utterance; 0: none do"),
)  # fmt: skip


def _for(*verbs: str) -> tuple[Option, ...]:
    return tuple(dataclasses.replace(option, verbs=verbs) for option in _SEARCHING)


def _rate(*verbs: str) -> Option:
    return Option(name="sample_rate", type=int, verbs=verbs, help="samples a second of arrays, which do not say it")


TASK = Task(
    name="speech",
    summary=__doc__.splitlines()[0],
    mapping="aligned",
    config=SpeechConfig,
    result=SpeechResult,
    columns=(
        Column(name="audio", help="a .wav, or with the extra [audio] a .flac, .ogg or .mp3", required=True),
        Column(name="text", help="what is said; or a folder as LibriSpeech has, or a .tsv of Common Voice"),
    ),
    read=read,
    expand=expand,
    codecs={"input": AudioCodec.from_files, "target": Letters.from_files},
    fit=fit,
    build=build,
    augment=augment,
    adapt=adapt,
    pieces=pieces,
    blocks=blocks,
    join=join,
    check=check,
    answer=answer,
    reader=UtteranceReader,
    render=render,
    render_update=render_update,
    metrics=metrics,
    measure=measure,
    best=("-wer",),
    options=(
        *_for("predict", "evaluate", "stream"),
        _rate("predict", "stream"),
        Option(name="recursive", type=bool, default=False, help="of a folder, the recordings in all folders in it too"),
        Option(name="srt", type=bool, default=False, help="write subtitles beside each recording, NAME.srt"),
        Option(name="vtt", type=bool, default=False, help="the same as NAME.vtt, for the web"),
        Option(
            name="criterion", type=str, default="ctc", choices=("ctc", "rnnt"), verbs=("train",),
            help="what aligns letters with sound: CTC, or a transducer, which also listens to its own letters",
        ),
    ),
    verbs=(
        Verb(
            name="stream",
            help="Text of sound as it comes on standard input, a WAV or raw samples, or from a microphone: first as "
            "far as it is heard, after dots, then the utterance.",
            run=stream,
            render=render_update,
            options=(
                Option(name="rate", type=int, help="samples a second of raw samples; without it a WAV is read"),
                Option(name="format", type=str, default="s16", choices=tuple(FORMATS), help="of raw samples"),
                Option(name="channels", type=int, default=1, help="how many channels raw samples have"),
                Option(name="microphone", type=bool, default=False, help="listen to it; needs the extra [microphone]"),
                Option(name="timing", type=bool, default=False, help="add how long it took, and how late words come"),
                *_SEARCHING,
            ),
        ),
        Verb(
            name="train-lm",
            help="Learn an n-gram model of texts, a sentence a line (or a column text), as an ARPA file for --lm.",
            run=train_lm,
            inputs="FILE...",
            model=False,
            options=(
                Option(name="order", type=int, default=3, help="the longest run of words that counts"),
                Option(name="out", type=Path, default=Path("lm.arpa"), help="where to"),
            ),
        ),
    ),
    recipe=recipe,
    further={"voices": voices_recipe},
    assets=Path(suite_assets.__file__).parent / "speech",
    plot=plot,
    plot_help="draw the first recordings as spectrograms, the words on their times, to this PNG file",
    about="Recordings of any sample rate and number of channels; a folder gives the recordings in it. The model spells "
    "what it hears, so names that it does not know come out as they sound.",
)  # fmt: skip


@hookimpl
def suite_tasks() -> list[Task]:
    return [TASK]
