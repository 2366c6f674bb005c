"""What made a record: which changes of code, packages and device are seen, and which are not."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest
import torch
from tunebench import methods
from tunebench.methods import get_method
from tunebench.objectives import get_objective
from tunebench.training import origin as module
from tunebench.training.origin import DEVICE, METHOD_CODE, differences, origin

CPU = torch.device("cpu")
METHOD = '''
"""A method of somebody's own."""

from dataclasses import dataclass

from ._shared_by_toys import count
from .base import Method


@dataclass(eq=False)
class Toy(Method):
    """Trains nothing."""

    def trainable(self, cfg):
        return count()


METHOD = Toy
'''


def of(name: str) -> dict[str, str]:
    return dict(origin(get_method(name), get_objective("classification"), CPU))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of methods beside ours, with a file that they share."""
    (tmp_path / "toy_origin.py").write_text(METHOD)
    (tmp_path / "_shared_by_toys.py").write_text("def count():\n    return 0\n")
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    return tmp_path


def test_methods_share_all_but_their_own_code() -> None:
    lora, head = of("lora"), of("head")
    assert differences(lora, head) == ("another state of the method code",)
    assert lora[DEVICE] == "cpu"
    assert lora["torch"] == torch.__version__
    assert differences(lora, of("lora")) == ()


def test_an_edit_of_a_method_or_of_what_it_imports_is_seen_and_a_comment_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = of("toy_origin")[METHOD_CODE]
    for name, changed in (("toy_origin.py", False), ("_shared_by_toys.py", True)):
        path = folder / name
        text = path.read_text()
        path.write_text(f'# A remark.\n"""Another docstring."""\n\n\n{text.strip()}  # more\n')
        assert of("toy_origin")[METHOD_CODE] == before, name
        path.write_text(text.replace("return 0", "return 1"))
        assert (of("toy_origin")[METHOD_CODE] != before) == changed, name


def test_every_file_that_decides_is_there_and_the_report_is_none_of_them() -> None:
    names = [path.relative_to(module.ROOT).as_posix() for path in module._deciding_files()]
    assert {name.partition("/")[0] for name in names} == {
        "backbone",
        "checkpoints",
        "data",
        "kernels",
        "measure",
        "objectives",
        "study",
        "training",
    }
    assert len(names) == len(set(names)) > 50
    assert all((module.ROOT / name).is_file() for name in names)


def test_a_syntax_tree_is_plain_whatever_is_empty_or_said_for_readers() -> None:
    one = ast.parse('def f(x):\n    """Doc."""\n    return x + 1  # more\n')
    other = ast.parse("def f(x): return (x+1)")
    changed = ast.parse("def f(x): return x + 2")
    assert module._plain(one) == module._plain(other) != module._plain(changed)


def test_what_changed_is_said() -> None:
    today = of("lora")
    made = {**today, "torch": "1.0", DEVICE: "NVIDIA H100"}
    assert differences(made, today) == (
        f"torch 1.0 instead of {torch.__version__}",
        "device NVIDIA H100 instead of cpu",
    )
    assert "torch unknown instead of" in differences({}, today)[1]
