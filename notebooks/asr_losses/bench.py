"""How fast is our CTC loss beside PyTorch's? `python -m asr_losses.bench` prints the tables of .github/RESULTS.md.

Forward and backward from logits, float32, both losses in turn within one process; medians of CPU
time (on one thread, and the ratio) and of wall time (on two threads).
"""

import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from asr_losses.ctc import ctc_loss

SIZES = (
    (50, 16, 20, 30),
    (100, 32, 32, 20),
    (200, 16, 32, 40),
    (500, 16, 32, 100),
    (1000, 8, 32, 200),
    (1500, 8, 500, 200),
    (200, 64, 1000, 40),
)
BASE = {"T": 400, "N": 16, "C": 32, "U": 80}
LOSSES = (F.ctc_loss, ctc_loss)


def seconds(T, N, C, U, clock=time.process_time, repeats=15):
    """Median seconds of torch's loss and of ours, measured in turn."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(T, N, C, generator=generator).requires_grad_()
    arguments = (torch.randint(1, C, (N, U), generator=generator), torch.full((N,), T), torch.full((N,), U))
    taken = [[], []]
    for repeat in range(repeats + 1):  # the first one warms up
        for loss, times in zip(LOSSES, taken):
            logits.grad = None
            begin = clock()
            loss(logits.log_softmax(2), *arguments).backward()
            times.append(clock() - begin)
    return [statistics.median(times[1:]) for times in taken]


def main():
    """Prints the tables."""
    print("| T, N, C, U | torch ms | ours ms | ratio | two threads: torch ms | ours ms | ratio |\n|" + "---|" * 7)
    for sizes in SIZES:
        row = [", ".join(map(str, sizes))]
        for threads, clock in ((1, time.process_time), (2, time.perf_counter)):
            torch.set_num_threads(threads)
            theirs, ours = seconds(*sizes, clock)
            row += [f"{1000 * theirs:.1f}", f"{1000 * ours:.1f}", f"**{ours / theirs:.2f}**"]
        print("| " + " | ".join(row) + " |", flush=True)

    torch.set_num_threads(1)
    print("\n| time grows with | torch | ours |\n|---|---|---|")
    for name, base in BASE.items():
        print(f"growth in {name}", file=sys.stderr)
        factors = (0.5, 1, 2) if name == "T" else (1, 2, 4)  # T must stay above U
        times = [seconds(**{**BASE, name: int(base * factor)}, repeats=7) for factor in factors]
        powers = [math.log(last / first) / math.log(4) for first, last in zip(times[0], times[-1])]
        print(f"| {name}, {int(base * factors[0])} to {int(base * factors[-1])} | " + " | ".join(f"{name}^{p:.2f}" for p in powers) + " |")


if __name__ == "__main__":
    main()
