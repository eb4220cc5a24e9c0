"""Our translation model beside a Transformer of as many parameters, on the same pairs for the same minutes.

``python tests/benchmarks/transformer.py [--minutes 30] [--threads 1]``

Both are trained by ``suite.training.loop`` from the same sub-words, on the same batches, with the same loss, half
precision, optimiser and averaged weights, and both are judged by the same search. What differs is the model and its
learning rate. The minutes are those of training alone, and the schedule follows them: a model whose steps are slower
takes fewer, and its learning rate ends at zero all the same. Side by side, a process each, both have the same machine.

The learning rate of the reference is what it is given (``--lr``), to be chosen on dev; the test part is for the figure.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from suite_translation import Translation, TranslationCodecs, TranslationConfig
from torch import Tensor, nn
from torch.nn import functional

from suite import config as configs
from suite.datasets.recipes import find_prepared
from suite.inference.evaluation import evaluate
from suite.inference.model import LoadedModel
from suite.nn.cells.masking import length_mask
from suite.nn.models import Graph, Model, Tensors
from suite.plugins import registry
from suite.runtime.torch import TorchRuntime
from suite.task import Example
from suite.task.reading import read_examples
from suite.training.distributed import Processes
from suite.training.loop import Progress, averaged, fit, start
from suite.training.objectives import plan, unaligned

RESULT = Path(__file__).parents[2] / "docs" / "transformer.json"
KINDS = ("ours", "transformer")
#: More tokens of both sides a second than any machine will train on.
FASTEST = 100_000


@dataclass(frozen=True)
class Settings:
    """What is compared. ``pairs`` and ``items`` keep to the first so many of the train part, and of dev and test.

    ``lr`` and ``warmup`` are the Transformer's; ours are those of the task's configuration, which ``changes``
    (``"encoder.hidden=8"``) alter for both where they share it.
    """

    folder: str
    minutes: float = 30.0
    threads: int = 1
    beam: int = 5
    pairs: int | None = None
    items: int | None = None
    # Its loss falls faster with 2e-3 than with 1e-3, from the first hundred steps on.
    lr: float = 2e-3
    warmup: float = 0.1
    in_turn: bool = False
    changes: tuple[str, ...] = ()


# --- the reference --------------------------------------------------------------------------------------------


class Transformer(Model):
    """torch's Transformer, with layers that are normalised first (Xiong et al., 2020, arXiv:2002.04745).

    One table of vectors for what is read, what is written and the outputs; positions are sines (Vaswani et al., 2017,
    arXiv:1706.03762). It has the face of `suite.nn.models.Unaligned`, so that the same objective trains it and the
    same search writes with it.

    Of the graphs, ``encoder`` gives each decoder layer's keys and values of the memory; ``decoder`` writes a token,
    and its state ``past [B, T, L, 2, D]`` is the keys and values of what is written, one step longer each time.
    """

    def __init__(
        self, vocabulary: int, width: int, feedforward: int, layers: int = 3, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__()
        sizes: dict[str, Any] = {
            "d_model": width, "nhead": heads, "dim_feedforward": feedforward, "dropout": dropout,
            "batch_first": True, "norm_first": True,
        }  # fmt: skip
        encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**sizes), layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**sizes), layers, nn.LayerNorm(width))
        self.table = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.body = nn.Transformer(width, heads, custom_encoder=encoder, custom_decoder=decoder, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.dropout = nn.Dropout(dropout)
        self.width, self.heads = width, heads

    @classmethod
    def sized(cls, parameters: int, vocabulary: int, width: int, layers: int = 3, **more: Any) -> Transformer:
        """One of ``parameters`` parameters, within what a unit of its feed-forward layers has."""
        least = count(cls(vocabulary, width, 1, layers, **more))
        units = 1 + round((parameters - least) / (2 * layers * (2 * width + 1)))
        if units < 1:
            raise ValueError(f"{parameters:,} parameters are too few for {layers} layers of width {width}: take fewer")
        return cls(vocabulary, width, units, layers, **more)

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        """What makes logits of features: weight ``[V, D]`` and bias ``[V]``."""
        return self.table.weight, self.bias

    def embedded(self, tokens: Tensor, begin: int = 0) -> Tensor:
        """Tokens ``[B, T]``, the first at place ``begin``, to vectors ``[B, T, D]``."""
        place = torch.arange(begin, begin + tokens.shape[1], device=tokens.device)[:, None]
        rate = torch.exp(torch.arange(0, self.width, 2, device=tokens.device) * (-math.log(10_000) / self.width))
        waves = torch.stack([(place * rate).sin(), (place * rate).cos()], dim=2).flatten(1)
        x: Tensor = self.dropout(self.table(tokens) * self.width**0.5 + waves)
        return x

    def forward(self, inputs: Tensor, lengths: Tensor, tokens: Tensor) -> Tensor:
        """Teacher forcing: the features ``[B, T, D]`` of each step, from the tokens before it."""
        steps, outside = tokens.shape[1], ~length_mask(lengths, inputs.shape[1])
        ahead = torch.ones(steps, steps, dtype=torch.bool, device=tokens.device).triu(1)
        features: Tensor = self.body(
            self.embedded(inputs), self.embedded(tokens), tgt_mask=ahead, tgt_is_causal=True,
            src_key_padding_mask=outside, memory_key_padding_mask=outside,
        )  # fmt: skip
        return features

    def graphs(self) -> dict[str, Graph]:
        layers: Any = self.body.decoder.layers

        def encode(arrays: Tensors) -> Tensors:
            inside = length_mask(arrays["lengths"], arrays["inputs"].shape[1])
            y = self.body.encoder(self.embedded(arrays["inputs"]), src_key_padding_mask=~inside)
            across = torch.stack([_projected(layer.multihead_attn, y, 1).unflatten(2, (2, -1)) for layer in layers], 2)
            return {"memory.across": across, "memory.mask": inside, "start.past": across[:, :0]}

        def decode(arrays: Tensors) -> Tensors:
            past, across, mask = arrays["state.past"], arrays["memory.across"], arrays["memory.mask"]
            x, after = self.embedded(arrays["token"][:, None], past.shape[1]), []
            for number, layer in enumerate(layers):
                y = layer.norm1(x)
                own = torch.cat([past[:, :, number], _projected(layer.self_attn, y, 1).unflatten(2, (2, -1))], dim=1)
                x = x + self._found(layer.self_attn, y, own)
                x = x + self._found(layer.multihead_attn, layer.norm2(x), across[:, :, number], mask)
                x = x + layer.linear2(layer.activation(layer.linear1(layer.norm3(x))))
                after.append(own)
            features = self.body.decoder.norm(x)[:, 0]
            return {"logits": functional.linear(features, *self.head), "next.past": torch.stack(after, dim=2)}

        token = torch.zeros(2, dtype=torch.int64, device=self.bias.device)
        across = self.bias.new_zeros(2, 2, len(layers), 2, self.width)
        memory = {"memory.across": across, "memory.mask": across[:, :, 0, 0, 0] == 0}
        read = {"inputs": token[:, None].repeat(1, 2), "lengths": token + 2}
        names = {name: {0: "batch"} for name in ("memory.across", "memory.mask", "start.past", "logits", "next.past")}
        written = {"token": token, "state.past": across[:, :0], **memory}
        return {"encoder": Graph(encode, read, names), "decoder": Graph(decode, written, names)}

    def _found(self, attention: nn.MultiheadAttention, y: Tensor, there: Tensor, mask: Tensor | None = None) -> Tensor:
        """What one step ``y [B, 1, D]`` finds among keys and values ``[B, T, 2, D]``."""
        parts = (_projected(attention, y, 0, 1), there[:, :, 0], there[:, :, 1])
        query, keys, values = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        allowed = None if mask is None else mask[:, None, None, :]
        found = functional.scaled_dot_product_attention(query, keys, values, attn_mask=allowed)
        x: Tensor = attention.out_proj(found.transpose(1, 2).flatten(2))
        return x


def _projected(attention: nn.MultiheadAttention, y: Tensor, begin: int, end: int = 3) -> Tensor:
    """Of queries, keys and values, those from ``begin`` to ``end``, beside each other."""
    rows = slice(begin * attention.embed_dim, end * attention.embed_dim)
    return functional.linear(y, attention.in_proj_weight[rows], attention.in_proj_bias[rows])


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


# --- training for some minutes --------------------------------------------------------------------------------


class TimeIsUp(Exception):
    """The minutes of training are over."""


class Clock:
    """A ``report`` of `fit`: it ends training after so many seconds, and has the schedule follow them.

    The learning rate of a step depends on how many there will be in all. That is reckoned anew after every step,
    from the time that those before it took. So such a run cannot be repeated exactly, nor resumed.
    """

    def __init__(self, seconds: float, say: Callable[[str], None] = lambda line: None) -> None:
        self.seconds, self.say = seconds, say
        self.began = self.spoke = self.used = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        # The first step, in which torch warms up, is nobody's time.
        self.began = self.began or now
        self.used = (now - self.began) / self.seconds
        if self.used >= 1:
            raise TimeIsUp
        if self.used:
            progress.steps = max(progress.step + 1, round(progress.step / self.used))
        if now - self.spoke >= 60:
            self.spoke = now
            self.say(f"{self.used:4.0%}  step {progress.step:,}  loss {progress.loss:.3f}")


def trained(kind: str, settings: Settings) -> dict[str, Any]:
    """One of ``KINDS``, trained in this process, and its figures on dev and test."""
    # accelerate takes it from here, once a process.
    os.environ["ACCELERATE_MIXED_PRECISION"] = "bf16"
    torch.set_num_threads(settings.threads)
    processes = Processes()
    task = Translation()
    config = configs.override(task.config(), settings.changes)
    parts = {
        name: list(read_examples(task, [Path(settings.folder) / f"{name}.jsonl"]))[:most]
        for name, most in (("train", settings.pairs), ("dev", settings.items), ("test", settings.items))
    }
    examples = parts["train"]
    codecs = task.fit_codecs(examples, config)
    inputs = [codecs.input.encode(example.input) for example in examples]
    targets = codecs.target.encode([example.target for example in examples])

    torch.manual_seed(0)
    model: Any = task.build_model(config, codecs)
    spec = dataclasses.replace(config.training, patience=0, keep="last")
    if kind == "transformer":
        model = Transformer.sized(count(model), codecs.input.size, config.embedding.features)
        spec = dataclasses.replace(spec, lr=settings.lr, warmup=settings.warmup)
    tokens = sum(map(len, inputs)) + sum(map(len, targets))
    spec = dataclasses.replace(spec, epochs=1 + math.ceil(settings.minutes * 60 * FASTEST / tokens))
    objective = unaligned(
        inputs, targets, start=codecs.target.start, smoothing=spec.label_smoothing,
        vary=varied(task, config, codecs, examples),
    )  # fmt: skip
    clock = Clock(60 * settings.minutes, partial(_say, kind))
    clock.say(f"{count(model):,} parameters; {processes}")
    run = start(model.to(processes.device), spec)
    with contextlib.suppress(TimeIsUp):
        fit(run, objective, lambda: 0.0, spec, seed=0, report=clock, processes=processes)
    if clock.used < 1:
        raise RuntimeError(f"{spec.epochs} epochs were over before the time was: raise FASTEST")

    figures: dict[str, Any] = {
        "parameters": count(model), "lr": spec.lr, "warmup": spec.warmup, "steps": run.progress.step,
        "passes": run.progress.step / len(plan(objective.lengths, spec, 0, 0)), "loss": run.progress.loss,
    }  # fmt: skip
    with averaged(run, spec):
        loaded = LoadedModel(task, codecs, TorchRuntime.of(model))
        for name in ("dev", "test"):
            judged, _, _ = evaluate(loaded, parts[name], beam=settings.beam)
            figures[name] = {key: judged[key] for key in ("items", "bleu", "chrf")}
            clock.say(f"{name} {figures[name]}")
    return figures


def varied(
    task: Translation, config: TranslationConfig, codecs: TranslationCodecs, examples: Sequence[Example]
) -> Callable[..., Any] | None:
    """Pairs with other sub-words each time, where the configuration asks for them."""
    if not config.subwords.dropout:
        return None
    return lambda i, random: task.augment(examples[i].input, examples[i].target, config, random, codecs)


def _say(kind: str, line: str) -> None:
    print(f"{kind:<12} {line}", file=sys.stderr, flush=True)


# --- the two of them ------------------------------------------------------------------------------------------


def compare(settings: Settings) -> dict[str, Any]:
    """The figures of both, and BLEU of ours less that of the Transformer."""
    spawned = multiprocessing.get_context("spawn")
    # A process each in turn, too: what one leaves behind would be in the other's way.
    with ProcessPoolExecutor(1 if settings.in_turn else 2, mp_context=spawned, max_tasks_per_child=1) as pool:
        found = dict(zip(KINDS, pool.map(trained, KINDS, [settings] * 2), strict=True))
    less = {
        name: round(found["ours"][name]["bleu"] - found["transformer"][name]["bleu"], 2) for name in ("dev", "test")
    }
    shown = {key: value for key, value in dataclasses.asdict(settings).items() if key != "folder"}
    return {
        "bleu_less_theirs": less, **found, "settings": shown, "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("sequence-suite", "torch", "numpy", "tokenizers", "sacrebleu")},
    }  # fmt: skip


def main() -> None:
    default = Settings(folder="")
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=default.minutes, help="of training, each")
    parser.add_argument("--threads", type=int, default=default.threads, help="each")
    parser.add_argument("--in-turn", action="store_true", help="one after the other, not side by side")
    parser.add_argument("--beam", type=int, default=default.beam, help="1 is greedy")
    parser.add_argument("--lr", type=float, default=default.lr, help="of the Transformer")
    parser.add_argument("--warmup", type=float, default=default.warmup, help="of the Transformer, a share of the time")
    parser.add_argument("--set", action="append", default=[], dest="changes", help="a setting of the task, for both")
    parser.add_argument("--data", help="a folder with train, dev and test.jsonl (default: that of suite data get)")
    parser.add_argument("--pairs", type=int, help="train on the first so many only")
    parser.add_argument("--items", type=int, help="judge by the first so many of dev and test only")
    parser.add_argument("--out", type=Path, default=RESULT, help=f"default: docs/{RESULT.name}")
    given = vars(parser.parse_args())
    out, folder, changes = given.pop("out"), given.pop("data"), tuple(given.pop("changes"))
    if folder is None:
        recipe = registry().task("translation").recipe
        assert recipe is not None
        folder = find_prepared("translation", recipe())
        if folder is None:
            raise SystemExit("transformer: run suite data get translation first")
    result = compare(Settings(folder=str(folder), changes=changes, **given))
    text = json.dumps(result, indent=1)
    print(text)
    out.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
