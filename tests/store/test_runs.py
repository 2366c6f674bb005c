"""What a word finds in a folder of results, and the error where it finds nothing."""

from pathlib import Path

import pytest
from tunebench.errors import UserError
from tunebench.store.runs import find_run


def test_a_folder_without_a_run_has_no_names_to_suggest(tmp_path: Path) -> None:
    """`best` is no name either, where there is nothing to be the best of."""
    with pytest.raises(UserError) as raised:
        find_run(tmp_path, "sst2-lora-seed0-1f2e3d4c5b6a")
    assert str(raised.value) == (
        f"no run 'sst2-lora-seed0-1f2e3d4c5b6a': there is none in '{tmp_path}' yet, so run "
        "`tunebench compare` first"
    )
    with pytest.raises(UserError, match=r"^no comparison in '.*': run `tunebench compare` first$"):
        find_run(tmp_path, "best")
