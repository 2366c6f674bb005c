"""What a column of labels means, asked of the rule itself; whole files are in test_table.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from tunebench.data.labels import decide
from tunebench.data.own_file import read_table
from tunebench.errors import UserError


@pytest.mark.parametrize("single", [1, 5, 6])
def test_at_most_five_of_the_classes_with_one_row_are_named(tmp_path: Path, single: int) -> None:
    labels = ["often", "often", *(f"only{n}" for n in range(single))]
    path = tmp_path / "file.tsv"
    path.write_text("\n".join(["text\tlabel", *(f"a text\t{label}" for label in labels)]))
    with pytest.raises(UserError) as error:
        decide(read_table(path), "label", labels)
    named = [f"'only{n}'" for n in range(min(single, 5))] + ["…"] * (single > 5)
    assert str(error.value).endswith(f" {single} of {single + 1} have one: {', '.join(named)}")
