"""JSON, a line or a list of it."""

from __future__ import annotations

import sys
from typing import Any


def test_bad_lines_of_json(write: Any, problems: Any, fails: Any) -> None:
    deep = "[" * 200_000 if sys.version_info < (3, 12) else "[" * 20_000_000
    path = write(
        "x.jsonl",
        '{"text": "a"}\n{"text": }\n\n[1]\n"b"\nNaN\n{"n": NaN}\n{"t": "\\ud83d"}\n{"t": "\\ud83d\\ude00"}\n'
        f'{deep}\n{{"text": "z"}}\n',
    )
    rows, errors = problems(path)
    assert [(row.where, row.values) for row in rows] == [
        ("x.jsonl:1", {"text": "a"}),
        ("x.jsonl:9", {"t": "\U0001f600"}),
        ("x.jsonl:11", {"text": "z"}),
    ]
    starts = [error.split(";")[0] for error in errors]
    assert starts == [
        "x.jsonl:2: not JSON: expecting value at position 10",
        'x.jsonl:4: a list where an object is needed, like {"text": "…"}',
        'x.jsonl:5: a string where an object is needed, like {"text": "…"}',
        "x.jsonl:6: not JSON: NaN is not a JSON value",
        "x.jsonl:7: not JSON: NaN is not a JSON value",
        "x.jsonl:8: half of a surrogate pair in a string",
        starts[6],
    ]
    assert starts[6].startswith("x.jsonl:10: not JSON")
    assert fails(path).startswith("x.jsonl:2: not JSON")


def test_bad_json_lists(write: Any, problems: Any, fails: Any) -> None:
    assert fails(write("a.json", '{"text": "a"}')) == "a.json: an object where a list of objects is needed"
    assert "name it .jsonl" in fails(write("b.json", '{"text": "a"}\n{"text": "b"}\n'))
    assert fails(write("c.json", '[{"text": "a"},\n {"text" "b"}]')).startswith("c.json:2: not JSON: expecting ':'")
    rows, errors = problems(write("d.json", '[{"text": "a"}, 3, {"text": "b"}]'))
    assert [row.where for row in rows] == ["d.json[0]", "d.json[2]"]
    assert errors[0].startswith("d.json[1]: a number where")
