"""`tunebench claims`: what the literature claims, checked on the runs of a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..files import at_home
from .fields import experiment_flags
from .flags import KeyPath, Line
from .places import folder_of_results, made_folder
from .text_table import format_table

if TYPE_CHECKING:
    from ..config import Experiment

SWITCHES: Mapping[str, str] = {
    "measure": "Measure first what some claims need beside trained cells: work, bytes, latency.",
    "json": "Print one JSON list, an object for each claim.",
}
ENDING = (
    "Figures are those of the part of a claim that decides it, with its 95 % interval by itself.\n"
    "undecided: neither shown nor ruled out by these runs; --json names them all."
)


def flags() -> dict[str, KeyPath]:
    """Those of a comparison, for the experiments that are run first."""
    return experiment_flags()


def claims(line: Line, command: str) -> int:
    """Run what was asked for, then print the claims; 1 where a cell did not complete."""
    from ..analysis.claims import known

    known(line.words)
    complete, out = _run(line, command)
    if "measure" in line.switches:
        from ..report.live import Live
        from ..study.measurements import measure

        with Live() as progress:
            measure(out, progress)
    from ..report.claims import finding_texts
    from ..study.claims import claims_of

    findings = claims_of(out, line.words)
    if "json" in line.switches:
        print(json.dumps([one.as_json() for one in findings], allow_nan=False))
    else:
        print(format_table(map(finding_texts, findings), 0))
        print(f"\n{ENDING}")
    if "measure" in line.switches or line.text("experiment") is not None:
        from ..report.live import Live
        from ..study.publish import rebuild

        with Live() as progress:
            rebuild(out, line.text("tracking_uri"), progress=progress)
    return 0 if complete else 1


def _run(line: Line, command: str) -> tuple[bool, Path]:
    """Run the experiments of a file, if one was named.

    Returns:
        Whether every cell is complete, and the folder of results.
    """
    file = line.text("experiment")
    if file is None:
        for flag in line.flags:
            if flag.path not in (("out",), ("tracking_uri",)):
                raise UserError(f"{flag.typed}: goes with --experiment, which names what is run")
        return True, folder_of_results(line.text("out"))
    experiments = _experiments(line, at_home(file))
    (name,) = {one.out for one in experiments}
    out = made_folder(name, "--out")
    from ..report.live import Live
    from ..study.compare import compare

    complete = True
    for experiment in experiments:
        with Live() as progress:
            comparison = compare(experiment, command=command, progress=progress)
        complete &= all(result.status == "complete" for result in comparison.results)
    return complete, out


def _experiments(line: Line, file: Path) -> list[Experiment]:
    """Every experiment of a file, with the flags that were typed; all in one folder."""
    from .settings import resolve
    from .yaml_file import read_list

    # The words are names of claims here, and not tasks.
    typed = Line((), line.flags, line.switches)
    experiments = [resolve(typed, document) for document in read_list(file)]
    if not experiments:
        raise UserError(f"{file}: there is no experiment in this list")
    outs = dict.fromkeys(one.out for one in experiments)
    if len(outs) > 1:
        raise UserError(
            f"{file}: all experiments must have one folder `out`, but got {', '.join(outs)}"
        )
    return experiments
