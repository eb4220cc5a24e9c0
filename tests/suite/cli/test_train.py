"""``suite TASK train``, end to end on a small file."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import suite

Cli = Callable[..., Any]
#: Files of a checkpoint that say everything there is to say of a model.
MODEL = ("model.safetensors", "encoder.onnx", "words.json", "tokenizer.json", "target.json")


@pytest.fixture
def train(cli: Cli, ratings_file: Path, tiny_settings: list[str]) -> Cli:
    """``train(…)`` on sixty ratings, two epochs, unless ``data`` says otherwise."""

    def call(*arguments: str | Path, data: Path | None = ratings_file, epochs: int = 2) -> Any:
        given: list[str | Path] = [item for setting in tiny_settings for item in ("--set", setting)]
        given += ["--epochs", str(epochs)]
        if data is not None:
            given += ["--data", data]
        return cli("sentiment", "train", *given, *arguments)

    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in MODEL}


# --- what comes out -----------------------------------------------------------------------------------------


def test_end_to_end(train: Cli, cli: Cli, tmp_path: Path) -> None:
    ran = train("--out", "mine", "--note", "For moods alone.", epochs=12)
    assert ran.code == 0
    mine = tmp_path / "mine"
    assert ran.out.startswith("trained: mine (")
    assert ran.out.endswith(f"curves in {Path('mine/curves.png')}\n")
    said = ran.err.splitlines()
    assert said[0] == "54 items to train on, 6 for dev"
    assert sum(line.startswith("epoch ") for line in said) == 12
    assert any("items/s" in line for line in said)
    assert any(line.startswith("ONNX graphs agree with torch to ") for line in said)

    assert {p.name for p in mine.iterdir()} == {*MODEL, "suite.json", "README.md", "curves.png"}
    assert (mine / "curves.png").read_bytes().startswith(b"\x89PNG")
    card = (mine / "README.md").read_text()
    assert card.startswith("# sentiment: ")
    assert "54 to train on, 6 to choose by" in card
    assert "\nFor moods alone.\n" in card
    assert json.loads(cli("sentiment", "predict", "--json", "--checkpoint", "mine", "an awful day").out)["polarity"] < 0
    assert cli("sentiment", "info", "--checkpoint", "mine").code == 0
    assert cli("sentiment", "stream", "--checkpoint", "mine", stdin=b"lovely").code == 0


def test_the_default_place(train: Cli, tmp_path: Path) -> None:
    assert train().code == 0
    assert (tmp_path / "sentiment-checkpoint" / "suite.json").exists()


def test_a_checkpoint_is_replaced_only_if_asked(train: Cli, tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "mine")
    ran = train("--out", "mine", "--data", "not-even-read.csv")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == "suite: mine: is a checkpoint already; choose another --out, or replace it with --overwrite"
    assert contents(tmp_path / "mine") == contents(tiny_checkpoint)
    assert train("--out", "mine", "--overwrite", "--seed", "1").code == 0
    assert contents(tmp_path / "mine") != contents(tiny_checkpoint)


def test_bptt(train: Cli, cli: Cli, echo: Any, echo_file: Path) -> None:
    ran = cli("echo", "train", "--data", echo_file, "--bptt", "4", "--out", "mine")
    assert ran.code == 0
    assert any(line.endswith(" steps/s") for line in ran.err.splitlines())
    assert json.loads(cli("echo", "info", "--json", "--checkpoint", "mine").out)["config"]["training"]["bptt"] == 4
    assert len(cli("echo", "predict", "--checkpoint", "mine", "abcd").out.strip()) == 4
    ran = cli("echo", "stream", "--checkpoint", "mine", stdin=b"abcd")
    assert (ran.code, ran.err, len(ran.lines)) == (0, "", 4)  # an answer a letter
    ran = train("--bptt", "4", "--out", "other")
    assert (ran.code, ran.out) == (2, "")
    assert ran.error == "suite: --bptt cuts the sequences of aligned tasks; sentiment is many-to-one: leave it out"


def test_labels(train: Cli, cli: Cli, labels_file: Path) -> None:
    assert train("--out", "mine", data=labels_file).code == 0
    found = json.loads(cli("sentiment", "predict", "--json", "--checkpoint", "mine", "good").out)
    assert found["polarity"] is None


@pytest.mark.parametrize("cell", ["gru", "rnn", "mingru", "rglru"])
def test_every_cell(train: Cli, cli: Cli, cell: str) -> None:
    assert train("--out", "mine", "--cell", cell, epochs=1).code == 0
    assert json.loads(cli("sentiment", "info", "--json", "--checkpoint", "mine").out)["cells"] == [cell]
    assert cli("sentiment", "stream", "--checkpoint", "mine", stdin=b"good day").code == 0


def test_the_seed_decides_everything(train: Cli, tmp_path: Path) -> None:
    for out, seed in (("one", "5"), ("two", "5"), ("other", "6")):
        assert train("--out", out, "--seed", seed).code == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") != contents(tmp_path / "other")


def test_several_files_and_dev(train: Cli, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "a.csv").write_text("review,stars\ngood film,0.5\nbad film,-0.5\n")
    (tmp_path / "more" / "a.csv").write_text("review,stars\nlovely film,0.9\nsad film,-0.6\n")
    (tmp_path / "dev.tsv").write_text("review\tstars\ngood\t1\nbad\t-1\n")
    ran = train(
        "--data", "a.csv", "--data", "more/a.csv", "--dev", "dev.tsv", "--columns", "text=review,polarity=stars",
        "--out", "mine", data=None,
    )  # fmt: skip
    assert ran.code == 0
    data = json.loads((tmp_path / "mine" / "suite.json").read_text())["data"]
    assert data["items"] == [4, 2]
    assert list(data["train"]) == ["a.csv", "a.csv (2)"]  # one name, two files: neither is forgotten
    assert len(set(data["train"].values())) == 2
    assert list(data["dev"]) == ["dev.tsv"]


def test_settings(train: Cli, tmp_path: Path) -> None:
    ran = train("--out", "mine", "--set", "encoder.hidden=5", "--set", "head.pooling=mean", "--set", "training.clip=.5")
    assert ran.code == 0
    config = json.loads((tmp_path / "mine" / "suite.json").read_text())["config"]
    assert (config["encoder"]["hidden"], config["head"]["pooling"], config["training"]["clip"]) == (5, ["mean"], 0.5)


def test_init_from(train: Cli, cli: Cli, tiny_checkpoint: Path, labels_file: Path, tmp_path: Path) -> None:
    ran = train("--out", "mine", "--init-from", tiny_checkpoint, data=labels_file, epochs=1)
    assert ran.code == 0
    assert f"weights from {tiny_checkpoint}" in ran.err
    assert (tmp_path / "mine" / "tokenizer.json").read_bytes() == (tiny_checkpoint / "tokenizer.json").read_bytes()
    assert json.loads(cli("sentiment", "predict", "--json", "--checkpoint", "mine", "good").out)["polarity"] is None
    ran = train("--out", "other", "--init-from", "nowhere")
    assert (ran.code, ran.out) == (1, "")
    assert "nowhere: no such directory" in ran.error


def test_init_from_what_ships(train: Cli, shipped: Path) -> None:
    ran = train("--out", "mine", "--init-from", "shipped", epochs=1)
    assert ran.code == 0
    assert f"weights from {shipped / 'checkpoint'}" in ran.err


def test_init_from_what_ships_in_python(shipped: Path, ratings_file: Path, tmp_path: Path) -> None:
    said: list[str] = []
    suite.train("sentiment", data=ratings_file, out=tmp_path / "mine", init_from="shipped", epochs=1, say=said.append)
    assert f"weights from {shipped / 'checkpoint'}" in said


def test_word_vectors(train: Cli, tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_text("good 1 0 0 0 0 0 0 0\nbad -1 0 0 0 0 0 0 0\n")
    assert train("--out", "mine", "--vectors", "vectors.txt", epochs=1).code == 0
    ran = train("--out", "other", "--vectors", "vectors.txt", "--set", "embedding.features=9", epochs=1)
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == "suite: the word vectors have 8 features: add --set embedding.features=8"
    (tmp_path / "vectors.txt").write_text("good 1 0\nbad one\n")
    ran = train("--out", "other", "--vectors", "vectors.txt", epochs=1)
    assert ran.code == 1
    assert "vectors.txt:2: " in ran.err.splitlines()[-1]
    ran = train("--out", "other", "--vectors", "none.txt", epochs=1)
    assert ran.code == 1
    assert "none.txt: No such file or directory" in ran.error


# --- interrupted and resumed -----------------------------------------------------------------------------------


def interrupted_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    from suite.cli.train import Display

    real = Display.report

    def report(self: Display, progress: Any) -> None:
        real(self, progress)
        if progress.step == step:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Display, "report", report)


@pytest.mark.parametrize("step", [1, 5, 7, 9])  # seven steps are an epoch
def test_a_run_that_is_interrupted_goes_on(
    train: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    assert train("--out", "whole").code == 0
    with monkeypatch.context() as patch:
        interrupted_at(patch, step)
        ran = train("--out", "mine")
    assert (ran.code, ran.out) == (130, "")
    assert [line for line in ran.err.splitlines() if line][-2:] == [
        "interrupted; continue with the same command and --resume (saved in mine.run)", "suite: interrupted",
    ]  # fmt: skip
    assert not (tmp_path / "mine").exists()
    ran = train("--out", "mine", "--resume")
    assert ran.code == 0
    assert f"resumed at step {step}" in ran.err
    assert contents(tmp_path / "mine") == contents(tmp_path / "whole")


def test_an_interrupt_leaves_the_checkpoint_that_was_there(
    train: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train("--out", "mine").code == 0
    before = contents(tmp_path / "mine")
    with monkeypatch.context() as patch:
        interrupted_at(patch, 3)
        assert train("--out", "mine", "--overwrite", "--seed", "1").code == 130
    assert contents(tmp_path / "mine") == before


def test_resuming_something_else(
    train: Cli, ratings_file: Path, labels_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = train("--out", "mine", "--resume")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "suite: mine.run: no run to resume; start it without --resume"
    with monkeypatch.context() as patch:
        interrupted_at(patch, 3)
        train("--out", "mine")
    for change, data, key in (
        (["--seed", "1"], ratings_file, "seed"),
        (["--set", "encoder.hidden=9"], ratings_file, "config"),
        ([], labels_file, "train"),
    ):
        ran = train("--out", "mine", "--resume", *change, data=data)
        assert ran.code == 1
        assert f"suite: mine.run: the interrupted run had another {key}" in ran.err.splitlines()[-1]


# --- bad input ----------------------------------------------------------------------------------------------


def write(path: Path, *rows: str, header: str = "text,label") -> Path:
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


ROWS = ("good one,positive", "bad one,negative", "good two,positive", "bad two,negative")


def test_no_data(train: Cli) -> None:
    ran = train(data=None)
    assert (ran.code, ran.out) == (2, "")
    assert ran.error == (
        "suite: no --data given, and the recipe's data is not here: run suite data get sentiment first"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["--cell", "lstn"], 2, "no cell named 'lstn'; did you mean 'lstm'?"),
        (["--set", "encoder.hiden=3"], 2, "--set encoder.hiden: no such setting; did you mean 'hidden'?"),
        (["--set", "encoder.hidden"], 2, "--set encoder.hidden: expected path=value"),
        (["--set", "encoder.hidden=wide"], 2, "--set encoder.hidden: expected int, got 'wide'"),
        (["--set", "encoder.hidden=0"], 2, "--set encoder.hidden: hidden must be 1 or more, not 0"),
        (["--set", "encoder.dropout=1.5"], 2, "--set encoder.dropout: dropout must be at least 0 and below 1"),
        (["--set", "training.lr=nan"], 2, "--set training.lr: lr must be 0 or more, not nan"),
        (["--set", "head.pooling=[]"], 2, "--set head.pooling: pooling must name at least one"),
        (["--set", "head.pooling=first"], 2, "pooling 'first': no such pooling"),
        (["--epochs", "0"], 2, "Invalid value for '--epochs'"),
        (["--seed", "-1"], 2, "Invalid value for '--seed'"),
        (["--epoch", "3"], 2, "No such option"),
        (["--dev", "nowhere.csv"], 1, "nowhere.csv: no such file"),
        (["--data", "-"], 2, "not from standard input: save it to a file first"),
    ],
)
def test_bad_options(train: Cli, tmp_path: Path, arguments: list[str], code: int, error: str) -> None:
    ran = train(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert error in ran.err.splitlines()[-1]
    assert "defect" not in ran.err
    assert not (tmp_path / "sentiment-checkpoint").exists()


def test_one_class_only(train: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", *(f"good {i},positive" for i in range(20)))
    ran = train(data=file)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == (
        "suite: training needs at least two different labels, the data has only 'positive'; add items of another"
    )


def test_one_rating_only(train: Cli, tmp_path: Path) -> None:
    ran = train(data=write(tmp_path / "a.csv", *(f"good {i},0.5" for i in range(20)), header="text,polarity"))
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith("suite: training needs ratings that differ")


def test_too_few(train: Cli, tmp_path: Path) -> None:
    ran = train(data=write(tmp_path / "a.csv", "good,positive", "bad,negative"))
    assert (ran.code, ran.out) == (1, "")
    assert "2 items are too few to hold some out for dev; add data or give --dev FILE" in ran.error


def test_an_unknown_label_in_dev(train: Cli, tmp_path: Path) -> None:
    data = write(tmp_path / "a.csv", *ROWS)
    dev = write(tmp_path / "dev.csv", "fine,positive", "so so,negativ")
    ran = train("--dev", dev, data=data)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == f"suite: {dev}:3: unknown label 'negativ'; did you mean 'negative'?"
    ran = train("--dev", dev, "--skip-errors", "--out", "mine", data=data)
    assert ran.code == 0
    assert ran.err.splitlines()[0] == f"suite: {dev}:3: unknown label 'negativ'; did you mean 'negative'? (skipped)"
    assert "4 items to train on, 1 for dev" in ran.err
    assert ran.err.splitlines()[-1] == "suite: 1 skipped"


def test_bad_rows(train: Cli, tmp_path: Path) -> None:
    rows = [f"{'good' if i % 2 else 'bad'} film {i},{0.5 if i % 2 else -0.5}" for i in range(30)]
    rows[3], rows[7], rows[9] = "oops", ",0.3", "what,7"
    file = write(tmp_path / "a.csv", *rows, header="text,polarity")
    ran = train(data=file)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith(f"suite: {file}:5: 1 field where the first line names 2 columns")
    ran = train("--skip-errors", "--out", "mine", data=file)
    assert ran.code == 0
    skipped = [line.split(": ")[1] for line in ran.err.splitlines() if line.endswith("(skipped)")]
    assert skipped == [f"{file}:{n}" for n in (5, 11, 9)]
    assert ran.err.splitlines()[-1] == "suite: 3 skipped"


def test_ratings_and_labels_mixed(train: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "good,0.5,", "bad,,negative", "fine,0.2,", "sad,,negative", "hm,0,",
                 header="text,polarity,label")  # fmt: skip
    ran = train("--dev", file, data=file)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == (
        f"suite: {file}:3: some items have a polarity and some only a label; give all of them one kind"
    )


def test_a_table_without_the_column(train: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "good,positive", header="review,label")
    ran = train(data=file)
    assert (ran.code, ran.out) == (1, "")
    assert ran.error.startswith(f"suite: {file}:2: no column 'text' (the text); ")
    assert "--columns text=YOURS renames one" in ran.error


def test_somebody_elses_folder_is_found_out_before_the_work(train: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    ran = train("--out", "mine")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == "suite: mine: exists and is not a checkpoint; choose another --out"
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"
    assert train("--out", ".").error.endswith("exists and is not a checkpoint; choose another --out")


def test_a_full_disk_while_saving(train: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train("--out", "mine").code == 0
    before = contents(tmp_path / "mine")
    real = shutil.copyfile

    def full(source: Any, target: Any, **options: Any) -> Any:
        if Path(target).name == "model.safetensors":
            raise OSError(28, "No space left on device", str(target))
        return real(source, target, **options)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        ran = train("--out", "mine", "--overwrite", "--seed", "1")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].startswith("suite: cannot write mine: ")
    assert ran.err.splitlines()[-1].endswith("No space left on device; nothing was changed, make room")
    assert contents(tmp_path / "mine") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "mine.run"]
    # The training itself is not lost: it goes on where it stood, which is at its end.
    assert train("--out", "mine", "--overwrite", "--seed", "1", "--resume").code == 0
    assert contents(tmp_path / "mine") != before


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
@pytest.mark.parametrize("room", [2_000, 20_000])
def test_no_room_for_what_safetensors_writes(train: Cli, tmp_path: Path, room: int) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        ran = train("--out", "mine", epochs=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (ran.code, ran.out) == (1, "")
    last = ran.err.splitlines()[-1]
    assert last.startswith("suite: cannot write ")
    assert "File too large" in last
    assert not (tmp_path / "mine").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
