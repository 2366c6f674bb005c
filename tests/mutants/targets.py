"""Which files are mutated, and which tests should kill a slip in each.

A file's own tests come first, by the mirror of the source; then the other fast tests of its room,
and those of other rooms that are named here.
"""

from __future__ import annotations

from pathlib import Path

ROOMS = ("methods", "training", "measure", "objectives", "data", "study", "analysis")
"""The rooms of the source whose files are mutated."""
NEAREST = {
    "src/analysis": ("tests/analysis",),
    "src/data/digest.py": ("tests/data/test_load.py",),
    "src/data/labels.py": ("tests/data/test_table.py", "tests/data/test_load.py"),
    "src/data/official.py": ("tests/data/test_glue.py",),
    "src/data/own_file.py": ("tests/data/test_table.py", "tests/data/test_load.py"),
    "src/data/pocket": ("tests/data/test_pocket.py",),
    "src/data/text": ("tests/data/text",),
    "src/methods/_measured.py": ("tests/test_methods_page.py",),
    "src/methods/_settings.py": ("tests/methods/test_catalogue.py",),
    "src/methods/p_tuning.py": ("tests/methods/test_prompt.py", "tests/methods/test_virtual.py"),
    "src/methods/p_tuning_v2.py": ("tests/methods/test_prefix.py",),
    "src/methods": ("tests/methods/test_base.py", "tests/methods/test_methods.py"),
    "src/objectives": ("tests/objectives", "tests/study/test_several_labels.py"),
    "src/study": ("tests/study/test_once.py", "tests/study/test_compare.py"),
    "src/training/adapter_file.py": ("tests/training/test_predictor.py",),
    "src/training": ("tests/training/test_classifier.py", "tests/study/test_once.py"),
}
"""The tests of files that have none of their own, by the folder or the file, first fit."""
ALSO = {
    "src/analysis": ("tests/report",),
    "src/measure": ("tests/study/test_once.py",),
    "src/objectives": (
        "tests/parity/test_metrics.py",
        "tests/training",
        "tests/study/test_several_labels.py",
        "tests/study/test_once.py",
    ),
    "src/methods": ("tests/test_methods_page.py", "tests/exchange/test_importing.py"),
    "src/training": ("tests/study/test_once.py", "tests/study/test_several_labels.py"),
}
"""Tests of other rooms, by the folder or the file whose slips they should notice."""


def files(root: Path) -> list[str]:
    """Every file that may be mutated, relative to the root."""
    paths = [path for room in ROOMS for path in sorted((root / "src" / room).rglob("*.py"))]
    return [str(path.relative_to(root)) for path in paths]


def stages(root: Path, file: str) -> list[tuple[str, ...]]:
    """The tests of a file, nearest first: what the first leave is tried with the second.

    Args:
        root: The project's root.
        file: The mutated file, relative to the root.
    """
    path = Path(file)
    folder = Path("tests", *path.parent.parts[1:])
    names = {f"test_{path.stem}.py", f"test_{path.stem.strip('_')}.py"}
    nearest = tuple(str(folder / name) for name in sorted(names) if (root / folder / name).exists())
    if not nearest:
        nearest = next((t for place, t in NEAREST.items() if file.startswith(place)), ())
    room = folder if (root / folder).exists() else Path(*folder.parts[:2])
    named = [tests for place, tests in ALSO.items() if file.startswith(place)]
    further = (str(room), *(test for tests in named for test in tests))
    return [nearest, further] if nearest else [further]
