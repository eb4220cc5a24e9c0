"""The reference that translation is compared with, and how both are trained for some minutes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformer
from torch.nn import functional
from transformer import Clock, Settings, TimeIsUp, Transformer, compare, count

from suite.decoding.beam_search import Beam, encode, search
from suite.runtime import carried
from suite.runtime.torch import TorchRuntime
from suite.training.loop import Progress, fit, learning_rate, start
from suite.training.objectives import unaligned
from suite.training.specs import TrainingSpec

START, END = 1, 2


def small(dropout: float = 0.0) -> Transformer:
    torch.manual_seed(0)
    return Transformer(12, width=16, feedforward=24, layers=2, heads=2, dropout=dropout)


SOURCES = [np.array(ids) for ids in ([3, 4, 5, END], [6, 7, 8, 9, 10, 11, END], [5, END])]


def test_it_has_as_many_parameters_as_it_is_asked_for() -> None:
    for parameters in (60_000, 100_000):
        model = Transformer.sized(parameters, vocabulary=512, width=32)
        assert count(model) == pytest.approx(parameters, rel=0.02)
    with pytest.raises(ValueError, match="too few for 3 layers of width 32"):
        Transformer.sized(20_000, vocabulary=512, width=32)


def test_writing_step_by_step_is_teacher_forcing() -> None:
    model = small().eval()
    runtime = TorchRuntime.of(model)
    tokens = np.array([[START, 4, 4, 9], [START, 7, 3, 5], [START, 2, 6, 8]])
    padded = torch.tensor([[*ids, *[0] * (7 - len(ids))] for ids in SOURCES])
    with torch.inference_mode():
        features = model(padded, torch.tensor([len(ids) for ids in SOURCES]), torch.from_numpy(tokens))
        wanted = functional.linear(features, *model.head).numpy()
    given, decoder = encode(runtime, SOURCES), runtime.graph("decoder")
    state = given.state
    for step in range(tokens.shape[1]):
        outputs = decoder({**state, **given.memory, "token": tokens[:, step]})
        np.testing.assert_allclose(outputs["logits"], wanted[:, step], atol=1e-4)
        state = carried(outputs)


def test_a_row_does_not_see_its_company_nor_what_comes_later() -> None:
    model = small().eval()
    tokens = torch.tensor([[START, 4, 4, 9]])
    source = torch.from_numpy(SOURCES[0])[None]
    with torch.inference_mode():
        alone = model(source, torch.tensor([4]), tokens)
        padded = functional.pad(source, (0, 3)).repeat(2, 1)
        together = model(padded, torch.tensor([4, 7]), tokens.repeat(2, 1))
        shorter = model(source, torch.tensor([4]), tokens[:, :2])
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(shorter, alone[:, :2], atol=1e-5, rtol=0)


def test_the_same_training_and_the_same_search_serve_it() -> None:
    model = small(dropout=0.1)
    targets = [[*ids[::-1][1:].tolist(), END] for ids in SOURCES]  # it learns to reverse
    spec = TrainingSpec(
        epochs=80, batch_tokens=100, lr=5e-3, patience=0, keep="last", ema=0, label_smoothing=0.1
    )  # fmt: skip
    objective = unaligned(SOURCES, [np.array(ids) for ids in targets], start=START, smoothing=0.1)
    fit(start(model, spec), objective, lambda: 0.0, spec, seed=0)
    runtime = TorchRuntime.of(model)
    for size in (1, 3):
        best = search(
            runtime.graph("decoder"), encode(runtime, SOURCES), start=START, end=END, limits=[20] * 3, beam=Beam(size)
        )  # fmt: skip
        assert [[*found[0].tokens, END] for found in best] == targets


def test_the_schedule_follows_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(transformer.time, "monotonic", lambda: now)
    clock, progress, spec = Clock(50.0), Progress(steps=10**6), TrainingSpec(lr=1.0, warmup=0.2)
    rates = []
    # Steps of a second, and from the half on of two.
    for step in range(1, 100):
        progress.step = step
        if step > 1:
            now += 1 if clock.used < 0.5 else 2
        if now >= 150:
            with pytest.raises(TimeIsUp):
                clock(progress)
            break
        clock(progress)
        rates.append((clock.used, learning_rate(spec, step, progress.steps)))
    assert step == 26 + 13
    assert clock.used >= 1
    for used, rate in rates[1:]:
        wanted = used / 0.2 if used < 0.2 else 0.5 * (1 + np.cos(np.pi * (used - 0.2) / 0.8))
        assert rate == pytest.approx(wanted, abs=0.12)
    assert rates[-1][1] < 0.03


def test_both_are_trained_and_judged(pairs: Path, tiny: tuple[str, ...]) -> None:
    settings = Settings(str(pairs), minutes=0.02, beam=1, lr=0.01, changes=tiny)
    found: dict[str, Any] = compare(settings)
    ours, theirs = found["ours"], found["transformer"]
    assert theirs["parameters"] == pytest.approx(ours["parameters"], rel=0.02)
    assert ours["lr"] == theirs["lr"] == 0.01
    for one in (ours, theirs):
        assert one["steps"] >= 2
        assert one["dev"] == one["test"]  # the same pairs
        assert one["dev"]["items"] == 10
    assert found["bleu_less_theirs"]["test"] == pytest.approx(ours["test"]["bleu"] - theirs["test"]["bleu"], abs=0.01)
    assert found["settings"]["minutes"] == 0.02


def test_without_data_it_says_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["transformer.py"])
    with pytest.raises(SystemExit, match="run suite data get translation first"):
        transformer.main()
