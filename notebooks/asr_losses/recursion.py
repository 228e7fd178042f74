"""What is CTC, in its smallest form? Every path, and the recursion that adds them up. (Lesson 10 derives both.)

Slow and clear; `ctc.ctc_loss` is the fast one.
"""

import itertools

import torch
import torch.nn.functional as F

from asr_losses.decoding import collapse

FLOOR = -1e30  # stands for log 0: with -inf the sums are right, but their gradient is nan


def paths(target, T, C):
    """All paths of T labels out of 0 (blank) to C - 1 that collapse to `target`, as a list of tuples."""
    return [path for path in itertools.product(range(C), repeat=T) if collapse(path, 0) == target]


def path_log_prob(log_probs, path):
    """ln of the probability of one path under `log_probs (T, C)`."""
    return sum(log_probs[t, label] for t, label in enumerate(path))


def lattice(target, blank=0):
    """The label of each of the 2U+1 states, and whether a state may be entered by a jump; both `(2U+1,)`."""
    states = torch.full((2 * len(target) + 1,), blank)
    states[1::2] = torch.tensor(target)
    jump = torch.zeros(len(states), dtype=torch.bool)
    jump[3::2] = states[3::2] != states[1:-2:2]
    return states, jump


def forward(log_probs, states, jump):
    """alpha `(T, 2U+1)`, from `log_probs (T, C)` (Graves et al. 2006, equations 6 and 7)."""
    before = torch.full((len(states),), FLOOR)
    before[0] = 0.0  # before the first frame: in the first blank
    alpha = []
    for emission in log_probs[:, states].unbind(0):  # (2U+1,)
        step = F.pad(before, (1, 0), value=FLOOR)[:-1]
        skip = F.pad(before, (2, 0), value=FLOOR)[:-2].where(jump, FLOOR)
        before = torch.stack([before, step, skip]).logsumexp(0) + emission
        alpha.append(before)
    return torch.stack(alpha)


def backward(log_probs, target):
    """beta `(T, 2U+1)`: the forward recursion on everything reversed."""
    return forward(log_probs.flip(0), *lattice(target[::-1])).flip(0, 1)


def state_occupancy(log_probs, target):
    """gamma `(T, 2U+1)`: the probability, over all alignments of `target`, that frame t is in state s."""
    states, jump = lattice(target)
    through = forward(log_probs, states, jump) + backward(log_probs, target) - log_probs[:, states]
    return through.softmax(1)


def recursion_loss(log_probs, target):
    """-ln P(target), in nats; inf where no path exists."""
    loss = -forward(log_probs, *lattice(target))[-1, -2:].logsumexp(0)
    return torch.where(loss < -FLOOR / 2, loss, torch.inf)
