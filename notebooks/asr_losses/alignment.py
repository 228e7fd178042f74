"""Which frame belongs to which label, and how far is that from the truth?"""

import torch

from asr_losses.ctc import ctc_loss


def occupancy(log_probs, target, blank=0):
    """gamma `(T, C)`: the probability, over all alignments of `target (U,)`, that frame t says c.

    `log_probs (T, C)`. Each row sums to 1. It is minus the derivative of the CTC loss with respect
    to `log_probs` (Graves et al. 2006, equation 15, up to the factor they divide out).
    Raises ValueError if the target has no alignment in T frames.
    """
    leaf = log_probs.detach().requires_grad_()
    loss = ctc_loss(leaf, target, (len(leaf),), (len(target),), blank, reduction="sum")
    if torch.isinf(loss):
        raise ValueError(f"target: {len(target)} labels have no alignment in {len(leaf)} frames")
    return -torch.autograd.grad(loss, leaf)[0]


def best_path(log_probs, target, blank=0):
    """The most probable alignment of `target (U,)` as states `(T,)`: state 2u+1 says target[u],
    state 2u is the blank before it (Viterbi: the forward recursion with max for the sum).

    `log_probs (T, C)`. Raises ValueError if the target has no alignment in T frames.
    """
    target = torch.as_tensor(target)
    states = torch.full((2 * len(target) + 1,), blank)
    states[1::2] = target
    skip = torch.zeros(len(states), dtype=torch.bool)  # may s be entered from s - 2?
    skip[3::2] = target[1:] != target[:-1]
    delta = torch.full((len(states),), -torch.inf, dtype=log_probs.dtype)
    delta[0] = 0.0  # before the first frame, as if in the first blank
    came_from = []
    for t, emission in enumerate(log_probs[:, states].unbind(0)):
        stay = delta
        step = torch.cat([delta.new_tensor([-torch.inf]), delta[:-1]])
        jump = torch.cat([delta.new_tensor([-torch.inf] * 2), delta[:-2]])[: len(states)]
        jump = jump.masked_fill(~skip, -torch.inf)
        delta, move = torch.stack([stay, step, jump]).max(0)
        delta = delta + emission
        came_from.append(move)
    ends = delta[-2:]
    if torch.isinf(ends).all():
        raise ValueError(f"target: {len(target)} labels have no alignment in {len(log_probs)} frames")
    state = len(states) - len(ends) + int(ends.argmax())
    path = []
    for move in reversed(came_from):
        path.append(state)
        state -= int(move[state])
    return torch.tensor(path[::-1])


def attention_path(weights):
    """The best order-preserving way to give each of T frames to one of U tokens, as states `(T,)` 2u+1.

    `weights (U, T)`: how much token u looks at frame t. The path maximises the sum of the log-weights
    (dynamic time warping). Raises ValueError if there are more tokens than frames.
    """
    scores = torch.nn.functional.pad((weights + 1e-6).log().T, (1, 0), value=-1e9)  # (T, 1 + U); the blank is out of reach
    return best_path(scores, torch.arange(1, len(weights) + 1))


def attention_entropy(weights):
    """How far attention is spread, in nats: the mean over queries of the entropy of `weights (..., T)`."""
    return -torch.xlogy(weights, weights).sum(-1).mean().item()


def forward_moves(weights):
    """How often the centre of attention lies later for one token than for the one before, in per cent; `(U, T)`."""
    centre = (weights * torch.arange(weights.shape[1])).sum(1) / weights.sum(1)
    return 100 * (centre.diff() > 0).double().mean().item()


def label_times(path, frame_shift):
    """`(first, last)`, both `(U,)`: the seconds at which a path says each label first and last.

    Frame t stands for the moment `t * frame_shift`. Every label of a valid path occurs.
    """
    labels = (int(path.max()) + 1) // 2
    first = torch.empty(labels, dtype=torch.float64)
    last = torch.empty(labels, dtype=torch.float64)
    for u in range(labels):
        frames = torch.nonzero(path == 2 * u + 1).flatten()
        first[u], last[u] = frames[0] * frame_shift, frames[-1] * frame_shift
    return first, last


def word_boundaries(path, text, frame_shift):
    """The seconds at which one word ends and the next begins, `(words - 1,)`, as `path` has it:
    the middle between the last frame of one word's last letter and the first of the next's first.
    """
    first, last = label_times(path, frame_shift)
    spaces = [u for u, character in enumerate(text) if character == " "]
    return torch.tensor([(last[u - 1] + first[u + 1]) / 2 for u in spaces], dtype=torch.float64)


def true_boundaries(utterance):
    """The same moments in truth: the middle of the gap between two words, `(words - 1,)` seconds."""
    gaps = zip(utterance.ends[:-1], utterance.starts[1:])
    return torch.tensor([(end + start) / 2 for end, start in gaps], dtype=torch.float64)


def uniform_boundaries(utterance):
    """The baseline that listens to nothing: every character lasts equally long."""
    text = utterance.text
    middles = [u + 0.5 for u, character in enumerate(text) if character == " "]
    return torch.tensor(middles, dtype=torch.float64) / len(text) * utterance.seconds


def boundary_errors(paths, utterances, frame_shift):
    """The word boundaries of each utterance's path, found minus true, all in one `(B,)`, in ms."""
    found = [word_boundaries(path, u.text, frame_shift) for path, u in zip(paths, utterances)]
    return 1000 * (torch.cat(found) - torch.cat([true_boundaries(u) for u in utterances]))


def uniform_errors(utterances):
    """The same for the baseline: `uniform_boundaries` minus true, `(B,)`, in ms."""
    return 1000 * torch.cat([uniform_boundaries(u) - true_boundaries(u) for u in utterances])
