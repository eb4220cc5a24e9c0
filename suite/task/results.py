"""Results: what a task returns for one input, as frozen dataclasses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result for one input. A task subclasses it and adds its own fields.

    Attributes:
        input: What was given: a text, a path, or an index.
        final: Set only in a stream: False on an update, True on the last result.
        seconds: Set only when timing was asked for.
        optional: Names of the subclass's fields that ``to_dict`` leaves out while they are None.
    """

    input: Any
    final: bool | None = None
    seconds: float | None = None

    optional: ClassVar[tuple[str, ...]] = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, the same as ``--json`` prints; optional ones only if they are set."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        optional = ("final", "seconds", *self.optional)
        return {k: v for k, v in values.items() if v is not None or k not in optional}
