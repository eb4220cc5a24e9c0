"""The checkpoints that ship: small, whole, and musical on their samples."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from suite_music.notation.chorale_rules import RANGES
from suite_music.notation.files import pieces
from suite_music.notation.notes import Note, notes
from suite_music.notation.piece_codec import START
from suite_music.notation.pieces import PieceResult
from suite_music.notation.rules import rules_of
from suite_music.notation.statistics import full_bars

import suite
from suite import config
from suite.checkpoint import Checkpoint
from suite.errors import UsageError
from suite.inference.model import LoadedModel
from suite.inference.pipeline import Pipeline
from suite.plugins import registry
from suite.task.language_modeling import SamplingOptions, generate_stream

TASK = registry().task("music")
NAMES = ("tune", "chorale")
Cli = Callable[..., Any]

pytestmark = pytest.mark.skipif(
    set(TASK.shipped) != set(NAMES),
    reason="not all checkpoints ship yet: assets/music/checkpoint/NAME/suite.json is not there",
)


@pytest.fixture(scope="module")
def music() -> Pipeline:
    return Pipeline.open("music")


@pytest.fixture(scope="module")
def choir() -> Pipeline:
    return Pipeline.open("music", "chorale")


def sample(name: str) -> Path:
    assert TASK.assets is not None
    return TASK.assets / "samples" / name


@pytest.mark.parametrize(("name", "codec"), [("tune", "tunes.json"), ("chorale", "chorales.json")])
def test_they_are_small_and_whole(name: str, codec: str) -> None:
    opened = Checkpoint.open(TASK.shipped[name], task="music")
    assert opened.size < 5_000_000
    assert opened.manifest.streams
    files = {"README.md", "model.safetensors", "decoder.onnx", "curves.png", codec}
    assert files == set(opened.manifest.files)
    assert {path.name for path in opened.path.iterdir()} == {*files, "suite.json"}
    # The sizes are the defaults; how the chorales were trained may differ.
    made: Any = config.from_dict(TASK.config, opened.manifest.config)
    assert made.encoder == TASK.config().encoder
    assert list(opened.manifest.data["train"]) == ["train.jsonl"]


def test_the_default_generates_tunes() -> None:
    assert TASK.checkpoint == TASK.shipped["tune"]
    assert Pipeline.open("music").name == str(TASK.checkpoint)


def test_it_predicts_tunes(cli: Cli) -> None:
    (figures,) = cli("evaluate", "--json").values
    assert figures["items"] == 7
    assert figures["bits_per_char"] < 1.6


def test_the_cards_give_the_dev_metrics() -> None:
    for name, metric in (("tune", "bits_per_char"), ("chorale", "nats_per_step")):
        opened = Checkpoint.open(TASK.shipped[name])
        card = (opened.path / "README.md").read_text(encoding="utf-8")
        assert f"| {metric} | {opened.manifest.metrics['dev'][metric]:.4f} |" in card


@pytest.mark.parametrize("key", ["D", "G", "Ador", "Em"])
def test_tunes_sound_like_tunes(music: Pipeline, key: str) -> None:
    found: list[PieceResult] = list(music.generate(key=key, meter="6/8", seed=7, count=8))
    assert all(full_bars(str(result.abc)) == (16, 16) for result in found)
    lines = [[Note(**note) for note in result.notes] for result in found]
    leaps = [abs(b.pitch - a.pitch) for line in lines for a, b in itertools.pairwise(line)]
    assert sum(leap <= 5 for leap in leaps) / len(leaps) > 0.8  # in the tunes of training, nine of ten
    assert all(55 <= note.pitch <= 93 for line in lines for note in line)
    # A model that knows no key has the tonic as often as any other of its twelve.
    tonic = {"D": 2, "G": 7, "Ador": 9, "Em": 4}[key]
    assert sum(line[-1].pitch % 12 == tonic for line in lines) >= 2


def test_a_chorale_sounds_like_one(choir: Pipeline) -> None:
    found: list[PieceResult] = list(choir.generate(key="G", meter="4/4", bars=8, seed=7, count=8))
    thirds = chords = 0
    for result in found:
        made = [Note(**note) for note in result.notes]
        assert all(low <= n.pitch <= high for n in made for low, high in [RANGES[n.voice]])
        for quarter in range(30):
            now = {n.pitch for n in made if n.start <= quarter < n.start + n.duration}
            above = {(pitch - min(now)) % 12 for pitch in now}
            chords += 1
            thirds += bool(above & {3, 4, 8, 9}) and not above & {1, 11}
    assert thirds / chords > 0.7


@pytest.mark.parametrize("style", NAMES)
def test_a_style_is_the_checkpoint_of_its_name(music: Pipeline, choir: Pipeline, style: str) -> None:
    own = {"tune": music, "chorale": choir}[style]
    for pipeline in (music, choir):
        assert list(pipeline.generate(style=style, bars=2, seed=3)) == list(own.generate(bars=2, seed=3))
        ours, theirs = (
            list(itertools.islice(p.stream(**o, seed=3), 40)) for p, o in ((pipeline, {"style": style}), (own, {}))
        )
        assert ours == theirs


def test_a_stream_of_whole_bars(music: Pipeline) -> None:
    updates = list(itertools.islice(music.stream(seed=2), 2_500))
    text = "".join(update.text for update in updates)
    batches_by_tokens, bars = full_bars(text[: text.rindex("|")])
    assert bars > 100
    assert bars - batches_by_tokens <= 1  # the section that is being written
    streamed = [Note(**note) for update in updates for note in update.notes]
    assert streamed == notes(text)[: len(streamed)]


@pytest.mark.parametrize("no_repeat", [0, 6])
def test_a_stream_continues_from_saved_bytes(music: Pipeline, choir: Pipeline, no_repeat: int) -> None:
    sampling = SamplingOptions(seed=2, temperature=0.9, top_p=0.97, top_k=0, no_repeat=no_repeat)
    for name, pipeline in (("tune", music), ("chorale", choir)):
        rules = rules_of(pipeline.codecs.input, key="G", endless=True)
        stream = generate_stream(pipeline.model, [START], sampling.random(), sampling.sampling, rules)
        whole = list(itertools.islice(stream, 2_400))
        stream, found = generate_stream(pipeline.model, [START], sampling.random(), sampling.sampling, rules), []
        for count in (3, 97, 2_100, 200):  # over what the hints of a tune look back on
            found += itertools.islice(stream, count)
            saved = stream.dumps()
            assert len(saved) < 100_000
            model = LoadedModel.open("music", name)
            rules = rules_of(model.codecs.input, key="G", endless=True)
            stream = generate_stream(model, None, None, sampling.sampling, rules, state=saved)
        assert found == whole
    with pytest.raises(UsageError, match="of another checkpoint"):
        generate_stream(music.model, None, None, sampling.sampling, state=saved)


def test_the_samples_are_what_the_commands_generate(cli: Cli, tmp_path: Path) -> None:
    assert TASK.assets is not None
    text = (TASK.assets / "SOURCES.md").read_text(encoding="utf-8")
    commands = dict(re.findall(r"(?m)^\| `([^`]+)` \| `suite music ([^`]+)` \|$", text))
    kept = {path.name: path for path in sample("written").iterdir()}
    assert kept.keys() == commands.keys()
    assert sum(name.startswith("Tune") for name in kept) == sum(name.startswith("Chorale") for name in kept) == 3
    for name in ("Tune-1-1.abc", "Chorale-1-3.musicxml"):
        assert cli(*shlex.split(commands[name])).code == 0
        assert (tmp_path / "written" / name).read_bytes() == kept[name].read_bytes()
    for path in kept.values():
        (filed,) = pieces(path)
        assert filed.title.replace(" ", "-") == path.stem
        if isinstance(filed.piece, str):
            assert full_bars(filed.piece) == (16, 16)


def test_the_sources_are_named() -> None:
    assert TASK.assets is not None
    text = (TASK.assets / "SOURCES.md").read_text(encoding="utf-8")
    for path in sample("").iterdir():
        assert f"`samples/{path.name}{'/' if path.is_dir() else ''}`" in text
    for name in NAMES:
        assert f"`checkpoint/{name}/`" in text


def test_the_demo(cli: Cli, tmp_path: Path) -> None:
    ran = cli("demo", "--plot", "x.png")
    assert (ran.code, ran.err) == (0, "drawn: x.png\n")
    assert ran.lines[0] == f"── music: {TASK.summary}"
    at = ran.lines.index(f"$ suite music predict {sample('beginning.abc')}")
    assert ran.lines[at + 1].startswith("Planxty O'Carolan  key G, meter 6/8, ")
    assert ran.lines[at + 2 : at + 4] == ["  G \\", "  | B2c dcB | cBA (B/c/d)z |"]
    assert len(ran.lines) > at + 4
    (value,) = cli("demo", "--json").values
    json.dumps(value, allow_nan=False)
    assert value["title"] == "Planxty O'Carolan"
    assert (tmp_path / "x.png").stat().st_size > 2000


def test_python(tmp_path: Path) -> None:
    write = suite.pipeline("music")
    (result,) = write.generate(key="D", meter="6/8", bars=8, seed=1)
    assert (result.key, result.meter) == ("D", "6/8")
    assert result.save(tmp_path / "a.abc").read_text().startswith("X:1\nT:Tune 1-1\nM:6/8\nL:1/8\nK:D\n")
    assert result.midi_bytes[:4] == b"MThd"
    again = write(tmp_path / "a.abc", bars=12)
    assert again.notes[: len(result.notes) - 1] == result.notes[:-1]
