"""What a backbone's own files say of its licence, and what the hub calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.exchange.base_model import hub_name, licence

from tests import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.make_folder(tmp_path_factory.mktemp("checkpoint") / "owner" / "tiny")


@pytest.mark.parametrize(
    ("card", "named"),
    [
        ("---\nlicense: mit\n---\n# A model\n", "mit"),
        ("---\nlicense: mit\n---\n# A model\n\n---\nBelow a rule.\n", "mit"),
        ("---\nlanguage: en\n---\nlicense: mit\n", ""),
        ("# A model under the MIT licence\n", ""),
        ("---\nlicense: [mit, apache-2.0]\n---\n", ""),
        ("---\nlicense: {\n---\n", ""),
        ("---\n- mit\n---\n", ""),
        ("---\nlicense: mit\n", ""),
    ],
)
def test_a_folder_names_its_licence_in_its_card_or_not_at_all(
    card: str, named: str, folder: Path
) -> None:
    (folder / "README.md").write_text(card)
    assert licence(Checkpoint.open(folder)) == named


def test_a_folder_without_a_card_names_none(folder: Path) -> None:
    (folder / "README.md").unlink(missing_ok=True)
    assert licence(Checkpoint.open(folder)) == ""


@pytest.mark.parametrize("name", ["minilm", "smollm2"])
def test_the_known_backbones_name_theirs(name: str) -> None:
    assert licence(Checkpoint.open(name)) == "apache-2.0"


def test_only_a_name_of_the_hub_is_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub_name("minilm") == "sentence-transformers/all-MiniLM-L6-v2"
    assert hub_name("owner/elsewhere") == "owner/elsewhere"
    monkeypatch.chdir(folder.parent.parent)
    assert hub_name("owner/tiny") == hub_name(str(folder)) == ""
