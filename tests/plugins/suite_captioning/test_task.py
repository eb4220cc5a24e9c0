"""Captioning from pictures with captions to text, on a small model that learns its pictures by heart."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import suite_assets
from PIL import Image
from suite_captioning import Captioning, CaptioningConfig, CaptionTarget

import suite
from suite.checkpoint import Checkpoint
from suite.codecs.images import ImageCodec
from suite.codecs.subwords import SubwordCodec, SubwordSpec
from suite.decoding import reranking as remembering
from suite.decoding.reranking import chrf_similarity
from suite.errors import DataError, UsageError
from suite.inference.pipeline import Pipeline
from suite.task import Example
from suite.task.seq2seq import GeneratedText
from suite.testing import check_light, check_resume, check_task

TASK = Captioning()
TRANSLATIONS = Path(suite_assets.__file__).parent / "translation" / "samples" / "labelled.tsv"


def paths(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.glob("*.png"))


def caption(path: str) -> str:
    colour, shape = Path(path).stem.split("-")
    return f"{shape}: {colour}"


# --- answers --------------------------------------------------------------------------------------------------


def test_it_learns_its_pictures_by_heart(checkpoint: Path, pictures: Path) -> None:
    figures = suite.evaluate("captioning", pictures / "captions.jsonl", checkpoint)
    assert figures["items"] == 6
    assert figures["exact_match"] == 1
    assert figures["chrf"] == 100
    assert figures["bleu4"] == 0, "of three words there are no four in a row"
    assert (figures["seen"]["items"], figures["unseen"]["items"]) == (4, 2)
    assert "exact_match_skin_tone_aside" not in figures


def test_a_caption_says_what_it_is_of_and_how_sure_it_is(describe: Pipeline, pictures: Path) -> None:
    path = pictures / "red-circle.png"
    result = describe(path)
    assert isinstance(result, GeneratedText)
    assert list(result.to_dict()) == ["input", "text", "score"]
    assert (result.input, result.text) == (str(path), "circle: red")
    assert -1 < result.score < 0
    assert TASK.render(result) == f"circle: red  [{path}]"


def test_a_picture_may_come_as_a_path_as_bytes_as_an_image_or_as_an_array(describe: Pipeline, pictures: Path) -> None:
    path = pictures / "green-square.png"
    image = Image.open(path)
    ways: list[Any] = [path, str(path), path.read_bytes(), image, np.asarray(image)]
    results = describe(ways)
    assert {result.text for result in results} == {"square: green"}
    assert len({result.score for result in results}) == 1
    assert results[3].input == "an image (PngImageFile)"


def test_a_batch_is_its_members(describe: Pipeline, pictures: Path) -> None:
    given = paths(pictures)
    alone = [describe(path) for path in given]
    assert [result.text for result in alone] == [caption(path) for path in given]
    for size in (1, 4, 64):
        for one, other in zip(describe(given, batch_size=size), alone, strict=True):
            assert (one.input, one.text) == (other.input, other.text)
            assert one.score == pytest.approx(other.score, abs=1e-4)


def test_both_runtimes_say_the_same(checkpoint: Path, describe: Pipeline, pictures: Path) -> None:
    other = Pipeline.open("captioning", checkpoint, runtime="torch")
    for ours, theirs in zip(describe(paths(pictures)), other(paths(pictures)), strict=True):
        assert ours.text == theirs.text
        assert ours.score == pytest.approx(theirs.score, abs=1e-4)


def test_the_best_few_are_given_with_their_scores(describe: Pipeline, pictures: Path) -> None:
    path = paths(pictures)[0]
    result = describe(path, n_best=3)
    scores = [result.score, *(other["score"] for other in result.alternatives)]
    assert scores == sorted(scores, reverse=True)
    assert len({result.text, *(other["text"] for other in result.alternatives)}) == 3
    first, *lines = TASK.render(result).splitlines()
    assert first == path
    assert lines[0].endswith(result.text)
    assert len(lines) == 3


def test_what_is_drawn_depends_on_the_seed_and_the_picture_alone(describe: Pipeline, pictures: Path) -> None:
    given, wild = paths(pictures), {"sample": True, "temperature": 4.0, "top_p": 1.0}
    once = [one.text for one in describe(given, seed=1, **wild)]
    assert once == [describe(path, seed=1, **wild).text for path in given]
    assert once != [one.text for one in describe(given, seed=2, **wild)]
    careful, greedy = describe(given, sample=True, temperature=0.0), describe(given, beam=1)
    assert [one.text for one in careful] == [one.text for one in greedy]
    assert [one.score for one in careful] == pytest.approx([one.score for one in greedy], abs=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample": True, "n_best": 2}, "needs beam search: leave out"), ({"beam": 0}, "beam=0: expected"),
        ({"sample": True, "top_p": 0.0}, "top_p must be above 0"), ({"length_penalty": -1.0}, "length_penalty=-1.0"),
        ({"sample": True, "seed": -1}, "seed=-1: expected"), ({"neighbours": -1}, "neighbours=-1: expected"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense(
    describe: Pipeline, pictures: Path, options: dict[str, Any], message: str
) -> None:  # fmt: skip
    with pytest.raises(UsageError, match=message):
        describe(paths(pictures)[0], **options)


def test_no_caption_is_without_end(describe: Pipeline) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    result = describe(noise, sample=True, temperature=50.0, top_p=1.0)
    assert len(describe.codecs.target.codec.ids(result.text)) <= 2 * 64


# --- pictures that are remembered -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reminded(tiny: tuple[str, ...], pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has not learnt much, and remembers its pictures."""
    settings = [*tiny, "training.epochs=20", "training.remember=true"]
    out = tmp_path_factory.mktemp("reminded") / "made"
    return suite.train("captioning", data=pictures / "captions.jsonl", out=out, settings=settings).path


