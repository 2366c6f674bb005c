"""Which addresses are taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from tunebench.errors import UserError
from tunebench.tracking import Tracker


@pytest.mark.parametrize("uri", ["nowhere", "file:///tmp/x", "htp://host", "./mlruns"])
def test_an_address_that_mlflow_cannot_write_to_is_refused_at_once(uri: str, out: Path) -> None:
    with pytest.raises(UserError, match="must begin with one of databricks://, http://"):
        Tracker(uri, out)
