"""Which form attention takes on a CPU: where the limits in kernels/by_length.py come from.

    python bench/bench_cpu_attention.py [--threads 1] [--repeats 15]

Forward and backward of one layer of MiniLM (12 heads of 32), both forms in turn in one process. A
figure is the median of ratios of CPU time, with the quartiles. The first table has sequences of one
length, products over torch's attention; the second the random lengths of a batch: products over
torch's attention, and what is chosen over padding all to the longest.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import torch
from tunebench.kernels import by_length, sdpa

HEADS, SIZE, VIRTUAL = 12, 32, 20
LENGTHS = (8, 14, 16, 24, 30, 32, 54, 64, 128)
NUMBERS = (8, 32)
MEANS = (14, 28, 54)

Form = Callable[[], object]


def ratios(a: Form, b: Form, repeats: int) -> list[float]:
    """CPU time of a over that of b, run in turn; the one that goes first changes each time."""
    measured = []
    for number in range(repeats + 2):
        took = {}
        for form in (a, b)[:: 1 if number % 2 else -1]:
            begin = time.process_time()
            form()
            took[form] = time.process_time() - begin
        measured.append(took[a] / took[b])
    return measured[2:]


def shown(measured: Sequence[float]) -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(measured, n=4)
    return f"{middle:.2f} ({low:.2f} – {high:.2f})"


def layer(lengths: Sequence[int], prefix: int, padded: bool, short: int | None = None) -> Form:
    """Forward and backward of one layer's attention over sequences of these lengths.

    Args:
        lengths: Of the sequences, in the order in which they are packed.
        prefix: Keys before each.
        padded: Whether all are padded to the longest, as before.
        short: What `SHORT` and `SHORT_EQUAL` are while it runs; none: as they are.
    """
    torch.manual_seed(0)
    tokens = sum(lengths)
    q, k, v = (torch.randn(tokens, HEADS, SIZE, requires_grad=True) for _ in range(3))
    before = [torch.randn(prefix, HEADS, SIZE, requires_grad=True) for _ in range(2 * (prefix > 0))]
    grad = torch.randn(tokens, HEADS, SIZE)
    cu_seqlens = torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)
    attend = sdpa.padded if padded else sdpa.attention
    repeated = 1 if tokens > 300 else 300 // tokens

    def run() -> None:
        usual = by_length.SHORT, by_length.SHORT_EQUAL
        if short is not None:
            by_length.SHORT = by_length.SHORT_EQUAL = short
        try:
            for _ in range(repeated):
                out = attend(
                    q,
                    k,
                    v,
                    cu_seqlens_q=cu_seqlens,
                    cu_seqlens_k=cu_seqlens,
                    causal=False,
                    prefix_k=before[0] if before else None,
                    prefix_v=before[1] if before else None,
                    max_seqlen_q=max(lengths),
                    max_seqlen_k=max(lengths),
                )
                torch.autograd.grad(out, (q, k, v, *before), grad)
        finally:
            by_length.SHORT, by_length.SHORT_EQUAL = usual

    return run


def drawn(mean: int, sequences: int) -> list[int]:
    """Lengths as texts have them: log-normal, deviation 0.6."""
    draw = random.Random(mean * sequences)
    middle = math.log(mean) - 0.18
    return [max(2, min(128, round(draw.lognormvariate(middle, 0.6)))) for _ in range(sequences)]


def main() -> int:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    # A mapped buffer that is freed: glibc keeps memory from then on, as it does in a training.
    torch.empty(7 * 2**20)
    print(f"products over torch's attention, {arguments.threads} thread(s)\n")
    print("| keys | " + " | ".join(f"{n} sequence(s)" for n in NUMBERS) + " |")
    print("| ---: |" + " ---: |" * len(NUMBERS))
    for length in LENGTHS:
        cells = []
        for number in NUMBERS:
            if length * number > 4096:
                cells.append("–")
                continue
            forms = (layer([length] * number, 0, False, short) for short in (1024, 0))
            cells.append(shown(ratios(*forms, arguments.repeats)))
        print(f"| {length} | " + " | ".join(cells) + " |", flush=True)
    print(
        "\nrandom lengths, at most 128: products over torch's attention; as chosen over padding\n"
    )
    print("| sequences | mean length | prefix | products | chosen |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for sequences in (16, 32):
        for mean in MEANS:
            for prefix in (0, VIRTUAL):
                lengths = drawn(mean, sequences)
                pairs = (
                    (layer(lengths, prefix, False, 1024), layer(lengths, prefix, False, 0)),
                    (layer(lengths, prefix, False), layer(lengths, prefix, True)),
                )
                measured = " | ".join(shown(ratios(*forms, arguments.repeats)) for forms in pairs)
                print(f"| {sequences} | {mean} | {prefix} | {measured} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