def test_of_what_it_might_write_it_chooses_what_similar_pictures_are_called(reminded: Path, pictures: Path) -> None:
    describe, given = Pipeline.open("captioning", reminded), paths(pictures)
    leaning, alone = describe(given), describe(given, neighbours=0)
    assert sorted(describe.codecs.target.remembered.texts) == sorted(map(caption, given))

    def like(results: list[Any]) -> float:
        return sum(chrf_similarity(one.text, caption(path)) for one, path in zip(results, given, strict=True))

    assert like(describe(given, neighbours=1)) > like(alone)
    hypotheses = describe(given, neighbours=0, beam=16, n_best=16)
    for one, all_of_it in zip(leaning, hypotheses, strict=True):
        assert one.text in [all_of_it.text, *(other["text"] for other in all_of_it.alternatives)]
    # A greedy answer and a drawn one are what they are.
    for plain in ({"beam": 1}, {"sample": True, "seed": 3}):
        assert [r.text for r in describe(given, **plain)] == [r.text for r in describe(given, neighbours=0, **plain)]
    assert len(describe(given[0], n_best=3).alternatives) == 2


def test_what_is_judged_on_what_was_learnt_does_not_lean_on_it(reminded: Path, pictures: Path) -> None:
    judged = Checkpoint.open(reminded).manifest.metrics["train"]
    alone, leaning = (
        suite.evaluate("captioning", pictures / "captions.jsonl", reminded, neighbours=n) for n in (0, 1)
    )  # fmt: skip
    assert judged["chrf"] == pytest.approx(alone["chrf"], abs=0.01)
    assert judged["chrf"] < leaning["chrf"]


def test_a_stream_chooses_as_predict_does(reminded: Path, pictures: Path) -> None:
    describe, given = Pipeline.open("captioning", reminded), paths(pictures)
    session = suite.stream(describe)
    updates = [*session.feed("\n".join(given)), *session.flush()]
    assert [(update.input, update.text, update.whole) for update in updates] == [
        (path, result.text, True) for path, result in zip(given, describe(given), strict=True)
    ]


