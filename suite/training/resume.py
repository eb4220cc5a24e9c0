"""A run on disk: tensors in safetensors, numbers in JSON, nothing pickled.

``DIR.run`` beside the checkpoint ``DIR`` holds what ``--resume`` needs: weights, their average, the best so
far, the optimiser's moments, the state of a batch that is half read, and where the run stands. Chance is a
function of seed and step, and needs no keeping. It may be deleted once the training is over.
"""

from __future__ import annotations

import dataclasses
import errno
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from suite.checkpoint import staging
from suite.errors import CheckpointError, one_line
from suite.training.loop import Progress, Run, weights_of

TENSORS, NUMBERS = "state.safetensors", "state.json"


def save_run(run: Run, folder: Path, identity: dict[str, Any], files: dict[str, bytes]) -> None:
    """Write the run whole, or leave the one before as it is.

    ``identity`` says which data and settings the run belongs to; ``files`` are the codecs'.
    """
    tensors = {f"model.{name}": value.detach() for name, value in run.model.state_dict().items()}
    tensors.update({f"average.{name}": value for name, value in run.average.items()})
    tensors.update({f"best.{name}": value for name, value in run.best.items()})
    for index, moments in run.optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{index}.{name}": value for name, value in moments.items()})
    tensors.update({f"carried.{name}": value for name, value in run.carried.items()})
    numbers = {
        "identity": identity, "progress": dataclasses.asdict(run.progress), "totals": run.totals,
        "carried": sorted(run.carried),
    }  # fmt: skip
    with staging(folder) as fresh:
        # Copies: safetensors refuses tensors that share memory, and best may alias the weights.
        try:
            save_file({name: value.clone().contiguous() for name, value in tensors.items()}, fresh / TENSORS)
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error), TENSORS) from error  # a full disk, like any other
        (fresh / NUMBERS).write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
        for name, content in files.items():
            (fresh / name).write_bytes(content)


def read_identity(folder: Path) -> dict[str, Any]:
    """Which data and settings a saved run belongs to. Raises CheckpointError where there is none."""
    if not (folder / NUMBERS).exists():
        raise CheckpointError(f"{folder}: no run to resume; start it without --resume")
    try:
        identity: dict[str, Any] = dict(json.loads((folder / NUMBERS).read_text(encoding="utf-8"))["identity"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / NUMBERS}: cannot be read ({one_line(error)}); start again") from error
    return identity


def load_run(run: Run, folder: Path) -> None:
    """Put a saved run into a fresh one of the same model and settings."""
    try:
        tensors = load_file(folder / TENSORS)
        numbers = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
        run.model.load_state_dict(_under(tensors, "model"))
        run.average, run.best = (_weights(run, _under(tensors, prefix)) for prefix in ("average", "best"))
        own = run.optimizer.state_dict()
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in _under(tensors, "optimizer").items():
            index, _, moment = name.partition(".")
            # The optimiser keeps the tensors it is given: each is its own copy.
            moments.setdefault(int(index), {})[moment] = value.clone()
        if len({frozenset(kept) for kept in moments.values()}) > 1:
            raise ValueError("some of the optimiser's moments are missing")
        run.optimizer.load_state_dict({**own, "state": moments})
        device = next(run.model.parameters()).device
        run.carried = {name: tensors[f"carried.{name}"].to(device) for name in numbers["carried"]}
        run.progress = Progress(**numbers["progress"])
        run.totals = numbers["totals"]
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: the saved run cannot be used ({one_line(error)}); start again") from error


def _weights(run: Run, kept: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A copy of the model's weights that was kept beside it: every weight must be there."""
    for name, own in weights_of(run.model).items():
        if kept[name].shape != own.shape:
            raise ValueError(f"{name} has another shape")
        kept[name] = kept[name].to(own.device)
    return kept


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {n[len(prefix) + 1 :]: value for n, value in tensors.items() if n.startswith(f"{prefix}.")}
