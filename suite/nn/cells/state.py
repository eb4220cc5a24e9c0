"""The state of a recurrent cell."""

from __future__ import annotations

from torch import Tensor

#: A flat dict of named arrays, batch first. ONNX inputs and outputs, beam search, which reorders rows, and saved
#: sessions all use this form.
State = dict[str, Tensor]
