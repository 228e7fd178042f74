"""How fast are our CTC and our transducer loss? `python -m asr_losses.bench` prints the tables of .github/RESULTS.md.

CTC beside PyTorch's loss, the transducer beside a double loop. Forward and backward from logits, float32, both losses
in turn within one process; medians of CPU time (on one thread, and the ratio) and of wall time (on two threads). And
the most memory that the transducer loss holds, with all logits at once and in slices.
"""

import itertools
import math
import os
import statistics
import sys
import time
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from asr_losses.ctc import ctc_loss
from asr_losses.transducer import sliced_transducer_loss, transducer_loss

CTC_SIZES = (
    (50, 16, 20, 30),
    (100, 32, 32, 20),
    (200, 16, 32, 40),
    (500, 16, 32, 100),
    (1000, 8, 32, 200),
    (1500, 8, 500, 200),
    (200, 64, 1000, 40),
)
CTC_BASE = {"T": 400, "N": 16, "C": 32, "U": 80}
TRANSDUCER_SIZES = ((8, 100, 20, 64), (4, 200, 40, 128), (8, 150, 30, 256))
TRANSDUCER_BASE = {"T": 150, "N": 4, "C": 64, "U": 30}
MEMORY_SIZES = ((4, 200, 40, 500), (8, 200, 40, 1000))
FRAMES = 16  # in a slice


def looped_loss(logits, targets, logit_lengths, target_lengths):
    """The transducer loss as a reader would write it: node after node, all items together, gradient by autograd."""
    log_probs = logits.log_softmax(3)  # (N, T, U + 1, C)
    blank = log_probs[..., 0]
    label = log_probs[:, :, :-1].gather(3, targets[:, None, :, None].expand(-1, logits.shape[1], -1, 1))[..., 0]
    alpha = {}
    for t in range(logits.shape[1]):
        for u in range(logits.shape[2]):
            ways = []
            if t > 0:
                ways.append(alpha[t - 1, u] + blank[:, t - 1, u])
            if u > 0:
                ways.append(alpha[t, u - 1] + label[:, t, u - 1])
            alpha[t, u] = torch.stack(ways).logsumexp(0) if ways else torch.zeros_like(blank[:, 0, 0])
    n = torch.arange(len(logits))
    last = torch.stack([alpha[t - 1, u][i] for i, t, u in zip(n, logit_lengths.tolist(), target_lengths.tolist())])
    return -(last + blank[n, logit_lengths - 1, target_lengths]).mean()


def ctc_case(T, N, C, U):
    """Logits, and torch's loss and ours of them."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(T, N, C, generator=generator).requires_grad_()
    arguments = (torch.randint(1, C, (N, U), generator=generator), torch.full((N,), T), torch.full((N,), U))
    return logits, [lambda loss=loss: loss(logits.log_softmax(2), *arguments) for loss in (F.ctc_loss, ctc_loss)]


def transducer_case(N, T, U, C):
    """Logits, and the loop's loss and ours of them."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(N, T, U + 1, C, generator=generator).requires_grad_()
    arguments = (torch.randint(1, C, (N, U), generator=generator), torch.full((N,), T), torch.full((N,), U))
    return logits, [lambda loss=loss: loss(logits, *arguments) for loss in (looped_loss, transducer_loss)]


def seconds(logits, losses, clock=time.process_time, repeats=15):
    """Median seconds of each loss with its gradient, measured in turn."""
    taken = [[] for _ in losses]
    for _ in range(repeats + 1):  # the first one warms up
        for loss, times in zip(losses, taken):
            logits.grad = None
            begin = clock()
            loss().backward()
            times.append(clock() - begin)
    return [statistics.median(times[1:]) for times in taken]


