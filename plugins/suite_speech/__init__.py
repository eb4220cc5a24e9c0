"""What is said, as text, word by word while it is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import suite_assets

from suite.augment.specs import SoundChanges
from suite.codecs.audio import AudioCodec, AudioSpec
from suite.codecs.characters import CharacterCodec, CharacterSpec, Criterion
from suite.config import check_ranges
from suite.data.audio import ENDINGS, FORMATS, Samples, find_fault, open_audio, split_samples
from suite.data.transcripts import read_transcripts
from suite.data.zip_paths import files_in_folder
from suite.decoding import ngram_lm as ngrams
from suite.decoding.ngram_lm import NgramSpec
from suite.errors import DataError, UsageError
from suite.hooks import hookimpl
from suite.nn.specs import EncoderSpec, MaskSpec, StepHeadSpec
from suite.task import Codecs, Column, Example, Option, Result, Task, Verb, later
from suite.task.transcription import (
    Transcript,
    TranscriptReader,
    answers,
    calibrate,
    joined,
    metrics,
    options,
    render,
    render_update,
)
from suite.training.specs import TrainingSpec

if TYPE_CHECKING:
    from suite.inference.pipeline import Pipeline
    from suite.nn.models import Model

#: A recording longer than this, in seconds, is read as a stream, in constant memory.
LONG = 60.0
#: Recordings that the front end is fitted on.
SAMPLE = 300


@dataclass(frozen=True)
class SpeechConfig:
    """Sizes of the shipped model."""

    audio: AudioSpec = field(default_factory=lambda: AudioSpec(stack=4))
    letters: CharacterSpec = field(default_factory=CharacterSpec)
    expects: NgramSpec = field(default_factory=NgramSpec)
    #: Little is hidden and changed: so small a model has enough to do with what is said. But voices are few, and are
    #: made larger and smaller.
    augment: SoundChanges = field(
        default_factory=lambda: SoundChanges(speed=0.2, noise=0.3, reverb=0.2, band=0.2, tone=0.25)
    )  # fmt: skip
    masks: MaskSpec = field(default_factory=lambda: MaskSpec(width=6, times=1.0, length=5))
    encoder: EncoderSpec = field(
        default_factory=lambda: EncoderSpec(hidden=320, layers=4, dropout=0.05, norm="layer")
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


# --- data -----------------------------------------------------------------------------------------------------


def expand(
    argument: str, on_error: Any = None, *, recursive: bool = False, **options: Any
) -> Iterator[tuple[str, str]]:
    return files_in_folder(argument, ENDINGS, "recording", recursive=recursive)


def fit(examples: Sequence[Example], config: SpeechConfig, *, criterion: Criterion = "ctc") -> dict[str, Any]:
    # Every so many-th of them, by their keys: the figures are of sound in general.
    some = sorted(examples, key=lambda example: example.key)[:: max(1, len(examples) // SAMPLE)]
    return {
        "input": AudioCodec.fit(_readable(some), config.audio),
        "target": CharacterCodec.fit(
            (example.target for example in examples), config.letters, criterion, config.expects
        ),
    }


def _readable(examples: Sequence[Example]) -> Iterator[tuple[Samples, int]]:
    """The recordings that can be read; what is wrong with the others is said where they are learnt."""
    from suite.data.audio import read_audio as sound

    for example in examples:
        try:
            samples, rate = sound(example.input)
        except DataError:
            continue
        if len(samples):
            yield samples, rate


def check(example: Example, codecs: Codecs) -> Example:
    letters = codecs["target"]
    assert isinstance(letters, CharacterCodec)
    text = letters.plain(example.target) if isinstance(example.target, str) else ""
    if not text:
        raise DataError("no text; write what is said, or leave the row out")
    return dataclasses.replace(example, target=text)


def build(config: SpeechConfig, codecs: Codecs) -> Model:
    from suite.nn.build import frames_to_each, frames_to_letters

    letters = codecs["target"]
    assert isinstance(letters, CharacterCodec)
    frames = (config.audio.mels, config.audio.stack, config.masks, config.encoder, config.head)
    if letters.criterion == "rnnt":
        return frames_to_letters(*frames, config.joint, config.prediction, letters.size)
    return frames_to_each(*frames, letters.size)


def augment(recording: Any, config: SpeechConfig, random: np.random.Generator, codecs: Codecs) -> tuple[Samples, int]:
    from suite.augment.audio import augment_audio
    from suite.codecs.audio import load_samples

    rate = config.audio.rate
    return augment_audio(load_samples(recording, rate), rate, config.augment, random), rate


# --- answers --------------------------------------------------------------------------------------------------


def adapt(codecs: Codecs, *, sample_rate: int | None = None, **options: Any) -> Codecs:
    codec = codecs["input"]
    assert isinstance(codec, AudioCodec)
    return codecs if sample_rate is None else {**codecs, "input": codec.at(sample_rate)}


def pieces(recording: Any, codecs: Codecs, **options: Any) -> list[Any]:
    """The recording's samples and their rate: they are looked at for what is wrong with them too."""
    from suite.data.audio import read_audio as sound

    if isinstance(recording, str | Path):
        return [sound(recording)]
    return [recording]


