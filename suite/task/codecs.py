"""The pair of codecs of a checkpoint, typed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from suite.codecs import InputCodec, TargetCodec

In = TypeVar("In", bound=InputCodec)
Target = TypeVar("Target", bound=TargetCodec)


@dataclass(frozen=True)
class Codecs(Generic[In, Target]):
    """``input`` turns what a user gives into arrays; ``target`` turns what the model learns into arrays and back."""

    input: In
    target: Target

    def files(self) -> dict[str, bytes]:
        """Both codecs as a checkpoint's files (name → bytes)."""
        return {**self.input.files(), **self.target.files()}

    def replace(self, **changes: Any) -> Self:
        """A copy with another ``input`` or ``target``."""
        return dataclasses.replace(self, **changes)
