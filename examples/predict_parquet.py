"""Predict a column of a file (Parquet, CSV, JSON lines, …) in batches, and write the results as JSON lines."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import suite
from suite.data.readers import read_rows


def texts(path: Path, column: str) -> Iterator[str]:
    """The column, row by row: a file larger than memory is fine."""
    return (row.values[column] for row in read_rows(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--column", default="text")
    arguments = parser.parse_args()
    classify = suite.pipeline("sentiment")
    with arguments.output.open("w", encoding="utf-8") as output:
        # An iterator in, an iterator out; what cannot be read leaves a gap, so that rows stay aligned.
        for result in classify(texts(arguments.input, arguments.column), batch_size=64, on_error="none"):
            output.write(json.dumps(None if result is None else result.to_dict(), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
