"""Folders to write to that are links to nothing, or to themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tunebench.cli.places import folder_to_write, keep_inputs, made_folder
from tunebench.errors import UserError
from tunebench.tracking.address import locate


@pytest.mark.parametrize("ask", [folder_to_write, made_folder])
@pytest.mark.parametrize("target", ["itself", "nowhere"])
def test_a_link_that_leads_nowhere_is_named(
    ask: Callable[[str, str], Path], target: str, tmp_path: Path
) -> None:
    link = tmp_path / "itself"
    link.symlink_to(tmp_path / target)
    with pytest.raises(UserError, match=r"--out: '.*itself' is a link that leads nowhere"):
        ask(str(link), "--out")
    assert not (tmp_path / "nowhere").exists()


def test_a_link_to_itself_has_a_store_s_address_like_any_other_folder(tmp_path: Path) -> None:
    # It is asked for before anything is written.
    link = tmp_path / "itself"
    link.symlink_to(link)
    assert locate(None, link).file == link / "mlflow.db"


def test_what_is_read_is_not_written_over(tmp_path: Path) -> None:
    folder, other = tmp_path / "model", tmp_path / "other"
    for made in (folder / "deep", other):
        made.mkdir(parents=True)
    (folder / "deep" / "weights").write_text("w")
    (other / "file").write_text("f")
    (other / "link").symlink_to(folder / "deep" / "weights")
    for output in (folder, folder / "deep" / "weights", other / "file"):
        with pytest.raises(UserError, match=r"--out: .* would be written over"):
            keep_inputs(output, "--out", folder, other / "file")
    for output in (folder / "new", folder / "deep", other, other / "new"):
        keep_inputs(output, "--out", folder, other / "file", tmp_path / "gone")


def test_a_link_to_a_folder_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert made_folder(str(tmp_path / "link"), "--out") == tmp_path / "link"
