"""Lines out of a byte stream, one at a time, each with where it is; and what is not UTF-8 text at all."""

from __future__ import annotations

import codecs
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import IO

from suite.errors import DataError

# The longest line, and the longest quoted CSV row, that is held in memory. Anything longer is a mistake: a
# file of another kind, or a quote that is never closed.
MAX_LINE = 64 * 2**20
SNIFF_BYTES = 8192

# First bytes of what people most often pass by mistake.
MAGIC = {
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "a ZIP archive or an office document; unpack it, or export it as CSV",
    b"\x1f\x8b": "gzip-compressed; unpack it first",
    b"BZh": "bzip2-compressed; unpack it first",
    b"\xfd7zXZ\x00": "xz-compressed; unpack it first",
    b"\x28\xb5\x2f\xfd": "zstd-compressed; unpack it first",
    b"\xd0\xcf\x11\xe0": "an old office document; export it as CSV",
    b"\x89PNG": "a PNG image; is it the right file?",
    b"\xff\xd8\xff": "a JPEG image; is it the right file?",
    b"GIF8": "a GIF image; is it the right file?",
    b"%PDF-": "a PDF document; is it the right file?",
    b"RIFF": "an audio or video file (RIFF); is it the right file?",
    b"OggS": "an audio file (Ogg); is it the right file?",
    b"fLaC": "an audio file (FLAC); is it the right file?",
    b"PAR1": "a Parquet file; name it .parquet, or give the format parquet",
    b"\x93NUMPY": "a NumPy array; is it the right file?",
    b"SQLite format 3\x00": "an SQLite database; is it the right file?",
    b"\x7fELF": "a program; is it the right file?",
}
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\v\b\x1b")

#: Gets the error of a bad line, and raises it or lets reading go on.
OnError = Callable[[DataError], None]


def byte_lines(stream: IO[bytes], name: str, report: OnError) -> Iterator[tuple[str, bytes]]:
    """(``name:number``, line with its newline). A line over the limit is reported and skipped.

    Raises DataError for a stream that is empty, binary, or text of another encoding.
    """
    first = stream.readline(MAX_LINE + 1)
    _check(first, stream, name)
    rest = iter(functools.partial(stream.readline, MAX_LINE + 1), b"")
    for number, line in enumerate(itertools.chain([first.removeprefix(codecs.BOM_UTF8)], rest), 1):
        where = f"{name}:{number}"
        if len(line) > MAX_LINE:
            while (more := stream.readline(MAX_LINE)) and not more.endswith(b"\n"):
                pass
            report(DataError(f"{where}: a line of more than {MAX_LINE >> 20} MiB; is this the right format?"))
            continue
        yield where, line


def text_lines(stream: IO[bytes], name: str, report: OnError) -> Iterator[tuple[str, str]]:
    """(``name:number``, text without the line end) of every line that is sound."""
    for where, line in byte_lines(stream, name, report):
        text = decode_line(line, where, report)
        if text is not None:
            yield where, text.removesuffix("\n").removesuffix("\r")


def decode_line(line: bytes, where: str, report: OnError) -> str | None:
    """The line as text; None, after a report, where it is not UTF-8 or holds a NUL."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        byte, at = line[error.start], error.start + 1
        report(DataError(f"{where}: not UTF-8 (byte 0x{byte:02X} at position {at}); save the file as UTF-8"))
        return None
    if "\0" in text:
        report(DataError(f"{where}: a NUL character at position {text.index(chr(0)) + 1}; remove it"))
        return None
    return text


def _check(first: bytes, stream: IO[bytes], name: str) -> None:
    """Raise DataError where the first line says that this is no text, whatever comes later."""
    if not first:
        raise DataError(f"{name}: empty; is it the right file?")
    head = first[:SNIFF_BYTES]
    # Looking further ahead than the first line would keep a person at a terminal, or a pipe, waiting.
    if len(first) < SNIFF_BYTES and stream.seekable():
        at = stream.tell()
        head += stream.read(SNIFF_BYTES - len(first))
        stream.seek(at)
    controls = len(head) - len(head.translate(None, _CONTROLS))
    try:
        codecs.utf_8_decode(head, "strict", False)  # the piece may end within a character
        if not controls:
            return
    except UnicodeDecodeError:
        pass
    # Only now: some of these are plain letters, and a text may begin with them.
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            raise DataError(f"{name}: not UTF-8 text but {what}")
    # A few control characters or wrong bytes are slips, for their lines to report.
    if controls * 50 > len(head):
        raise DataError(f"{name}: not UTF-8 text but binary data or UTF-16; is it the right file?")