def growth(case, base, factors, names, repeats=7):
    """Prints with which power of each size the time of each loss grows; `factors`: of each size, or of all others."""
    print(f"\n| time grows with | {' | '.join(names)} |\n|" + "---|" * (1 + len(names)))
    for name, size in base.items():
        print(f"growth in {name}", file=sys.stderr)
        ends = [int(size * factor) for factor in factors.get(name, factors["else"])]
        times = [seconds(*case(**{**base, name: end}), repeats=repeats) for end in ends]
        powers = [math.log(last / first) / math.log(ends[-1] / ends[0]) for first, last in zip(times[0], times[-1])]
        print(f"| {name}, {ends[0]} to {ends[-1]} | " + " | ".join(f"{name}^{p:.2f}" for p in powers) + " |", flush=True)


def ctc():
    """Prints the tables of the CTC loss."""
    print("| T, N, C, U | torch ms | ours ms | ratio | two threads: torch ms | ours ms | ratio |\n|" + "---|" * 7)
    for sizes in CTC_SIZES:
        row = [", ".join(map(str, sizes))]
        for threads, clock in ((1, time.process_time), (2, time.perf_counter)):
            torch.set_num_threads(threads)
            theirs, ours = seconds(*ctc_case(*sizes), clock)
            row += [f"{1000 * theirs:.1f}", f"{1000 * ours:.1f}", f"**{ours / theirs:.2f}**"]
        print("| " + " | ".join(row) + " |", flush=True)
    torch.set_num_threads(1)
    growth(ctc_case, CTC_BASE, {"T": (0.5, 1, 2), "else": (1, 2, 4)}, ("torch", "ours"))  # T must stay above U


def transducer():
    """Prints the tables of the transducer loss."""
    torch.set_num_threads(1)
    print("\n| N, T, U, C | loop ms | ours ms | ratio |\n|" + "---|" * 4)
    for sizes in TRANSDUCER_SIZES:
        loop, ours = seconds(*transducer_case(*sizes), repeats=7)
        print(f"| {', '.join(map(str, sizes))} | {1000 * loop:.0f} | {1000 * ours:.1f} | **{ours / loop:.3f}** |", flush=True)
    growth(transducer_case, TRANSDUCER_BASE, {"else": (1, 2, 4)}, ("loop", "ours"), repeats=3)


@contextmanager
def _silent():
    """The profiler writes lines with the time of day into the standard error of the process: not here."""
    before = os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def peak_bytes(run):
    """The most memory that `run` holds at a time, beside what was there before."""
    with _silent(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        run()
    events = profiled.profiler.kineto_results.events()
    return max(itertools.accumulate(event.nbytes() for event in events if event.name() == "[memory]"))


def memory():
    """Prints the peak memory of the transducer loss and its gradient, predicted and measured."""
    print("\n| N, T, U, C | logits MB | all at once: predicted | measured | in slices: predicted | measured |\n|" + "---|" * 6)
    for N, T, U, C in MEMORY_SIZES:
        inputs = [torch.randn(N, length, C).requires_grad_() for length in (T, U + 1)]
        arguments = (torch.randint(1, C, (N, U)), torch.full((N,), T), torch.full((N,), U))

        def joint(encoded, predicted):
            return encoded[:, :, None] + predicted[:, None]

        whole = peak_bytes(lambda: transducer_loss(joint(*inputs), *arguments).backward())
        parts = peak_bytes(lambda: sliced_transducer_loss(joint, *inputs, *arguments, frames=FRAMES).backward())
        node = 4 * N * (U + 1)  # bytes of one number for each node of a frame
        logits = node * T * C
        predicted = 2 * logits, 3 * node * FRAMES * C + 4 * N * (T + U + 1) * C  # lesson 30, section 6
        row = [f"{x / 1e6:.0f}" for x in (logits, predicted[0], whole, predicted[1], parts)]
        print(f"| {N}, {T}, {U}, {C} | " + " | ".join(row) + " |", flush=True)


def main():
    """Prints all tables."""
    ctc()
    transducer()
    memory()


if __name__ == "__main__":
    main()