def test_what_is_remembered_is_of_the_last_training(
    reminded: Path, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:  # fmt: skip
    assert "remembered.npz" not in {path.name for path in checkpoint.iterdir()}
    fresh = suite.train(
        "captioning", data=pictures / "captions.jsonl", out=tmp_path / "m", init_from=reminded, epochs=1,
        settings=["training.remember=false"],
    )  # fmt: skip
    assert "remembered.npz" not in fresh.manifest.files
    with pytest.raises(UsageError, match=r"is for tasks of .*TextGenerationTask .*; translation is none"):
        suite.train(
            "translation", data=TRANSLATIONS, out=tmp_path / "t", epochs=1,
            settings=["training.remember=true"],
        )  # fmt: skip


def test_too_many_to_remember(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "MAX_ITEMS", 2)
    with pytest.raises(UsageError, match=r"keeps every item, and [0-9]+ are more than 2: leave it out"):
        suite.train(
            "captioning", data=pictures / "captions.jsonl", out=tmp_path / "m", epochs=1,
            settings=["training.remember=true"],
        )  # fmt: skip


# --- streams --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("coded", [False, True])
def test_a_stream_of_paths_in_any_pieces_says_what_predict_says(
    describe: Pipeline, pictures: Path, size: int, coded: bool
) -> None:
    given = paths(pictures)[:3]
    wanted = describe(given)
    text: Any = "\n".join([given[0], "", given[1] + "\r", given[2]])
    text = text.encode() if coded else text
    session = suite.stream(describe)
    updates = []
    for number, at in enumerate(range(0, len(text), size)):
        updates += session.feed(text[at : at + size])
        if number == 3:
            session = suite.stream(describe, state=json.loads(json.dumps(session.state)))
    updates += session.flush()
    assert not any(update.final for update in updates)
    for path, result in zip(given, wanted, strict=True):
        own = [update for update in updates if update.input == path]
        assert "".join(update.text for update in own) == result.text
        assert [update.whole for update in own] == [False] * (len(own) - 1) + [True]
        assert own[-1].score == pytest.approx(result.score, abs=1e-4)
    last = session.finish()
    assert (last.final, last.text) == (True, "")
    assert min(r.score for r in wanted) <= last.score <= max(r.score for r in wanted)


def test_words_are_shown_as_they_are_written_and_a_caption_ends_its_line(describe: Pipeline, pictures: Path) -> None:
    path = paths(pictures)[0]
    session = suite.stream(describe, beam=1)
    assert session.feed(path) == []
    assert session.pending
    updates = session.feed("\n")
    assert len(updates) > 2
    assert "".join(TASK.render_update(update, None) or "" for update in updates) == f"{caption(path)}\n"
    assert TASK.render_update(session.finish(), updates[-1]) is None
    whole = TASK.last_result(updates, session.state["carried"])
    assert TASK.render_update(whole, updates[-1]) == f"{caption(path)}\n"


def test_a_stream_names_the_picture_that_cannot_be_read(describe: Pipeline) -> None:
    with pytest.raises(DataError, match=r"nowhere.png: no such file"):
        suite.stream(describe).feed("nowhere.png\n")
    with pytest.raises(DataError, match="before anything could be read"):
        suite.stream(describe).finish()


# --- training -------------------------------------------------------------------------------------------------


def test_the_checkpoint_is_one_file_of_weights_two_graphs_and_its_codecs(checkpoint: Path) -> None:
    names = {path.name for path in checkpoint.iterdir()}
    assert {"encoder.onnx", "decoder.onnx", "model.safetensors", "images.json", "tokenizer.json"} <= names
    manifest = json.loads((checkpoint / "suite.json").read_text())
    assert (manifest["mapping"], manifest["streams"], manifest["cells"]) == ("one-to-many", True, ["lstm"])


@pytest.mark.parametrize("settings", [
    ["decoder.cell=mingru"], ["attention.kind=additive", "attention.after=0", "head.tied=false"],
    ["encoder.backbone=shufflenet_v2_x0_5", "images.size=64"], ["training.weights=int8", "encoder.freeze=true"],
])  # fmt: skip
def test_any_cell_attention_and_backbone_trains_and_describes(
    tiny: tuple[str, ...], pictures: Path, tmp_path: Path, settings: list[str]
) -> None:
    data = pictures / "captions.jsonl"
    made = suite.train("captioning", data=data, out=tmp_path / "m", settings=[*tiny, *settings], epochs=1)
    assert Pipeline.open("captioning", made.path)(paths(pictures)[0]).score < 0


def test_training_resumes_bit_for_bit_with_statistics_and_changed_pictures(
    tiny: tuple[str, ...], pictures: Path, tmp_path: Path
) -> None:
    settings = [*tiny, "augment.erase=0.5", "training.batch_size=4"]
    check_resume(TASK, pictures / "captions.jsonl", tmp_path, settings=settings, stops=[1, 3], epochs=2)


def test_published_weights_that_cannot_be_fetched_are_told_before_training(
    tiny: tuple[str, ...], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: Any, **more: Any) -> Any:
        raise OSError("no way out")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refused)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refused)
    settings = [*tiny, "images.size=64", "encoder.backbone=shufflenet_v2_x0_5", "encoder.weights=DEFAULT"]
    with pytest.raises(DataError, match=r"weights DEFAULT of shufflenet_v2_x0_5 cannot be downloaded .*no way out"):
        suite.train("captioning", data=pictures / "captions.jsonl", out=tmp_path / "m", settings=settings, epochs=1)


