"""Names that labels are shown by."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.data.display_names import read_display_names
from suite.errors import DataError


def test_some_labels_have_names(tmp_path: Path) -> None:
    file = tmp_path / "names.json"
    file.write_text('\ufeff{"1": "circle"}')
    assert read_display_names(file, ["1", "2", "1"]) == {"1": "circle"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"), ("[1]", "not names by label"), ('{"1": 2}', "not names by label"),
        ('{"1": "a", "1": "b"}', "the label '1' is named twice"), ('{"3": "a"}', "no recording has the label '3'"),
        ('{"1": "2"}', "two labels would be shown as '2'"),
    ],
)  # fmt: skip
def test_names_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "names.json"
    file.write_text(text)
    with pytest.raises(DataError, match=said):
        read_display_names(file, ["1", "2"])
    with pytest.raises(DataError, match="give a JSON file of names by label"):
        read_display_names(tmp_path, ["1"])
