"""The scripts in ``examples/`` run as they are."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "assets"


def run(place: Path, script: str, *arguments: str | Path) -> str:
    command = [sys.executable, str(ROOT / "examples" / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_script_is_tested() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    for script in (ROOT / "examples").glob("*.py"):
        assert f'"{script.name}"' in text, script.name
        assert script.name in (ROOT / "examples" / "README.md").read_text(encoding="utf-8"), script.name


def test_a_recording_is_transcribed_as_if_it_were_spoken(tmp_path: Path) -> None:
    out = run(tmp_path, "stream_microphone.py", "--wav", ASSETS / "speech" / "samples" / "agent-pass.wav")
    assert out.splitlines()[0].startswith("… ")
    assert out.splitlines()[-1] == "please enter your password followed by the pound key"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_is_predicted_with_gaps_for_bad_rows(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"texts.{kind}"
    if kind == "csv":
        file.write_text("text,n\nWhat a lovely day,1\n,2\nIt is awful,3\n", encoding="utf-8")
    else:
        texts = ["What a lovely day", "", "It is awful"]
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table({"text": texts}), file)
    run(tmp_path, "predict_parquet.py", file, "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row and row["label"] for row in rows] == ["positive", None, "negative"]


def test_a_shipped_model_is_trained_further(tmp_path: Path) -> None:
    out = run(tmp_path, "finetune_csv.py", ASSETS / "sentiment" / "samples" / "labelled.csv", "--epochs", "1")
    assert "weights from" in out
    assert (tmp_path / "my-sentiment" / "suite.json").exists()


def test_a_cell_of_ones_own_is_checked_and_trained(tmp_path: Path) -> None:
    out = run(tmp_path, "write_a_cell.py").splitlines()
    assert out[0] == "every law of a cell holds"
    assert out[-1] in ("positive", "neutral", "negative")


def test_a_session_survives_a_reconnect(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "serve_sessions.py"), "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().rpartition(":")[2])

            def talk(data: bytes) -> list[str]:
                with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                    received = b"".join(iter(lambda: connection.recv(65536), b""))
                return [json.loads(line)["input"] for line in received.splitlines()]

            assert talk(b"RESUME one\nWhat a lov") == ["What", "a"]
            for _ in range(100):
                if (tmp_path / "sessions" / "one.session").exists():
                    break
                time.sleep(0.05)
            assert talk(b"RESUME one\nely day ") == ["lovely", "day"]
            assert talk(b"Another one.\n") == ["Another", "one.", "one."]
        finally:
            server.terminate()