def test_each_time_a_picture_is_learnt_it_is_another_one_and_one_of_its_captions(pictures: Path) -> None:
    captions = ("square: red", "a red square")
    codec = SubwordCodec.fit(captions, SubwordSpec(vocabulary=512, min_count=1, whole=9))
    target = CaptionTarget(codec)
    config = CaptioningConfig()
    codecs = TASK.fit_codecs([Example(input="", target=captions)], config).replace(target=target)
    pair = (ImageCodec(config.images).encode(pictures / "red-square.png"), captions)
    made = [TASK.augment(*pair, config, np.random.default_rng([7, i]), codecs) for i in range(8)]
    assert {codec.decode(tokens) for _, tokens in made} == set(captions)
    assert len({array.tobytes() for array, _ in made}) == 8
    again = TASK.augment(*pair, config, np.random.default_rng([7, 3]), codecs)
    np.testing.assert_array_equal(again[0], made[3][0])


def test_a_picture_without_a_caption_teaches_nothing() -> None:
    with pytest.raises(DataError, match=r"a.jsonl:3: no caption"):
        TASK.fit_codecs([Example(input="a.png", where="a.jsonl:3")], CaptioningConfig())
    codecs = TASK.fit_codecs([Example(input="a.png", target=("a cat",))], CaptioningConfig())
    with pytest.raises(DataError, match="no caption; give a reference caption"):
        TASK.check_example(Example(input="a.png"), codecs)


# --- figures --------------------------------------------------------------------------------------------------


def results(*texts: str) -> list[GeneratedText]:
    return [GeneratedText(input="", text=text, score=0.0) for text in texts]


def judged(*pairs: tuple[str, tuple[str, ...]], seen: tuple[bool | None, ...] = ()) -> dict[str, Any]:
    flags = seen or (None,) * len(pairs)
    rows = [
        Example(input="", target=wanted, values={} if flag is None else {"seen": flag})
        for (_, wanted), flag in zip(pairs, flags, strict=True)
    ]
    return TASK.metrics(results(*(text for text, _ in pairs)), rows)


def test_any_of_several_captions_will_do() -> None:
    figures = judged(("a dog runs on grass", ("a cat sits on a mat", "a dog runs on grass")), ("no", ("yes",)))
    assert figures["exact_match"] == 0.5
    assert figures["bleu4"] > 50
    alone = judged(("a dog runs on grass", ("a cat sits on a mat",)), ("no", ("yes",)))
    assert alone["exact_match"] == 0
    assert alone["bleu4"] < 30


def test_skin_tone_is_set_aside_in_a_figure_of_its_own() -> None:
    figures = judged(
        ("man: light skin tone", ("man: dark skin tone",)), ("woman: bald", ("woman: medium-dark skin tone, bald",)),
        ("kiss: man, man, medium skin tone, light skin tone", ("kiss: man, man",)), ("cat", ("dog",)),
    )  # fmt: skip
    assert figures["exact_match"] == 0
    assert figures["exact_match_skin_tone_aside"] == 0.5
    assert "exact_match_skin_tone_aside" not in judged(("light", ("light",)))


def test_seen_and_unseen_are_told_apart_where_the_data_says_so() -> None:
    figures = judged(("a", ("a",)), ("b", ("c",)), ("d", ("d",)), seen=(True, False, None))
    assert (figures["items"], figures["seen"]["items"], figures["unseen"]["items"]) == (3, 1, 1)
    assert (figures["seen"]["exact_match"], figures["unseen"]["exact_match"]) == (1, 0)
    assert "seen" not in judged(("a", ("a",)))


# --- laws -----------------------------------------------------------------------------------------------------


def test_the_laws_of_tasks(checkpoint: Path, pictures: Path) -> None:
    def pieces(path: str) -> Iterator[list[str]]:
        yield [path]
        yield [path[:5], path[5:]]

    assert check_task(TASK, checkpoint=checkpoint, inputs=paths(pictures)[:3], stream_pieces=pieces) == []


@pytest.mark.parametrize("cell", ["gru", "rglru"])
def test_the_laws_hold_with_other_cells(
    tiny: tuple[str, ...], pictures: Path, tmp_path: Path, cell: str
) -> None:  # fmt: skip
    data = pictures / "captions.jsonl"
    made = suite.train("captioning", data=data, out=tmp_path / "m", settings=tiny, cell=cell, epochs=1)
    assert made.manifest.cells == (cell,)
    assert check_task(TASK, checkpoint=made.path, inputs=paths(pictures)[:2], stream_pieces=lambda p: [[p]]) == []


def test_the_plugin_is_light() -> None:
    check_light("suite_captioning", "captioning")


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match=r"hue must be from 0 to 0.5"):
        dataclasses.replace(CaptioningConfig().augment, hue=0.6)
