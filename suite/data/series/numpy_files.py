"""Recordings in NumPy files, ``.npy`` and ``.npz``."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from suite.data.series.base import Recording, as_array, checked_names, checked_rate
from suite.errors import DataError, one_line

# The largest array that is read from a compressed file: a small file must not unpack to more than a machine has.
MAX_ARRAY_BYTES = 2**31


def read_numpy(path: Path) -> Recording:
    """``x`` of an ``.npz``, or the array of an ``.npy``. Never unpickles."""
    try:
        if path.suffix.lower() == ".npy":
            return Recording(array=as_array(np.load(path, allow_pickle=False), str(path)), where=str(path))
        with zipfile.ZipFile(path) as archive:
            large = max((member.file_size for member in archive.infolist()), default=0)
        if large > MAX_ARRAY_BYTES:
            raise DataError(f"{path}: an array of {large:,} bytes in it; split the recording")
        with np.load(path, allow_pickle=False) as arrays:
            if "x" not in arrays.files:
                found = ", ".join(arrays.files) or "none"
                raise DataError(f"{path}: no array 'x' [T, C] in it (found: {found}); save it as x")
            array = as_array(arrays["x"], str(path))
            rate = arrays["rate"].astype(float).tolist() if "rate" in arrays.files else None
            names = arrays["channels"].tolist() if "channels" in arrays.files else []
    except (ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile) as error:
        what = "objects (a pickle), which are not read" if "pickle" in str(error).lower() else one_line(error)
        raise DataError(f"{path}: not an array of numbers: {what}; save x as numbers with numpy.savez") from None
    where = str(path)
    channels = checked_names(names, array, where)
    return Recording(array=array, rate=checked_rate(rate, where), channels=channels, where=where)
