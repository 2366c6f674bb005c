"""Showing a folder without a comparison; the pages themselves are opened in `tests/ui`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tunebench.errors import UserError
from tunebench.tracking import serve


def test_showing_an_empty_folder_says_what_to_run_first(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `tunebench compare` first"):
        serve(None, tmp_path)
