"""Translation from a file of pairs to text, on a small model that learns its pairs by heart."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from suite_translation import Translation, TranslationConfig, max_tokens

import suite
from suite.errors import DataError, UsageError
from suite.inference.pipeline import Pipeline
from suite.task.seq2seq import GeneratedText
from suite.testing import check_codec, check_light, check_resume, check_task

TASK = Translation()
THINGS = {"library": "libreria", "game": "gioco", "tool": "strumento", "server": "servente", "editor": "redattore"}
PATTERNS = {
    "a {}": "una {}", "This package contains a {}.": "Questo pacchetto contiene una {}.",
    "The {} is small.": "La {} è piccola.", "{} files": "file della {}", "Is it a {}?": "È una {}?",
}  # fmt: skip
PAIRS = [(en.format(a), it.format(b)) for en, it in PATTERNS.items() for a, b in THINGS.items()]


def written(path: Path) -> Path:
    path.write_text("".join(json.dumps({"source": s, "target": t}) + "\n" for s, t in PAIRS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pairs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pairs") / "pairs.jsonl")


@pytest.fixture(scope="module")
def checkpoint(tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory, pairs_file: Path) -> Path:
    return suite.train("translation", data=pairs_file, out=tmp_path_factory.mktemp("made") / "it", settings=tiny).path


@pytest.fixture(scope="module")
def translate(checkpoint: Path) -> Pipeline:
    return Pipeline.open("translation", checkpoint)


# --- answers --------------------------------------------------------------------------------------------------


def test_it_learns_its_pairs_by_heart(checkpoint: Path, pairs_file: Path) -> None:
    figures = suite.evaluate("translation", pairs_file, checkpoint)
    assert figures["items"] == len(PAIRS)
    assert figures["bleu"] > 90
    assert figures["chrf"] > 90
    assert "version:" in figures["bleu_signature"]


def test_a_text_is_translated_sentence_by_sentence_and_its_white_space_stays(translate: Pipeline) -> None:
    text = "The game is small. Is it a tool?\n\n\tThis package contains a server.  \n"
    result = translate(text)
    assert isinstance(result, GeneratedText)
    assert result.text == "La gioco è piccola. È una strumento?\n\n\tQuesto pacchetto contiene una servente.  \n"
    each = [translate(part) for part in ("The game is small.", "Is it a tool?", "This package contains a server.")]
    counts = [len(translate.codecs.target.encode([one.text])[0]) for one in each]
    mean = sum(one.score * count for one, count in zip(each, counts, strict=True)) / sum(counts)
    assert result.score == pytest.approx(mean, abs=1e-4)
    assert list(result.to_dict()) == ["input", "text", "score"]


@pytest.mark.parametrize("text", ["", "  ", "\n\n"])
def test_a_text_without_words_is_given_back(translate: Pipeline, text: str) -> None:
    results = translate([text, "a game", text])
    assert [result.text for result in results] == [text, "una gioco", text]
    assert translate(text).text == text


def test_a_batch_is_its_members(translate: Pipeline) -> None:
    texts = [source for source, _ in PAIRS] + ["something never seen 42", "The game is small. The tool is small."]
    alone = [translate(text) for text in texts]
    for size in (1, 3, 64):
        for one, other in zip(translate(texts, batch_size=size), alone, strict=True):
            assert one.text == other.text
            assert one.score == pytest.approx(other.score, abs=1e-4)


def test_both_runtimes_say_the_same(checkpoint: Path, translate: Pipeline) -> None:
    other = Pipeline.open("translation", checkpoint, runtime="torch")
    texts = [source for source, _ in PAIRS[:8]] + ["unknown words here", "x"]
    for ours, theirs in zip(translate(texts), other(texts), strict=True):
        assert ours.text == theirs.text
        assert ours.score == pytest.approx(theirs.score, abs=1e-4)


def test_the_best_few_are_given_with_their_scores(translate: Pipeline) -> None:
    result = translate("The game is small. a tool", n_best=3)
    assert len(result.alternatives) == 2
    scores = [result.score, *(other["score"] for other in result.alternatives)]
    assert scores == sorted(scores, reverse=True)
    assert len({result.text, *(other["text"] for other in result.alternatives)}) == 3
    assert result.text == translate("The game is small. a tool").text
    lines = TASK.render(result).splitlines()
    assert len(lines) == 3
    assert lines[0].endswith(result.text)
    assert TASK.render(translate("a tool")) == "una strumento"


def test_what_is_drawn_depends_on_the_seed_and_the_sentence_alone(translate: Pipeline) -> None:
    drawn = {"sample": True, "temperature": 3.0, "top_p": 1.0}
    texts = [source for source, _ in PAIRS[:5]]
    once = [one.text for one in translate(texts, seed=1, **drawn)]
    assert once == [translate(text, seed=1, **drawn).text for text in texts]
    assert once != [one.text for one in translate(texts, seed=2, **drawn)]
    careful = translate(texts, sample=True, temperature=0.0)
    greedy = translate(texts, beam=1)
    assert [one.text for one in careful] == [one.text for one in greedy]
    assert [one.score for one in careful] == pytest.approx([one.score for one in greedy], abs=1e-4)
    with pytest.raises(UsageError, match="needs beam search: leave out --n-best or --sample"):
        translate("a tool", sample=True, n_best=2)


def test_no_input_makes_output_without_end(translate: Pipeline) -> None:
    many = "game " * 10_000
    result = translate(many, beam=1)
    codec = translate.codecs.input
    sentences = TASK.preprocess(many, translate.codecs)
    most = sum(max_tokens(codec.encode(sentence)) for sentence in sentences)
    assert len(codec.ids(result.text)) <= 2 * most
    assert max(map(len, sentences)) <= 400


def test_inputs_that_are_no_text(translate: Pipeline) -> None:
    with pytest.raises(DataError, match="expected a text, got int"):
        translate(3)
    with pytest.raises(DataError, match="not UTF-8"):
        translate("\ud800")


# --- streams --------------------------------------------------------------------------------------------------

TEXT = "The game is small. Is it a tool?\n\nThis package contains a server. a libr\tary\n"


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("coded", [False, True])
def test_a_stream_in_any_pieces_adds_up_to_the_offline_answer(translate: Pipeline, size: int, coded: bool) -> None:
    wanted = translate(TEXT)
    whole: Any = TEXT.encode() if coded else TEXT
    session = suite.stream(translate)
    updates = []
    for number, at in enumerate(range(0, len(whole), size)):
        updates += session.feed(whole[at : at + size])
        if number == 3:
            session = suite.stream(translate, state=json.loads(json.dumps(session.state)))
    result = session.finish()
    assert "".join(update.text for update in updates) + result.text == wanted.text
    assert result.score == pytest.approx(wanted.score, abs=1e-4)
    assert result.final is True
    assert not any(update.final for update in updates)


def test_a_sentence_is_written_as_soon_as_it_ends_and_token_by_token(translate: Pipeline) -> None:
    session = suite.stream(translate, beam=1)
    assert session.feed("This package contains a game.") == []
    assert session.pending
    updates = session.feed(" ")
    assert len(updates) > 5
    assert "".join(update.text for update in updates) == translate("This package contains a game.", beam=1).text
    assert {update.input for update in updates} == {"This package contains a game."}
    following = session.updates("The tool is small.\n")
    assert next(following).text == " "
    assert next(following).text.startswith("La")


def test_what_is_held_back_is_answered_once(translate: Pipeline) -> None:
    session = suite.stream(translate)
    assert session.feed("The tool is small") == []
    updates = session.flush()
    assert not session.pending  # though nobody has looked at the updates yet
    assert "".join(update.text for update in updates) == translate("The tool is small").text
    session.feed("The tool is small")
    assert [update.text for update in session.remaining_updates()] == [update.text for update in updates]


def test_a_state_of_another_task(translate: Pipeline) -> None:
    other = {**suite.stream(translate).state, "reader": None}
    for state in ({"arrays": {}, "outputs": None, "pending": None, "steps": 0, "last": None}, other):
        with pytest.raises(UsageError, match="of another model; use it with the checkpoint it came from"):
            suite.stream(translate, state=state)


def test_what_a_stream_shows_is_the_translation(translate: Pipeline) -> None:
    session = suite.stream(translate)
    shown, before = "", None
    for update in [*session.feed(TEXT.rstrip()), *session.flush(), session.finish()]:
        shown += TASK.render_update(update, before) or ""
        before = update
    assert shown == translate(TEXT.rstrip()).text + "\n"


def test_a_stream_of_nothing(translate: Pipeline) -> None:
    with pytest.raises(DataError, match="before anything could be read"):
        suite.stream(translate).finish()


# --- training -------------------------------------------------------------------------------------------------


def test_the_checkpoint_is_one_file_of_weights_two_graphs_and_a_codec(checkpoint: Path) -> None:
    names = {path.name for path in checkpoint.iterdir()}
    assert {"encoder.onnx", "decoder.onnx", "model.safetensors", "subwords.json", "tokenizer.json"} <= names
    manifest = json.loads((checkpoint / "suite.json").read_text())
    assert manifest["mapping"] == "unaligned"
    assert manifest["streams"] is True
    assert manifest["cells"] == ["lstm"]


@pytest.mark.parametrize("settings", [
    ["encoder.cell=gru", "decoder.cell=mingru"], ["attention.kind=additive", "attention.after=0"],
    ["attention.feeding=true", "head.tied=false"],
])  # fmt: skip
def test_any_cell_and_attention_trains_and_translates(
    tiny: tuple[str, ...], pairs_file: Path, tmp_path: Path, settings: list[str]
) -> None:  # fmt: skip
    made = suite.train("translation", data=pairs_file, out=tmp_path / "m", settings=[*tiny, *settings], epochs=2)
    assert Pipeline.open("translation", made.path)("The game is small.").score < 0


def test_one_option_sets_the_cell_of_both_sides(tiny: tuple[str, ...], pairs_file: Path, tmp_path: Path) -> None:
    made = suite.train("translation", data=pairs_file, out=tmp_path / "m", settings=tiny, cell="gru", epochs=1)
    assert made.manifest.config["encoder"]["cell"] == made.manifest.config["decoder"]["cell"] == "gru"
    assert made.manifest.cells == ("gru",)


def test_training_resumes_bit_for_bit_with_sub_words_dropped(
    tiny: tuple[str, ...], pairs_file: Path, tmp_path: Path
) -> None:
    check_resume(TASK, pairs_file, tmp_path, settings=[*tiny, "subwords.dropout=0.2"], stops=[3], epochs=2)


def test_epochs_are_told_apart_by_the_log_probability(tiny: tuple[str, ...], pairs_file: Path, tmp_path: Path) -> None:
    seen: list[Any] = []
    suite.train("translation", data=pairs_file, out=tmp_path / "m", settings=tiny, epochs=3, report=seen.append)
    values = [entry["dev"] for entry in seen[-1].history]
    assert values == sorted(values)
    assert all(-math.log(512) - 1 < value < 0 for value in values)


def test_pairs_are_read_anew_with_sub_words_dropped(checkpoint: Path, translate: Pipeline) -> None:
    config = TranslationConfig()
    codecs = translate.codecs
    source = codecs.input
    pair = ("This package contains a game.", "Questo pacchetto contiene una gioco.")
    plain = TASK.augment(*pair, config, np.random.default_rng(0), codecs)
    assert plain[0].tolist() == source.encode(pair[0]).tolist()
    dropped = dataclasses.replace(config, subwords=dataclasses.replace(config.subwords, dropout=0.5))
    ways = [TASK.augment(*pair, dropped, np.random.default_rng(seed), codecs) for seed in range(5)]
    assert {source.decode(way[0]) for way in ways} == {pair[0]}
    assert {source.decode(way[1]) for way in ways} == {pair[1]}
    assert len({tuple(way[0]) for way in ways}) > 2
    assert len({tuple(way[1]) for way in ways}) > 2


@pytest.mark.parametrize(
    ("line", "said"),
    [('{"source": "a"}', "no target"), ('{"source": 3, "target": "b"}', "source is int"),
     ('{"source": "a", "target": ""}', "a target is empty"), ('{"source": " ", "target": "b"}', "the text is empty")],
)  # fmt: skip
def test_pairs_that_cannot_be_used(tiny: tuple[str, ...], tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path / "bad.jsonl")
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match=said) as caught:
        suite.train("translation", data=path, out=tmp_path / "m", settings=tiny, epochs=1)
    assert f"bad.jsonl:{len(PAIRS) + 1}" in str(caught.value)


# --- the rest -------------------------------------------------------------------------------------------------


def test_the_laws_hold(checkpoint: Path) -> None:
    texts = ["The game is small.", "Is it a tool? It is not known.\n\nThis package contains a server.", "è 語"]
    assert check_task(TASK, checkpoint=checkpoint, inputs=texts) == []


def test_the_target_codec_survives_its_files(translate: Pipeline) -> None:
    check_codec(translate.codecs.target, [target for _, target in PAIRS])


def test_it_is_light() -> None:
    check_light("suite_translation", "translation")


def test_the_plot_shows_where_it_looked(translate: Pipeline, tmp_path: Path) -> None:
    texts = ["The game is small. a tool", ""]
    TASK.plot(translate.model, texts, translate(texts), tmp_path / "looked.png")
    with Image.open(tmp_path / "looked.png") as picture:
        assert picture.width >= 1000
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20
    with pytest.raises(DataError, match="no words"):
        TASK.plot(translate.model, ["", " "], [], tmp_path / "none.png")


def test_the_plot_is_of_what_was_asked_for(translate: Pipeline, tmp_path: Path) -> None:
    texts, drawn, bold = ["The game is small."], [], {"temperature": 9.0, "top_p": 1.0}
    for number, options in enumerate(
        ({}, {}, {"sample": True, **bold}, {"sample": True, "seed": 1, **bold}, {"n_best": 3})
    ):
        model = translate.model.configured(TASK.parse_options("predict", options))
        TASK.plot(model, texts, translate(texts, **options), tmp_path / f"{number}.png")
        drawn.append((tmp_path / f"{number}.png").read_bytes())
    assert drawn[0] == drawn[1] == drawn[4]
    assert len({*drawn}) == 3
