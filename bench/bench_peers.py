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
from tunebench.checkpoints.load import digest
from tunebench.config import DataSettings
from tunebench.data.text.tokens import load_tokenizer
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


def check(given: argparse.Namespace) -> None:
    """Refuse unknown names before anything is read."""
    for kind, names, known in (
        ("cell", given.cells, peer_scores.CELLS),
        ("method", given.methods, WAYS),
    ):
        for name in names:
            if name not in known:
                raise UnknownName(kind, name, known)


def material(given: argparse.Namespace, sides: Sides, task: str) -> Material:
    """A task's rows by the checkpoint's tokenizer, with room left for the virtual tokens."""
    source = "pocket" if given.data == "auto" and not os.environ.get("GLUE_DIR") else given.data
    data = DataSettings(source=source)
    return load(
        task,
        load_tokenizer(given.backbone),
        data=data,
        rows=given.rows,
        test_rows=given.test_rows,
        longest=min(data.max_length, sides.base_model.cfg.context - VIRTUAL),
    )


def scores(given: argparse.Namespace) -> None:
    """Train what is missing, then write scores.json and scores.md."""
    sides = Sides(given.backbone)
    tasks = dict.fromkeys(cell.split("/")[1] for cell in given.cells)
    plan = peer_scores.Plan(
        sides,
        digest(given.backbone, None),
        {task: material(given, sides, task) for task in tasks},
        given.cells,
        given.seeds,
    )
    with file_lock(given.out):
        ledger = peer_scores.Ledger(given.out / "scores.jsonl")
        records = peer_scores.run(plan, ledger, say=lambda line: print(line, flush=True))
        found = peer_table.summary(records, {n: m.task for n, m in plan.materials.items()})
        text = peer_table.markdown(found, peer_scores.CELLS, peer_scores.SEEDS)
        about = {name: m.source for name, m in plan.materials.items()}
        found |= {"sources": about, "versions": records[0]["versions"]}
        write_whole(given.out / "scores.json", json.dumps(found, indent=1).encode())
        write_whole(given.out / "scores.md", text.encode())
    print(text)


def speed(given: argparse.Namespace) -> None:
    """Time both sides, then write speed.json."""
    sides = Sides(given.backbone)
    rows = material(given, sides, given.task)
    print(f"{given.task}: {rows.source}; {torch.get_num_threads()} threads\n")
    print(peer_speed.HEADER)
    found = []
    limits = {"spread": given.spread, "seconds": given.seconds}
    for point in peer_speed.points(sides, rows, given.methods, **limits):
        print(peer_speed.line(point, given.spread), flush=True)
        found.append(point)
    about = {"source": rows.source, "threads": torch.get_num_threads(), **limits}
    content = json.dumps(about | {"points": found}, indent=1)
    write_whole(given.out / "speed.json", content.encode())


def main(words: Sequence[str] | None = None) -> int:
    """Speed, or scores; 2 where what was typed cannot be."""
    given = parser().parse_args(words)
    if given.scores and given.data == "auto" and not os.environ.get("GLUE_DIR"):
        print("bench-peers: scores need GLUE's files, and $GLUE_DIR is not set: nothing was run")
        return 0
    if given.threads:
        torch.set_num_threads(given.threads)
    try:
        check(given)
        scores(given) if given.scores else speed(given)
    except UserError as error:
        print(f"bench-peers: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