def blocks(recording: Any, codecs: Codecs, **options: Any) -> Iterator[Any] | None:
    """A long recording in pieces, so that an hour takes no more memory than a minute."""
    from suite.inference.live_audio import stretches

    codec = codecs["input"]
    assert isinstance(codec, AudioCodec)
    if isinstance(recording, np.ndarray):
        size = round(LONG * (codec.given or codec.spec.rate))
        long = len(recording) > size
        return split_samples(recording, size) if long else None
    if not isinstance(recording, str | Path):
        return None
    with open_audio(recording) as sound:
        if sound.seconds is not None and sound.seconds <= LONG:
            return None
    return stretches(recording)


def answer(
    pipeline: Pipeline, pieces: Sequence[Any], arrays: Sequence[np.ndarray], **options: Any
) -> list[Transcript]:  # fmt: skip
    """The text of each recording, and what is wrong with it."""
    found = answers(pipeline, arrays, **options)
    faults = (find_fault(piece[0] if isinstance(piece, tuple) else piece) for piece in pieces)
    return [dataclasses.replace(result, note=wrong or result.note) for wrong, result in zip(faults, found, strict=True)]


def join(
    results: Sequence[Any], recording: Any, codecs: Codecs, *, srt: bool = False, vtt: bool = False, **options: Any
) -> Transcript:  # fmt: skip
    """The answer for a recording, of its utterances; subtitles are written beside it."""
    result = results[0] if len(results) == 1 else joined(results, codecs)
    result = dataclasses.replace(result, input=_named(recording), final=None, whole=None)
    if not (srt or vtt):
        return result
    from suite.data.subtitles import write_subtitles

    if not isinstance(recording, str | Path):
        raise UsageError("subtitles are written beside a file: give a path, or leave --srt and --vtt out")
    kinds = [kind for kind, wanted in (("srt", srt), ("vtt", vtt)) if wanted]
    files = tuple(str(write_subtitles(result.words, Path(recording).with_suffix(f".{kind}"))) for kind in kinds)
    return dataclasses.replace(result, files=files)


def _named(recording: Any) -> str:
    """What was given, in a word."""
    if isinstance(recording, str | Path):
        return str(recording)
    samples = recording[0] if isinstance(recording, tuple) else recording
    return f"{len(samples):,} samples"


# --- figures --------------------------------------------------------------------------------------------------


def measure(pipeline: Pipeline, examples: Sequence[Example], **options: Any) -> dict[str, Any]:
    """Seconds computed per second of sound, in a stream of pieces of a tenth of a second."""
    from suite.inference.live_audio import real_time_factor

    return {"rtf": real_time_factor(pipeline, [example.input for example in examples], **options)}


def plot(pipeline: Pipeline, inputs: Sequence[Any], results: Sequence[Any], path: Path) -> None:
    from suite_speech.plot import spectrograms

    spectrograms(pipeline, inputs, results, path)


def stream(pipeline: Pipeline, **options: Any) -> Iterator[Result]:
    """Standard input, or a microphone, as it comes."""
    from suite.inference.live_audio import listen

    return listen(pipeline, **options)


def train_lm(pipeline: Pipeline | None, *files: str, order: int, out: Path) -> dict[str, Any]:
    """An n-gram model of the texts in some files."""
    return ngrams.learn_files(files, order, out, CharacterCodec(CharacterSpec()).plain)


def _rate(*verbs: str) -> Option:
    return Option(name="sample_rate", type=int, verbs=verbs, help="samples a second of arrays, which do not say it")


TASK = Task(
    name="speech",
    summary=__doc__.splitlines()[0],
    mapping="aligned",
    config=SpeechConfig,
    result=Transcript,
    columns=(
        Column(name="audio", help="a .wav, or with the extra [audio] a .flac, .ogg or .mp3", required=True),
        Column(name="text", help="what is said; or a folder as LibriSpeech has, or a .tsv of Common Voice"),
    ),
    read=read_transcripts,
    expand=expand,
    codecs={"input": AudioCodec.from_files, "target": CharacterCodec.from_files},
    fit=fit,
    build=build,
    augment=augment,
    adapt=adapt,
    pieces=pieces,
    blocks=blocks,
    join=join,
    check=check,
    answer=answer,
    reader=TranscriptReader,
    render=render,
    render_update=render_update,
    metrics=metrics,
    calibrate=calibrate,
    measure=measure,
    best=("-wer",),
    options=(
        *options("predict", "evaluate", "stream"),
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
                *options(),
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
    recipe=later("suite_speech.data:recipe"),
    further={
        "voices": later("suite_speech.data:voices_recipe"), "others": later("suite_speech.data:others_recipe"),
    },
    assets=Path(suite_assets.__file__).parent / "speech",
    default="transducer",
    plot=plot,
    plot_help="draw the first recordings as spectrograms, the words on their times, to this PNG file",
    about="Recordings of any sample rate and number of channels; a folder gives the recordings in it. The model spells "
    "what it hears, so names that it does not know come out as they sound.",
)  # fmt: skip


@hookimpl
def suite_tasks() -> list[Task]:
    return [TASK]
