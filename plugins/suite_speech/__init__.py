"""Transcribe speech to text, word by word as it is spoken."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import suite_assets

from suite.augment.specs import SoundChanges
from suite.codecs.audio import AudioCodec, AudioSpec
from suite.codecs.audio_parsers import audio_parser
from suite.codecs.characters import CharacterCodec, CharacterSpec, Criterion
from suite.config import check_ranges
from suite.data.audio import (
    ENDINGS,
    FORMATS,
    MAX_CHANNELS,
    MAX_RATE,
    MIN_RATE,
    Samples,
    find_fault,
    open_audio,
    read_audio,
    split_samples,
)
from suite.data.transcripts import read_transcripts
from suite.decoding import ngram_lm
from suite.decoding.ngram_lm import NgramSpec
from suite.errors import DataError, UsageError
from suite.hooks import hookimpl
from suite.nn.specs import MaskSpec, RecurrentSpec, StepHeadSpec
from suite.task import Codecs, Column, Command, DataSpec, Example, Option, Plots, StreamParser, lazy, recursive_option
from suite.task.transcription import Transcript, TranscriptionTask, joined, render_transcript, search_options
from suite.training.specs import TrainingSpec

if TYPE_CHECKING:
    from suite.inference.model import LoadedModel
    from suite.nn.models import Model

api_version = 2
#: Recordings that the log-mel front end is fitted on.
FITTED = 300


@dataclass(frozen=True)
class SpeechConfig:
    """Sizes of the shipped models.

    ``expects`` is the n-gram language model of the training texts. ``prediction`` and ``joint`` are a transducer's
    prediction network and the width of its joiner.
    """

    audio: AudioSpec = field(default_factory=lambda: AudioSpec(stack=4))
    letters: CharacterSpec = field(default_factory=CharacterSpec)
    expects: NgramSpec = field(default_factory=NgramSpec)
    #: Weak augmentation and masking, since so small a model underfits; a wide range of speeds, since voices are few.
    augment: SoundChanges = field(
        default_factory=lambda: SoundChanges(speed=0.2, noise=0.3, reverb=0.2, band=0.2, tone=0.25)
    )  # fmt: skip
    masks: MaskSpec = field(default_factory=lambda: MaskSpec(width=6, times=1.0, length=5))
    encoder: RecurrentSpec = field(
        default_factory=lambda: RecurrentSpec(hidden=320, layers=4, dropout=0.05, norm="layer")
    )  # fmt: skip
    prediction: RecurrentSpec = field(default_factory=lambda: RecurrentSpec(cell="gru", hidden=256, dropout=0.2))
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


SpeechCodecs = Codecs[AudioCodec, CharacterCodec]


def train_lm(model: None, *files: str, order: int, out: Path) -> dict[str, Any]:
    """Train an n-gram language model on the texts of ``files``."""
    return ngram_lm.train_ngram_files(files, order, out, CharacterCodec(CharacterSpec()).plain)


class Speech(TranscriptionTask[SpeechConfig, AudioCodec]):
    """Transcribe speech to text, word by word as it is spoken."""

    name = "speech"
    config = SpeechConfig
    input_codec = AudioCodec
    data = DataSpec(
        columns=(
            Column(name="audio", help="a .wav, or with the extra [audio] a .flac, .ogg or .mp3", required=True),
            Column(name="text", help="its transcript; or a folder in LibriSpeech's form, or a .tsv in Common Voice's"),
        ),
        inputs="files",
        tables=False,
        item="recording",
        endings=ENDINGS,
    )
    options = (
        *search_options("predict", "evaluate", "stream"),
        Option(
            name="sample_rate", type=int, verbs=("predict", "stream"), minimum=MIN_RATE, maximum=MAX_RATE,
            help="sample rate in Hz of arrays, which do not give one",
        ),
        recursive_option("recording"),
        Option(name="srt", type=bool, default=False, help="write subtitles beside each recording, as NAME.srt"),
        Option(name="vtt", type=bool, default=False, help="write subtitles beside each recording, as NAME.vtt"),
        Option(
            name="criterion", type=str, default="ctc", choices=("ctc", "rnnt"), verbs=("train",),
            help="CTC, or a transducer, which also conditions on its own output",
        ),
    )  # fmt: skip
    commands = (
        Command(
            name="stream",
            help="Transcribe audio as it comes, from standard input (a WAV or raw samples) or a microphone: partial "
            "text after dots, then each utterance.",
            run=lazy("suite.inference.live_audio:listen"),
            render=render_transcript,
            options=(
                Option(
                    name="rate", type=int, minimum=MIN_RATE, maximum=MAX_RATE,
                    help="sample rate in Hz of raw samples; without it a WAV is read",
                ),
                Option(
                    name="format", type=str, default="s16", choices=tuple(FORMATS), help="format of raw samples"
                ),
                Option(
                    name="channels", type=int, default=1, minimum=1, maximum=MAX_CHANNELS,
                    help="number of channels of raw samples",
                ),
                Option(
                    name="microphone", type=bool, default=False,
                    help="read from the microphone; needs the extra [microphone]",
                ),
                Option(
                    name="timing", type=bool, default=False,
                    help="add computing times, and report the real-time factor and the latency of words",
                ),
                *search_options(),
            ),
        ),
        Command(
            name="train-lm",
            help="Train an n-gram language model on texts, a sentence a line (or a column text), and write it as an "
            "ARPA file for --lm.",
            run=train_lm,
            inputs="FILE...",
            needs_model=False,
            options=(
                Option(
                    name="order", type=int, default=3, minimum=1, maximum=ngram_lm.MAX_ORDER,
                    help="length of the longest n-gram",
                ),
                Option(name="out", type=Path, default=Path("lm.arpa"), help="where to write it"),
            ),
        ),
    )  # fmt: skip
    plots = Plots(results="draw spectrograms of the first recordings, with the words on them, to this PNG file")
    about = (
        "Recordings of any sample rate and number of channels; a folder stands for the recordings in it. The model "
        "writes letters, not words of a list, so names it does not know are spelled as they sound."
    )
    assets = Path(suite_assets.__file__).parent / "speech"
    default_checkpoint = "transducer"
    recipe = lazy("suite_speech.data:recipe")
    extra_recipes = (
        ("voices", lazy("suite_speech.data:voices_recipe")),
        ("others", lazy("suite_speech.data:others_recipe")),
    )
    augments = True
    #: A longer recording is read as a stream, in constant memory.
    long_seconds: ClassVar[float] = 60.0

    # -- data ----------------------------------------------------------------------------------------------------

    def read_file(
        self, path: str | Path, *, format: str | None, columns: Mapping[str, str] | None,
        on_error: Callable[[DataError], None] | None,
    ) -> Iterator[Example]:  # fmt: skip
        return read_transcripts(path, format=format, columns=columns, on_error=on_error)

    def check_example(self, example: Example, codecs: SpeechCodecs) -> Example:
        text = codecs.target.plain(example.target) if isinstance(example.target, str) else ""
        if not text:
            raise DataError("no text; write the transcript, or leave the row out")
        return dataclasses.replace(example, target=text)

    # -- codecs and model ----------------------------------------------------------------------------------------

    def fit_codecs(
        self, examples: Sequence[Example], config: SpeechConfig, *, criterion: Criterion = "ctc", **options: Any
    ) -> SpeechCodecs:
        # Evenly spaced by key: a sample of the data that does not depend on the order of the files.
        some = sorted(examples, key=lambda example: example.key)[:: max(1, len(examples) // FITTED)]
        return Codecs(
            AudioCodec.fit(_readable(some), config.audio),
            CharacterCodec.fit((example.target for example in examples), config.letters, criterion, config.expects),
        )

    def configure_codecs(
        self, codecs: SpeechCodecs, *, sample_rate: int | None = None, **options: Any
    ) -> SpeechCodecs:  # fmt: skip
        return codecs if sample_rate is None else codecs.replace(input=codecs.input.at(sample_rate))

    def build_model(self, config: SpeechConfig, codecs: SpeechCodecs) -> Model:
        from suite.nn.build import frames_to_each, frames_to_tokens

        letters = codecs.target
        frames = (config.audio.mels, config.audio.stack, config.masks, config.encoder, config.head)
        if letters.criterion == "rnnt":
            return frames_to_tokens(*frames, config.joint, config.prediction, letters.size)
        return frames_to_each(*frames, letters.size)

    def augment(
        self, item: Any, config: SpeechConfig, random: np.random.Generator, codecs: SpeechCodecs
    ) -> tuple[Samples, int]:
        from suite.augment.audio import augment_audio
        from suite.codecs.audio import load_samples

        rate = config.audio.rate
        return augment_audio(load_samples(item, rate), rate, config.augment, random), rate

    # -- prediction ----------------------------------------------------------------------------------------------

    def preprocess(self, item: Any, codecs: SpeechCodecs, **options: Any) -> list[Any]:
        """The samples of a recording and their rate."""
        return [read_audio(item) if isinstance(item, str | Path) else item]

    def stream_pieces(self, item: Any, codecs: SpeechCodecs, **options: Any) -> list[Samples]:
        """The samples of a recording at the model's rate: a session is fed no paths."""
        from suite.codecs.audio import load_samples

        return [load_samples(item, codecs.input.spec.rate)]

    def long_input(self, item: Any, codecs: SpeechCodecs, **options: Any) -> Iterator[Any] | None:
        """The blocks of a recording longer than ``long_seconds``."""
        from suite.inference.live_audio import blocks_of

        if isinstance(item, np.ndarray):
            size = round(self.long_seconds * (codecs.input.given or codecs.input.spec.rate))
            return split_samples(item, size) if len(item) > size else None
        if not isinstance(item, str | Path):
            return None
        with open_audio(item) as sound:
            if sound.seconds is not None and sound.seconds <= self.long_seconds:
                return None
        return blocks_of(item)

    def predict(
        self, model: LoadedModel[AudioCodec, CharacterCodec], pieces: Sequence[Any], arrays: Sequence[np.ndarray],
        **options: Any,
    ) -> list[Transcript]:  # fmt: skip
        """The transcript of each recording, with a note on silence or clipping."""
        results = super().predict(model, pieces, arrays, **options)
        faults = (find_fault(piece[0] if isinstance(piece, tuple) else piece) for piece in pieces)
        return [
            dataclasses.replace(result, note=problem or result.note)
            for problem, result in zip(faults, results, strict=True)
        ]

    def merge(
        self, results: Sequence[Any], item: Any, codecs: SpeechCodecs, *, srt: bool = False, vtt: bool = False,
        **options: Any,
    ) -> Transcript:  # fmt: skip
        """One transcript of all utterances; subtitles are written beside the recording."""
        result = results[0] if len(results) == 1 else joined(results, codecs.target)
        result = dataclasses.replace(result, input=_source(item), final=None, whole=None)
        if not (srt or vtt):
            return result
        from suite.data.subtitles import write_subtitles

        if not isinstance(item, str | Path):
            raise UsageError("subtitles are written beside a file: give a path, or leave srt and vtt out")
        kinds = [kind for kind, wanted in (("srt", srt), ("vtt", vtt)) if wanted]
        files = tuple(str(write_subtitles(result.words, Path(item).with_suffix(f".{kind}"))) for kind in kinds)
        return dataclasses.replace(result, files=files)

    def stream_parser(
        self, *, rate: int | None = None, format: str = "s16", channels: int = 1, **options: Any
    ) -> StreamParser:
        """The parser of raw samples if ``rate`` (Hz) is given, else of a WAV."""
        return audio_parser(rate, format, channels)

    # -- evaluation and plots ------------------------------------------------------------------------------------

    def extra_metrics(
        self, model: LoadedModel[AudioCodec, CharacterCodec], examples: Sequence[Example], **options: Any
    ) -> dict[str, Any]:
        """The real-time factor: seconds computed per second of audio, in a stream of pieces of a tenth of a second."""
        from suite.inference.live_audio import real_time_factor

        return {"rtf": real_time_factor(model, [example.input for example in examples], **options)}

    def plot(
        self, model: LoadedModel[AudioCodec, CharacterCodec], inputs: Sequence[Any], results: Sequence[Any], path: Path
    ) -> None:
        from suite_speech.plot import spectrograms

        spectrograms(model.codecs.input, inputs, results, path)


def _readable(examples: Sequence[Example]) -> Iterator[tuple[Samples, int]]:
    """The recordings that can be read; training reports the others."""
    for example in examples:
        try:
            samples, rate = read_audio(example.input)
        except DataError:
            continue
        if len(samples):
            yield samples, rate


def _source(item: Any) -> str:
    """A path as it was given; of samples, how many."""
    if isinstance(item, str | Path):
        return str(item)
    samples = item[0] if isinstance(item, tuple) else item
    return f"{len(samples):,} samples"


@hookimpl
def suite_tasks() -> list[type[Speech]]:
    return [Speech]
