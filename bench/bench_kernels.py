"""Time the kernels against torch's own on a GPU; numerics are checked before anything is timed.

    make bench-kernels [ARGS="--out runs/kernels --quick"]

All rivals run in this process, interleaved, on the same tensors. Writes kernels.json, kernels.md
and kernels.svg. Without a GPU it says so and ends with 0: what was not measured is not claimed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from attention_points import (
    BACKENDS,
    Point,
    Tensors,
    draw,
    flex,
    flex_blocks,
    grid,
    ours,
    sdpa,
    varlen,
)
from gpu_timing import machine, quantiles, ratio, timed
from torch import Tensor
from torch.nn.attention import SDPBackend
from tunebench import kernels

EAGER_LIMIT = 1024
"""The longest sequence whose scores plain PyTorch is asked to keep."""
Rival = Callable[[], Tensor]


def rivals(point: Point, tensors: Tensors, compiled: Callable[..., Tensor]) -> dict[str, Rival]:
    """Every implementation that takes this point, ours first."""
    makers: dict[str, Callable[[], Rival]] = {"ours": lambda: ours(point, tensors)}
    for name, backend in BACKENDS.items():
        makers[name] = lambda backend=backend: sdpa(point, tensors, backend)
    if point.length <= EAGER_LIMIT:
        makers["eager"] = lambda: sdpa(point, tensors, SDPBackend.MATH)
    makers["flex"] = lambda: flex(point, tensors, compiled)
    makers["varlen"] = lambda: varlen(point, tensors)
    taken = {}
    for name, make in makers.items():
        try:
            call = make()
            call()
        except (RuntimeError, NotImplementedError, ValueError) as error:
            print(f"  {name}: left out ({str(error).splitlines()[0][:100]})")
            continue
        taken[name] = call
    return taken


def check(device: torch.device) -> None:
    """Our error in bf16 is at most twice that of torch's attention, each against float64."""
    for point in (Point(3, 200, 4, 64, True, 16), Point(2, 130, 2, 128, False)):
        rounded = draw(point, device, torch.bfloat16)
        exact = draw(point, device, torch.float64)
        for a, b in zip(exact.leaves, rounded.leaves, strict=True):
            a.data.copy_(b.data)
        grad = torch.randn_like(rounded.q)
        truth, triton_results, torchs = (
            results(point, x, grad, name)
            for x, name in ((exact, "reference"), (rounded, "triton"), (rounded, "sdpa"))
        )
        for a, b, t in zip(triton_results, torchs, truth, strict=True):
            mine, peer = ((x.double() - t).abs().max().item() for x in (a, b))
            if mine > 2 * peer:
                raise SystemExit(f"{point}: error {mine:.2e}, torch's {peer:.2e}; nothing timed")


def results(point: Point, tensors: Tensors, grad: Tensor, implementation: str) -> list[Tensor]:
    """Output and gradients of one implementation on a dense point."""
    prefix_k, prefix_v = tensors.prefix or (None, None)
    out = kernels.attention_dense(
        tensors.q, tensors.k, tensors.v, causal=point.causal, prefix_k=prefix_k, prefix_v=prefix_v,
        implementation=implementation,
    )  # fmt: skip
    return [out, *torch.autograd.grad(out, tensors.leaves, grad.to(out.dtype))]


def part_of(row: dict[str, Any], name: str, part: str) -> list[float] | None:
    """The quantiles of one rival's forward or backward pass, where it was timed."""
    timing: list[float] | None = row["times"].get(name, {}).get(part)
    return timing


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown: our speed, and how many times as long each rival takes."""
    names = [*BACKENDS, "eager", "flex", "varlen"]
    lines = ["| point | part | ours TFLOP/s | " + " | ".join(f"{n} / ours" for n in names) + " |"]
    lines.append("|" + "---|" * (3 + len(names)))
    for row in rows:
        for part, factor in (("forward", 1.0), ("backward", 2.5), ("both", 3.5)):
            mine = part_of(row, "ours", part)
            speed = f"{factor * row['operations'] / mine[0] / 1e9:.0f}" if mine else "–"
            cells = " | ".join(ratio(mine, part_of(row, name, part)) for name in names)
            lines.append(f"| {row['title']} | {part} | {speed} | {cells} |")
    return "\n".join(lines) + "\n"


def titled(point: Point) -> str:
    """A point in a few words."""
    mask = "causal" if point.causal else "full"
    more = f" prefix {point.prefix}" if point.prefix else ""
    more += f" padding {point.padding:.0%}" if point.padding else ""
    return f"{point.rows}×{point.length} h{point.heads} e{point.head} {mask}{more}"


def main() -> int:
    """Check, time, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path("runs/kernels"))
    parser.add_argument("--quick", action="store_true", help="every fourth point only")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print(
            "bench-kernels: no GPU here, so nothing was timed; docs/kernels.md says 'not measured'"
        )
        return 0
    from bench_plots import plot
    from rotation_points import check_rotation, rotation_rows, rotation_table

    device = torch.device("cuda")
    torch.manual_seed(0)
    check(device)
    check_rotation(device)
    from torch.nn.attention.flex_attention import flex_attention

    compiled = torch.compile(flex_attention, dynamic=False)
    rows = []
    for point in list(grid())[:: 4 if arguments.quick else 1]:
        print(titled(point), flush=True)
        tensors = draw(point, device, torch.bfloat16)
        times = {
            name: timed(call, tensors.leaves)
            for name, call in rivals(point, tensors, compiled).items()
        }
        rows.append(
            {
                **asdict(point),
                "title": titled(point),
                "operations": point.operations,
                "times": times,
                "flex mask": quantiles(lambda p=point, t=tensors: flex_blocks(p, t)),
            }
        )
    rotation = rotation_rows(device)
    arguments.out.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine(), "attention": rows, "rotation": rotation}
    (arguments.out / "kernels.json").write_text(json.dumps(report, indent=1))
    written = f"{report['machine']}\n\n{table(rows)}\n{rotation_table(rotation)}"
    (arguments.out / "kernels.md").write_text(written)
    plot(rows, arguments.out / "kernels.svg")
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
