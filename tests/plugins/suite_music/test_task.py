"""The music task: inputs, results, generation, evaluation and training."""

from __future__ import annotations

import io
import itertools
import json
import math
import shutil
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suite_music import Music, MusicConfig, PieceScore, generation
from suite_music.notation import midi
from suite_music.notation.chorales import Chorale
from suite_music.notation.files import pieces
from suite_music.notation.musicxml import score_xml
from suite_music.notation.notes import Note, heard, notes
from suite_music.notation.piece_codec import END, START
from suite_music.notation.pieces import PieceResult
from suite_music.notation.rules import rules_of
from suite_music.notation.statistics import full_bars

import suite
from suite.checkpoint import Checkpoint
from suite.decoding.generate import score
from suite.errors import DataError, UsageError
from suite.inference.evaluation import predict_examples
from suite.inference.model import LoadedModel
from suite.inference.pipeline import Pipeline
from suite.plugins import registry
from suite.task import Example
from suite.task.language_modeling import Generated, SamplingOptions, generate_until
from suite.testing import check_light, check_resume, check_task
from suite.training.train import train

Cli = Callable[..., Any]
SAMPLES = Path(__file__).parents[3] / "assets" / "music" / "samples" / "labelled.abc"
TASK = registry().task("music")
OPENING = "M:6/8\nL:1/8\nK:D\nABc def|gfe dcB|\n"


@pytest.fixture(scope="module")
def music(tiny: Path) -> Pipeline:
    return Pipeline.open("music", tiny)


@pytest.fixture(scope="module")
def choir(tiny_chorale: Path) -> Pipeline:
    return Pipeline.open("music", tiny_chorale)


def notes_of(result: PieceResult) -> list[Note]:
    return [Note(**note) for note in result.notes]


def plain(results: Any) -> list[dict[str, Any]]:
    return [result.to_dict() for result in results]


# --- what it is -------------------------------------------------------------------------------------------------


def test_the_declaration() -> None:
    assert TASK.config() == MusicConfig()
    assert (TASK.mapping, TASK.streaming, TASK.augments) == ("aligned", None, True)
    assert [command.name for command in TASK.commands] == ["generate", "stream", "report"]


def test_importing_it_loads_no_torch() -> None:
    check_light("suite_music", "music")


def test_the_laws_of_tasks(tiny: Path, tiny_chorale: Path, tunes: list[str], chorale: Chorale) -> None:
    for checkpoint, given in (
        (tiny, [tunes[0], OPENING, tunes[1][:120]]),
        (tiny_chorale, [chorale, Chorale(chorale.steps[:9], 1)]),
    ):
        notes = check_task(TASK, checkpoint=checkpoint, inputs=given)
        # A stream of this task generates.
        assert [note.partition(":")[0] for note in notes] == [f"law {n} does not apply" for n in (7, 12, 13)]


def test_codecs_survive_their_files(music: Pipeline, choir: Pipeline, tunes: list[str], chorale: Chorale) -> None:
    for pipeline, raws in ((music, [*tunes, "K:C\nλ♪|"]), (choir, [chorale])):
        codecs = pipeline.codecs
        assert len(codecs.files()) == 1  # one file for both
        again = TASK.load_codecs(codecs.files())
        assert again.target.codec is again.input
        for raw in raws:
            np.testing.assert_array_equal(again.input.encode(raw), codecs.input.encode(raw))
            assert codecs.input.decode(again.target.encode([raw])[0]) == raw


# --- generating -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "meter", "bars"), [("D", "6/8", 8), ("Ador", "C|", 4), (None, "9/8", 5), ("G", None, 1)]
)
def test_key_meter_and_bars_are_those_asked_for(music: Pipeline, key: str | None, meter: str | None, bars: int) -> None:
    for result in music.generate(key=key, meter=meter, bars=bars, count=3, seed=1):
        assert isinstance(result, PieceResult)
        assert full_bars(str(result.abc)) == (bars, bars)
        assert key is None or result.key == key
        assert meter is None or result.meter == meter
        assert notes_of(result) == notes(str(result.abc))
        assert result.musicxml is None


