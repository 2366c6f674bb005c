"""The page that shows the whole idea runs, and stays a page."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tests import small

PAGE = Path(__file__).parents[2] / "experiments" / "plain_loop.py"


def test_the_plain_loop_trains_and_names_classes(tmp_path: Path) -> None:
    assert len(PAGE.read_text("utf-8").splitlines()) < 80
    spec = importlib.util.spec_from_file_location("plain_loop", PAGE)
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    folder = str(small.make_folder(tmp_path / "tiny"))
    texts = ["What a fine film.", "A dull, tired story."]
    classes, accuracy = page.run(texts, backbone=folder, epochs=1, examples=32, rank=2)
    assert len(classes) == 2
    assert set(classes) <= {"negative", "positive"}
    assert 0 <= accuracy <= 1
