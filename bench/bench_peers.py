"""Beside transformers + PEFT: speed by default, scores with --scores; equal settings, one process.

    make bench                                                     # speed, a few points
    python bench/bench_peers.py --methods full lora prefix prompt p_tuning head --seconds 60
    python bench/bench_peers.py --scores [--cells lora/sst2 head/stsb] [--seeds 0 1 2]

Speed prints the ratio of times with its interval, and refuses one that is too restless. Scores need
GLUE's files in $GLUE_DIR; 12 cells, three seeds and both sides take hours, so every finished
training is kept in scores.jsonl and the same command goes on where it was. `peer_sides.py` says
what is made equal and why one loop trains both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import peer_scores
import peer_speed
import peer_table
import torch
from peer_sides import Sides
from peer_training import Material, load
from peer_ways import VIRTUAL, WAYS
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.config import DataSettings
from tunebench.errors import UnknownName, UserError
from tunebench.files import file_lock, write_whole


def parser() -> argparse.ArgumentParser:
    """What may be typed."""
    made = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    made.add_argument("--scores", action="store_true", help="train and test both sides")
    made.add_argument("--cells", nargs="+", default=list(peer_scores.CELLS), metavar="METHOD/TASK")
    made.add_argument("--seeds", nargs="+", type=int, default=list(peer_scores.SEEDS))
    made.add_argument("--methods", nargs="+", default=["full", "lora"], help="speed: which methods")
    made.add_argument("--task", default="sst2", help="speed: whose texts")
    made.add_argument("--spread", type=float, default=0.15, help="speed: the widest interval")
    made.add_argument("--seconds", type=float, default=8.0, help="speed: for each point at most")
    made.add_argument("--rows", type=int, default=2000, help="training rows")
    made.add_argument("--test-rows", type=int, default=0, help="test rows; 0: all")
    made.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's own choice")
    made.add_argument("--backbone", default="minilm", help="a known name or a folder of a BERT")
    made.add_argument("--data", default="auto", help="auto ($GLUE_DIR), pocket, or a folder")
    made.add_argument("--out", type=Path, default=Path("runs/peers"))
    return made


def check(arguments: argparse.Namespace) -> None:
    """Refuse unknown names before anything is read."""
    for kind, names, known in (
        ("cell", arguments.cells, peer_scores.CELLS),
        ("method", arguments.methods, WAYS),
    ):
        for name in names:
            if name not in known:
                raise UnknownName(kind, name, known)


def material(arguments: argparse.Namespace, sides: Sides, task: str) -> Material:
    """A task's rows by the checkpoint's tokenizer, with room left for the virtual tokens."""
    no_files = arguments.data == "auto" and not os.environ.get("GLUE_DIR")
    source = "pocket" if no_files else arguments.data
    data = DataSettings(source=source)
    return load(
        task,
        Checkpoint.open(arguments.backbone).load_tokenizer(),
        data=data,
        rows=arguments.rows,
        test_rows=arguments.test_rows,
        max_length=min(data.max_length, sides.base_model.cfg.context - VIRTUAL),
    )


def scores(arguments: argparse.Namespace) -> None:
    """Train what is missing, then write scores.json and scores.md."""
    sides = Sides(arguments.backbone)
    tasks = dict.fromkeys(cell.split("/")[1] for cell in arguments.cells)
    plan = peer_scores.Plan(
        sides,
        Checkpoint.open(arguments.backbone).digest,
        {task: material(arguments, sides, task) for task in tasks},
        arguments.cells,
        arguments.seeds,
    )
    with file_lock(arguments.out):
        ledger = peer_scores.Ledger(arguments.out / "scores.jsonl")
        records = peer_scores.run(plan, ledger, say=lambda line: print(line, flush=True))
        summary = peer_table.summary(records, {n: m.task for n, m in plan.materials.items()})
        text = peer_table.markdown(summary, peer_scores.CELLS, peer_scores.SEEDS)
        about = {name: m.source for name, m in plan.materials.items()}
        summary |= {"sources": about, "versions": records[0]["versions"]}
        write_whole(arguments.out / "scores.json", json.dumps(summary, indent=1).encode())
        write_whole(arguments.out / "scores.md", text.encode())
    print(text)


def speed(arguments: argparse.Namespace) -> None:
    """Time both sides, then write speed.json."""
    sides = Sides(arguments.backbone)
    rows = material(arguments, sides, arguments.task)
    print(f"{arguments.task}: {rows.source}; {torch.get_num_threads()} threads\n")
    print(peer_speed.HEADER)
    timed_points = []
    limits = {"spread": arguments.spread, "seconds": arguments.seconds}
    for point in peer_speed.points(sides, rows, arguments.methods, **limits):
        print(peer_speed.line(point, arguments.spread), flush=True)
        timed_points.append(point)
    about = {"source": rows.source, "threads": torch.get_num_threads(), **limits}
    content = json.dumps(about | {"points": timed_points}, indent=1)
    write_whole(arguments.out / "speed.json", content.encode())


def main(argv: Sequence[str] | None = None) -> int:
    """Speed, or scores; 2 where what was typed cannot be."""
    arguments = parser().parse_args(argv)
    if arguments.scores and arguments.data == "auto" and not os.environ.get("GLUE_DIR"):
        print("bench-peers: scores need GLUE's files, and $GLUE_DIR is not set: nothing was run")
        return 0
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        check(arguments)
        scores(arguments) if arguments.scores else speed(arguments)
    except UserError as error:
        print(f"bench-peers: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