@pytest.mark.parametrize(("key", "meter", "bars"), [("D", "3/4", 4), ("F#m", "4/4", 2), (None, None, 1)])
def test_a_chorale_is_generated(choir: Pipeline, key: str | None, meter: str | None, bars: int) -> None:
    for result in choir.generate(key=key, meter=meter, bars=bars, count=2, seed=1):
        beats, beat = map(int, result.meter.split("/"))
        assert max(note.start + note.duration for note in notes_of(result)) <= bars * 4 * beats / beat
        assert key is None or result.key == key
        assert meter is None or result.meter == meter
        assert {note.voice for note in notes_of(result)} == {0, 1, 2, 3}
        assert result.abc is None


def test_the_same_seed_gives_the_same_pieces(music: Pipeline, choir: Pipeline) -> None:
    for pipeline in (music, choir):
        first = plain(pipeline.generate(bars=2, count=3, seed=5))
        assert plain(pipeline.generate(bars=2, count=3, seed=5)) == first
        assert [piece["input"] for piece in first] == [0, 1, 2]
        assert plain(pipeline.generate(bars=2, count=3, seed=6)) != first
        contents = [json.dumps(piece["notes"]) for piece in first]
        assert len({*contents}) == 3


def test_pieces_do_not_depend_on_their_batch(music: Pipeline, choir: Pipeline, monkeypatch: Any) -> None:
    for pipeline in (music, choir):
        together = plain(pipeline.generate(bars=3, count=3, seed=2))
        with monkeypatch.context() as patch:
            patch.setattr(generation, "BATCH", 1)
            assert plain(pipeline.generate(bars=3, count=3, seed=2)) == together
            patch.setattr(generation, "BATCH", 2)
            assert plain(pipeline.generate(bars=3, count=3, seed=2)) == together
        assert plain(pipeline.generate(bars=3, count=1, seed=2)) == together[:1]


def test_both_runtimes_generate_the_same(tiny: Path, tiny_chorale: Path, tunes: list[str]) -> None:
    for checkpoint in (tiny, tiny_chorale):
        onnx, torch = (Pipeline.open("music", checkpoint, runtime=kind) for kind in ("onnx", "torch"))
        assert plain(onnx.generate(bars=4, count=2, seed=3)) == plain(torch.generate(bars=4, count=2, seed=3))
    onnx, torch = (Pipeline.open("music", tiny, runtime=kind) for kind in ("onnx", "torch"))
    assert onnx(tunes[0], bars=24) == torch(tunes[0], bars=24)


def test_sampling_options(music: Pipeline) -> None:
    def texts(**options: Any) -> list[str]:
        return [result.abc for result in music.generate(bars=4, count=2, **options)]

    assert texts(temperature=0, seed=1) == texts(temperature=0, seed=2)
    assert texts(temperature=0, seed=1) == texts(top_k=1, seed=2)
    assert len({*texts(temperature=2.0, top_p=1.0, seed=1), *texts(temperature=2.0, top_p=1.0, seed=2)}) == 4
    codec = music.codecs.input
    tokens = codec.tokens(texts(temperature=0, no_repeat=4)[0])
    stretches = list(zip(*(tokens[i:] for i in range(4)), strict=False))
    assert len(stretches) == len({*stretches})


