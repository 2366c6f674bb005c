"""Which files are mutated, and which tests should kill a slip in each.

A file's own tests come first, by the mirror of the source; then the other fast tests of its room,
and those of other rooms that are named here; then all others. Of all these, those are run that run
the statement with the slip.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.mutants.mutations import Mutation
from tests.mutants.reached import Reach, is_in_function, statement

ROOMS = (
    *("methods", "training", "measure", "objectives", "data", "study", "analysis"),
    *("costs", "retention", "store", "report", "tracking", "exchange", "cli", "kernels"),
)
"""The rooms of the source whose files are mutated."""
NEAREST = {
    "src/analysis/advice.py": ("tests/analysis/test_adviser.py",),
    "src/analysis/budgets.py": ("tests/analysis/test_studies.py",),
    "src/analysis/choices.py": ("tests/analysis/test_adviser.py",),
    "src/analysis/preference.py": ("tests/analysis/test_adviser.py",),
    "src/analysis/studies.py": ("tests/analysis/test_summary.py",),
    "src/analysis": ("tests/analysis",),
    "src/data/digest.py": ("tests/data/test_load.py",),
    "src/data/labels.py": ("tests/data/test_table.py", "tests/data/test_load.py"),
    "src/data/official.py": ("tests/data/test_glue.py",),
    "src/data/own_file.py": ("tests/data/test_table.py", "tests/data/test_load.py"),
    "src/data/pocket": ("tests/data/test_pocket.py",),
    "src/data/text": ("tests/data/text",),
    "src/cli/comparing.py": ("tests/study/test_compare.py", "tests/study/test_tune.py"),
    "src/cli/latency_table.py": ("tests/cli/test_latency.py",),
    "src/methods/_fold.py": ("tests/study/test_serving.py",),
    "src/methods/_measured.py": ("tests/test_methods_page.py",),
    "src/methods/_metadata.py": ("tests/methods/test_base.py",),
    "src/methods/_saved.py": ("tests/methods/test_base.py", "tests/cli/test_generating.py"),
    "src/methods/_settings.py": ("tests/methods/test_catalogue.py",),
    "src/methods/_virtual.py": ("tests/methods/test_prefix.py",),
    "src/methods/p_tuning.py": ("tests/methods/test_prompt.py", "tests/methods/test_virtual.py"),
    "src/methods/p_tuning_v2.py": ("tests/methods/test_prefix.py",),
    "src/methods": ("tests/methods/test_base.py", "tests/methods/test_methods.py"),
    "src/objectives/classification.py": ("tests/objectives/test_registry.py",),
    "src/objectives/regression.py": ("tests/objectives/test_registry.py",),
    "src/objectives": ("tests/objectives", "tests/study/test_several_labels.py"),
    "src/store": ("tests/store/test_store.py",),
    "src/study/attempt.py": ("tests/study/test_failure.py", "tests/study/test_jobs.py"),
    "src/study/cell.py": ("tests/study/test_jobs.py", "tests/study/test_failure.py"),
    "src/study/optuna_attributes.py": ("tests/study/test_optuna_database.py",),
    "src/study/optuna_storage.py": ("tests/study/test_optuna_database.py",),
    "src/study/plan.py": ("tests/study/test_candidates.py", "tests/study/test_tune.py"),
    "src/study/publish.py": ("tests/study/test_tune.py", "tests/study/test_compare.py"),
    "src/study/runner.py": (
        "tests/study/test_failure.py",
        "tests/study/test_until.py",
        "tests/study/test_tune.py",
        "tests/study/test_compare.py",
    ),
    "src/study": ("tests/study/test_once.py", "tests/study/test_compare.py"),
    "src/training/adapter_file.py": ("tests/training/test_predictor.py",),
    "src/training/context.py": ("tests/study/test_serving.py", "tests/study/test_templates.py"),
    "src/training/fit.py": ("tests/training/test_classifier.py", "tests/study/test_once.py"),
    "src/training/environment.py": ("tests/study/test_drift.py",),
    "src/training/prepare.py": (
        "tests/study/test_leaks.py",
        "tests/study/test_serving.py",
        "tests/study/test_templates.py",
    ),
    "src/training/untouched.py": ("tests/study/test_leaks.py",),
    "src/training/verbalizer.py": ("tests/study/test_templates.py",),
    "src/training/watch.py": ("tests/training/test_classifier.py", "tests/study/test_failure.py"),
    "src/training/zero_shot.py": ("tests/study/test_templates.py",),
    "src/training": ("tests/training/test_classifier.py", "tests/study/test_once.py"),
}
"""The tests of files that have none of their own, by the folder or the file, first fit. Those that
are named for a file itself come after its own, where it has some."""
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
PAGE = "tests/test_methods_page.py"
"""A page that is made from the files of the methods: settings, defaults and ranges."""
TOGETHER = 20.0
"""Seconds of tests that are started together: each group costs a start."""


def files(root: Path) -> list[str]:
    """Every file that may be mutated, relative to the root."""
    paths = [path for room in ROOMS for path in sorted((root / "src" / room).rglob("*.py"))]
    return [str(path.relative_to(root)) for path in paths]


def stages(
    root: Path, mutation: Mutation, reach: Reach, budget: float = 0.0
) -> list[tuple[str, ...]]:
    """The files of tests that a slip is tried with, one group after the other.

    Those that run its statement: its file's own, then its room's, then all others, each time the
    quickest first. Where none is known to run it, its file's own and its room's; where nothing was
    measured, its file's own alone.

    Args:
        root: The project's root.
        mutation: The slip; its file is as it was.
        reach: What each file of tests takes and runs; files that it does not know are not run.
        budget: Seconds after which no further file is taken, as each was measured; 0 is no limit.
    """
    source = (root / mutation.file).read_text("utf-8")
    near, room = (files_of(root, tests) for tests in nearby(root, mutation.file))
    if not reach.seconds:
        return [tuple(near or room)]
    reaching = reach.of(mutation.file, statement(source, mutation.line))
    if not reaching:
        reaching = {*near, *room} & reach.seconds.keys()
    elif not is_in_function(source, mutation.line) and (known := reaching & {*near, *room}):
        # What runs at an import is run by every file: only those that ask for it would notice.
        reaching = known
    rank = {test: 0 if test in near else 1 if test in room else 2 for test in reaching}
    groups: list[tuple[str, ...]] = []
    spent = 0.0
    for test in sorted(reaching, key=lambda test: (rank[test], reach.seconds[test], test)):
        spent += reach.seconds[test]
        if budget and groups and spent > budget:
            break
        last = groups[-1] if groups else ()
        if last and sum(reach.seconds[each] for each in (*last, test)) <= TOGETHER:
            groups[-1] = (*last, test)
        else:
            groups.append((test,))
    return groups


def files_of(root: Path, tests: Sequence[str]) -> list[str]:
    """Files and all files of folders, relative to the root."""
    paths = [root / test for test in tests]
    matches = [[path] if path.is_file() else sorted(path.rglob("test_*.py")) for path in paths]
    return [str(path.relative_to(root)) for each in matches for path in each]


def nearby(root: Path, file: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tests of a file of the source, and those of its room: files and folders.

    Args:
        root: The project's root.
        file: The mutated file, relative to the root.
    """
    path = Path(file)
    folder = Path("tests", *path.parent.parts[1:])
    names = {f"test_{path.stem}.py", f"test_{path.stem.strip('_')}.py"}
    nearest = tuple(str(folder / name) for name in sorted(names) if (root / folder / name).exists())
    if nearest:
        nearest = tuple(dict.fromkeys((*nearest, *NEAREST.get(file, ()))))
    else:
        nearest = next((t for place, t in NEAREST.items() if file.startswith(place)), ())
    if file.startswith("src/methods/"):
        nearest = (*nearest, PAGE)
    room = folder if (root / folder).exists() else Path(*folder.parts[:2])
    named = [tests for place, tests in ALSO.items() if file.startswith(place)]
    return nearest, (str(room), *(test for tests in named for test in tests))
