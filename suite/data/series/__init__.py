"""Recordings and labelled series out of files.

A recording is float32 ``[T, C]``, time first, NaN where a value is missing (an empty field, ``?``, ``NaN`` or
``NA`` in text). By a file's ending:

==================  ========================================================================================
``.csv`` ``.tsv``   one row a sample, one column a channel; a first line of names is optional, and a column
                    called ``time`` (seconds) gives the sample rate
``.npz`` ``.npy``   ``x [T, C]`` or ``[T]``, optional ``rate`` (Hz) and ``channels``; the array alone
``.ts``             the format of the UCR and UEA archives, with or without labels; its header is checked
                    against what follows
``.csv`` ``.tsv``   labelled, long: ``series,time,label,<channel>…``, the rows of a series together; wide:
                    ``label,<t0>,<t1>…``, one channel, or the same without names (the archives' ``.tsv``)
``.jsonl`` …        one object a series: ``x``, ``label``, and optionally ``key``, ``rate``, ``channels``
a folder            one sub-folder a label, one recording a file; where no labels are asked for, a folder of
                    recordings
==================  ========================================================================================
"""

from suite.data.series.base import Array, LabelledSeries, Recording, as_array, content_key, parse_number, rate_of
from suite.data.series.reader import open_recording, read_labelled, read_recording, read_recordings
from suite.data.series.tables import is_header, split_fields

__all__ = [
    "Array",
    "LabelledSeries",
    "Recording",
    "as_array",
    "content_key",
    "is_header",
    "open_recording",
    "parse_number",
    "rate_of",
    "read_labelled",
    "read_recording",
    "read_recordings",
    "split_fields",
]
