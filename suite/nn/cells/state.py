"""The state of a recurrent cell."""

from __future__ import annotations

from torch import Tensor

#: A flat dict of named arrays, batch first. The same shape serves ONNX inputs and outputs, the reordering of
#: rows in a search, and a session saved to a file.
State = dict[str, Tensor]