def test_saved_files(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    from PIL import Image

    ran = cli("generate", "--checkpoint", tiny, "--bars", "4", "--count", "2", "--seed", "7", "--meter", "2/4",
              "--out", "out", "--tempo", "90", "--plot", "roll.png", "--json")  # fmt: skip
    assert (ran.code, ran.err) == (0, "drawn: roll.png\n")
    for number, value in enumerate(ran.values, 1):
        names = [f"out/Tune-7-{number}{ending}" for ending in (".abc", ".mid", ".wav")]
        assert value["files"] == names
        (filed,) = pieces(Path(names[0]))
        assert (filed.title, filed.piece) == (value["title"], value["abc"])
        made = [Note(**note) for note in value["notes"]]
        song = midi.read_midi(Path(names[1]))
        assert song.tempo == pytest.approx(90, abs=0.01)
        assert song.meter == (2, 4)
        assert [note.pitch for note in song.notes] == [note.pitch for note in made]
        for ours, theirs in zip(made, song.notes, strict=True):
            assert (theirs.start, theirs.duration) == pytest.approx((ours.start, ours.duration), abs=1 / 480)
        with wave.open(names[2]) as file:
            sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
            seconds = file.getnframes() / file.getframerate()
        assert sound.shape[1] == 2
        assert 0.8 * 32767 < np.abs(sound.astype(int)).max() < 32767
        assert 500 < np.sqrt((sound.astype(float) ** 2).mean()) < 12_000
        assert abs(sound.mean()) < 100
        assert seconds == pytest.approx(max(n.start + n.duration for n in made) * 60 / 90 + 1.2, abs=0.1)
    with Image.open("roll.png") as picture:
        assert picture.format == "PNG"
        assert picture.size[0] == 1200


def test_saved_files_of_chorales(cli: Cli, tiny_chorale: Path, tmp_path: Path) -> None:
    (value,) = cli("generate", "--checkpoint", tiny_chorale, "--bars", "2", "--out", "out", "--json").values
    assert [Path(file).suffix for file in value["files"]] == [".musicxml", ".mid", ".wav"]
    (filed,) = pieces(Path(value["files"][0]))
    assert [note.to_dict() for note in heard(filed.piece)] == value["notes"]
    song = midi.read_midi(Path(value["files"][1]))
    assert sorted((n.start, n.pitch) for n in song.notes) == sorted((n["start"], n["pitch"]) for n in value["notes"])
    assert len({note.voice for note in song.notes}) == 4


def test_what_is_printed_for_people(cli: Cli, tiny: Path, tiny_chorale: Path) -> None:
    ran = cli("generate", "--checkpoint", tiny, "--bars", "2", "--key", "D", "--seed", "3")
    assert ran.lines[0].startswith("Tune 3-1  key D, meter ")
    assert all(line.startswith("  ") and line[2:4] not in ("M:", "L:", "K:") for line in ran.lines[1:])
    ran = cli("generate", "--checkpoint", tiny_chorale, "--bars", "6", "--meter", "4/4", "--out", "out")
    assert ran.lines[0].startswith("Chorale 0-1  key ")
    assert [line.split()[0] for line in ran.lines[1:5]] == ["soprano", "alto", "tenor", "bass"]
    assert all(len(line) <= 80 for line in ran.lines)
    assert [line.split()[0] for line in ran.lines[5:]] == ["saved:"] * 3


# --- continuing a piece -----------------------------------------------------------------------------------------


def test_a_tune_is_continued(music: Pipeline, tunes: list[str]) -> None:
    alone = [music(text, bars=bars, seed=4) for text, bars in ((tunes[0], 24), (OPENING, 8), (tunes[4], 20))]
    for result, text in zip(alone, (tunes[0], OPENING, tunes[4]), strict=True):
        assert result.input == text
        assert str(result.abc).startswith(text)
        assert len(str(result.abc)) > len(text)
        assert result.title == "Untitled"
    assert full_bars(str(alone[1].abc)) == (8, 8)
    # The same beside others, whose number of bars is another.
    together = music([OPENING, tunes[4], tunes[0]], bars=20, seed=4)
    assert together[1] == alone[2]
    assert together == [music(text, bars=20, seed=4) for text in (OPENING, tunes[4], tunes[0])]
    assert music(OPENING, bars=8, seed=5) != alone[1]


def test_a_chorale_is_continued(choir: Pipeline, chorale: Chorale) -> None:
    result = choir(chorale, bars=4)
    assert (result.key, result.meter, result.pickup) == ("Gm", "4/4", 1.0)
    assert [note for note in notes_of(result) if note.start + note.duration < 8] == [
        note for note in heard(chorale) if note.start + note.duration < 8
    ]
    assert max(note.start + note.duration for note in notes_of(result)) > 12


def as_song(text: str) -> bytes:
    return midi.midi_bytes(notes(text), meter=(6, 8), sharps=2)


@pytest.mark.parametrize("name", ["My tune.abc", "bare.abc", "windows.abc", "song.mid"])
def test_openings_in_files(cli: Cli, tiny: Path, name: str, tmp_path: Path) -> None:
    content = {
        "My tune.abc": f"% a comment\nX:7\nT:The Given\nR:jig\n{OPENING}".encode(),
        "bare.abc": OPENING.encode(),
        "windows.abc": f"\ufeffX:1\nT:The Given\n{OPENING}".replace("\n", "\r\n").encode(),
        "song.mid": as_song(OPENING),
    }[name]
    (tmp_path / name).write_bytes(content)
    (value,) = cli("predict", "--checkpoint", tiny, name, "--bars", "6", "--json").values
    assert value["input"] == name
    assert value["title"] == ("The Given" if b"The Given" in content else Path(name).stem)
    assert (value["key"], value["meter"]) == ("D", "6/8")
    found = [Note(**note) for note in value["notes"]]
    given = notes(OPENING)
    assert found[: len(given)] == given
    assert len(found) > len(given)
    assert max(note.start + note.duration for note in found) == 18


def test_a_chorale_in_a_file(cli: Cli, tiny_chorale: Path, chorale: Chorale, tmp_path: Path) -> None:
    (tmp_path / "given.musicxml").write_text(score_xml(chorale))
    (value,) = cli("predict", "--checkpoint", tiny_chorale, "given.musicxml", "--bars", "3", "--json").values
    assert (value["title"], value["input"]) == ("given", "given.musicxml")
    assert [n for n in value["notes"] if n["start"] < 7] == [n.to_dict() for n in heard(chorale) if n.start < 7]


def test_several_openings(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.abc").write_text(f"X:1\nT:A\n{OPENING}\nX:2\nT:B\n{OPENING}")
    (tmp_path / "in" / "b.abc").write_text(f"X:1\n{OPENING}")
    ran = cli("predict", "--checkpoint", tiny, "in", "--bars", "3", "--json")
    assert [value["title"] for value in ran.values] == ["A", "B", "b"]
    assert [value["input"] for value in ran.values] == ["in/a.abc, tune 1", "in/a.abc, tune 2", "in/b.abc"]
    assert len({value["abc"] for value in ran.values}) == 1  # the same opening, the same seed


def test_files_in_python(music: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(f"X:1\nT:The Given\n{OPENING}")
    for given in (tmp_path / "a.abc", str(tmp_path / "a.abc")):
        result = music(given, bars=4)
        assert str(result.abc).startswith(OPENING)
        assert (result.title, result.input) == ("a", str(tmp_path / "a.abc"))
    (one,) = pieces(tmp_path / "a.abc")
    assert music(one, bars=4).title == "The Given"


def test_an_opening_longer_than_any_training_piece(music: Pipeline) -> None:
    body = "ABc def|gfe dcB|\n" * 300
    result = music("M:6/8\nL:1/8\nK:D\n" + body, bars=602)
    assert str(result.abc).count("ABc def|gfe dcB|") >= 300
    assert max(note.start + note.duration for note in notes_of(result)) == 602 * 3
    # What is longer than was asked for ends where it is.
    result = music("M:6/8\nL:1/8\nK:D\n" + body, bars=8)
    assert len(result.notes) == pytest.approx(300 * 12, abs=12)


# --- streams ----------------------------------------------------------------------------------------------------


def test_a_stream_has_no_end_and_is_the_same_each_time(music: Pipeline, choir: Pipeline) -> None:
    for pipeline in (music, choir):
        first, second = (pipeline.stream(seed=3) for _ in range(2))
        ours = [next(first) for _ in range(400)]
        theirs: list[Any] = []
        other = pipeline.stream(seed=4)
        while len(theirs) < 400:  # with pauses, and another stream beside it
            theirs += itertools.islice(second, 7)
            next(other)
        assert theirs[:400] == ours
        assert [update.input for update in ours] == list(range(400))
        assert all(update.final is False for update in ours)


def test_a_stream_is_abc_and_its_notes(music: Pipeline) -> None:
    updates = list(itertools.islice(music.stream(seed=1, key="D", meter="6/8", temperature=0.7), 600))
    text = "".join(update.text for update in updates)
    assert text.startswith("M:6/8\n")
    assert "K:D\n" in text
    streamed = [Note(**note) for update in updates for note in update.notes]
    assert [note.start for note in streamed] == sorted(note.start for note in streamed)
    assert streamed == notes(text)[: len(streamed)]
    assert len(notes(text)) - len(streamed) <= 2
    batches_by_tokens, bars = full_bars(text[: text.rindex("|")])
    assert bars > 20
    assert bars - batches_by_tokens <= 1  # the section that is being written


def test_a_stream_of_a_chorale(choir: Pipeline) -> None:
    updates = list(itertools.islice(choir.stream(seed=1, key="D", meter="4/4"), 300))
    lines = "".join(update.text for update in updates).splitlines()
    assert lines[:2] == ["key D, meter 4/4", "S    A    T    B"]
    streamed = [Note(**note) for update in updates for note in update.notes]
    assert [note.start for note in streamed] == sorted(note.start for note in streamed)
    for voice in range(4):
        own = [note for note in streamed if note.voice == voice]
        assert all(a.start + a.duration <= b.start for a, b in itertools.pairwise(own))
    assert all(len(line.split()) == 4 for line in lines[2:])


def test_a_stream_in_real_time(music: Pipeline, monkeypatch: Any) -> None:
    slept: list[float] = []
    now = 100.0

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for update in itertools.islice(music.stream(seed=1, tempo=120), 60):
        if update.notes:
            assert now == pytest.approx(100 + update.notes[0]["start"] / 2)
    assert sum(slept) > 1
    assert list(itertools.islice(music.stream(seed=1), 60)) == list(
        itertools.islice(music.stream(seed=1, tempo=10_000), 60)
    )


def test_a_stream_on_the_command_line(cli: Cli, tiny: Path, monkeypatch: Any) -> None:
    def limited(*arguments: Any, **options: Any) -> Iterator[Any]:
        return itertools.islice(stream(*arguments, **options), 80)

    (command,) = (command for command in TASK.commands if command.name == "stream")
    stream = command.run
    monkeypatch.setitem(command.__dict__, "run", limited)
    ran = cli("stream", "--checkpoint", tiny, "--seed", "1", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.values) == 80
    assert {*ran.values[-1]} == {"input", "final", "text", "notes"}
    assert cli("stream", "--checkpoint", tiny, "--seed", "1").out == "".join(value["text"] for value in ran.values)


def test_a_model_without_graphs_says_what_to_do(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "bare")
    (tmp_path / "bare" / "decoder.onnx").unlink()
    manifest = json.loads((tmp_path / "bare" / "suite.json").read_text())
    del manifest["files"]["decoder.onnx"]
    (tmp_path / "bare" / "suite.json").write_text(json.dumps(manifest))
    for verb in ("generate", "stream"):
        ran = cli(verb, "--checkpoint", "bare", "--runtime", "onnx")
        assert (ran.code, ran.out) == (2, "")
        assert ran.error == (
            "suite: bare: has no decoder.onnx; run suite music export --checkpoint bare, or use --runtime torch"
        )


# --- saved and continued ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize("no_repeat", [0, 5])
def test_generation_continues_from_saved_bytes(
    tiny: Path, tiny_chorale: Path, constrained: bool, no_repeat: int
) -> None:
    sampling = SamplingOptions(seed=1, temperature=1.0, top_p=1.0, top_k=0, no_repeat=no_repeat)
    for checkpoint in (tiny, tiny_chorale):

        def generated(limit: int, state: bytes | None = None, checkpoint: Path = checkpoint) -> Generated:
            model = LoadedModel.open("music", checkpoint)
            rules = [rules_of(model.codecs.input, bars=bars) for bars in (1, 4, 8)] if constrained else None
            more: dict[str, Any] = {"rules": rules, "stop": END, "limit": limit}
            if state is not None:
                return generate_until(model, None, None, sampling.sampling, state=state, **more)
            randoms = [sampling.random(row) for row in range(3)]
            return generate_until(model, [[START]] * 3, randoms, sampling.sampling, **more)

        whole = generated(300)
        assert len({len(tokens) for tokens in whole.tokens}) > 1
        for limit in (0, 1, 90):
            before = generated(limit)
            after = generated(300 - limit, before.dumps())
            assert [a + b for a, b in zip(before.tokens, after.tokens, strict=True)] == whole.tokens


# --- evaluation -------------------------------------------------------------------------------------------------


def test_bits_per_character(cli: Cli, tiny: Path, music: Pipeline, tunes: list[str]) -> None:
    (figures,) = cli("evaluate", "--checkpoint", tiny, "--data", SAMPLES, "--json").values
    codec = music.codecs.input
    found = score(music.runtime.graph("decoder"), [*map(codec.encode, tunes)], [*map(codec.targets, tunes)])
    nats = -sum(one.sum() for one in found)
    assert figures["items"] == len(tunes) == 7
    assert figures["bits_per_char"] == pytest.approx(nats / math.log(2) / sum(map(len, tunes)), rel=1e-5)
    assert figures["nats_per_token"] == pytest.approx(nats / sum(map(len, found)), rel=1e-5)
    assert "nats_per_step" not in figures
    assert cli("evaluate", "--checkpoint", tiny).code == 0  # on the samples


def test_nats_per_step_of_chorales(choir: Pipeline, chorale: Chorale, chorales_file: Path) -> None:
    figures = suite.evaluate("music", chorales_file, checkpoint=choir.name)
    codec = choir.codecs.input
    (found,) = score(choir.runtime.graph("decoder"), [codec.encode(chorale)], [codec.targets(chorale)])
    (result,) = predict_examples(choir.model, [Example(input=chorale, target=chorale, key="", where="")])
    assert isinstance(result, PieceScore)
    assert result.nats == pytest.approx(-found.sum(), rel=1e-5)
    assert (result.tokens, result.steps) == (len(found), 32)
    assert figures["items"] == 5
    assert figures["nats_per_step"] == pytest.approx(figures["nats_per_token"] * len(found) / 32)
    assert "bits_per_char" not in figures


def test_a_trained_model_is_better(music: Pipeline, tiny: Path, tmp_path: Path, small: list[str]) -> None:
    made = train("music", data=SAMPLES, dev=SAMPLES, out=tmp_path / "model", settings=[*small, "training.epochs=25"])
    before, after = (suite.evaluate("music", SAMPLES, checkpoint=path)["bits_per_char"] for path in (tiny, made.path))
    assert after < 0.9 * before


# --- training ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", registry().cell_names())
def test_any_cell_generates(cell: str, tmp_path: Path, small: list[str]) -> None:
    made = train(
        "music", data=SAMPLES, dev=SAMPLES, out=tmp_path / "m", settings=[*small, "training.epochs=1"], cell=cell
    )
    assert made.manifest.cells == (cell,)
    (result,) = Pipeline.open("music", made.path).generate(bars=4, seed=1)
    assert full_bars(str(result.abc)) == (4, 4)


def test_training_resumes(tmp_path: Path, small: list[str]) -> None:
    settings = [*small, "encoder.dropout=0.2", "encoder.layers=2"]
    check_resume(TASK, SAMPLES, tmp_path, settings=settings, dev=[SAMPLES], stops=[1, 3])


def test_rows_of_the_data(chorale_rows: list[dict[str, Any]], chorale: Chorale) -> None:
    from suite.data.readers import Row

    one = TASK.example(Row(values={"text": OPENING, "key": "a"}, where="x:1"))
    assert (one.input, one.target, one.key) == (OPENING, OPENING, "a")
    assert TASK.example(Row(values=chorale_rows[0], where="x:1")).input == chorale
    with pytest.raises(DataError, match=r"x:1: neither text \(ABC\) nor steps"):
        TASK.example(Row(values={"label": 1}, where="x:1"))


def test_tunes_are_augmented_by_other_keys(
    music: Pipeline, choir: Pipeline, tunes: list[str], chorale: Chorale
) -> None:
    assert isinstance(TASK, Music)
    random = np.random.default_rng(0)
    found = [TASK.augment(tunes[0], TASK.config(), random, music.codecs) for _ in range(40)]
    assert 10 < sum(text == tunes[0] for text in found) < 35
    steps = [b.pitch - a.pitch for a, b in itertools.pairwise(notes(tunes[0]))]
    for text in found:
        assert [b.pitch - a.pitch for a, b in itertools.pairwise(notes(text))] == steps
        assert text.startswith("M:6/8\nL:1/8\nK:")
    assert len({text.split("\n")[2] for text in found}) > 2
    assert TASK.augment(chorale, TASK.config(), random, choir.codecs) is chorale


# --- Python -----------------------------------------------------------------------------------------------------


def test_saving_by_ending(music: Pipeline, choir: Pipeline, tmp_path: Path) -> None:
    (tune,) = music.generate(bars=2)
    (piece,) = choir.generate(bars=2)
    for result, own in ((tune, ".abc"), (piece, ".musicxml")):
        for ending in (own, ".mid", ".wav", ".png", ".MID"):
            path = result.save(tmp_path / "new" / f"a{ending}")
            assert path.stat().st_size > 50
        assert (
            (tmp_path / "new" / "a.mid").read_bytes() == result.midi_bytes == (tmp_path / "new" / "a.MID").read_bytes()
        )
        with wave.open(io.BytesIO(result.wav())) as file:
            assert file.getnframes() > 44_100
    for result, ending in ((tune, ".musicxml"), (piece, ".abc"), (tune, ".pdf"), (tune, "")):
        with pytest.raises(DataError, match=r"cannot be written as '.*'; use one of "):
            result.save(tmp_path / f"a{ending}")


def test_options_in_python(music: Pipeline) -> None:
    for wrong in ({"key": "H"}, {"meter": "7/13"}, {"bars": 0}, {"count": 0}, {"temperature": -1.0}, {"top_p": 0.0},
                  {"top_k": -1}, {"seed": -1}, {"tempo": 0.0}, {"style": "waltz"}, {"bar": 3}):  # fmt: skip
        with pytest.raises(UsageError):
            list(music.generate(**wrong))
    with pytest.raises(DataError, match="expected ABC text, a chorale or a file, got int"):
        music(3)
    with pytest.raises(DataError, match="a tune needs a line K:"):
        music("ABc def|")
    with pytest.raises(DataError, match="no such file"):
        music("nothing.abc")


# --- the other verbs --------------------------------------------------------------------------------------------


def test_info_and_export(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    (values,) = cli("info", "--checkpoint", tiny, "--json").values
    assert (values["task"], values["mapping"]) == ("music", "aligned")
    assert "bits_per_char" in values["metrics"]["dev"]
    assert "decoder.onnx" in cli("info", "--checkpoint", tiny).out
    assert cli("export", "--checkpoint", tiny, "--out", "again").code == 0
    for name in ("model.safetensors", "tunes.json", "curves.png"):
        assert (tmp_path / "again" / name).read_bytes() == (tiny / name).read_bytes()
    assert plain(Pipeline.open("music", tmp_path / "again").generate(bars=2)) == plain(
        Pipeline.open("music", tiny).generate(bars=2)
    )
    assert Checkpoint.open(tmp_path / "again").manifest.files.keys() == Checkpoint.open(tiny).manifest.files.keys()
