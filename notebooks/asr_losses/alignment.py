"""Which frame belongs to which label, and how far is that from the truth?"""

import torch

from asr_losses.arguments import exact, floats, integers, kind
from asr_losses.ctc import ctc_loss
from asr_losses.features import WINDOW
from asr_losses.speech import SAMPLE_RATE, decode


def occupancy(log_probs, target, blank=0):
    """gamma `(T, C)`: the probability, over all alignments of `target (U,)`, that frame t says c.

    `log_probs (T, C)`, in any grad mode; half precision gives float32. Each row sums to 1. It is minus the
    derivative of the CTC loss with respect to `log_probs` (Graves et al. 2006, equation 15, up to the factor they
    divide out). Raises ValueError for nan, for labels that are none, and if the target has no alignment in T frames.
    """
    floats("log_probs", log_probs, "(T, C)", finite=False)
    with torch.inference_mode(False), torch.enable_grad():
        leaf = log_probs.detach().clone().double().requires_grad_()  # a label masked with -1e9 leaves float32 no digits
        return -torch.autograd.grad(_feasible_loss(leaf, target, blank), leaf)[0].to(exact(log_probs).dtype)


def _feasible_loss(log_probs, target, blank):
    """The CTC loss of `target`; ValueError if it is inf."""
    target = integers("target", target)
    if target.ndim != 1:
        raise ValueError(f"target: shape {tuple(target.shape)} came, expected (U,)")
    loss = ctc_loss(log_probs, target, len(log_probs), target.numel(), blank, reduction="sum")
    if torch.isinf(loss):
        raise ValueError(f"target: {len(target)} labels have no alignment in {len(log_probs)} frames")
    return loss


def best_path(log_probs, target, blank=0):
    """The most probable alignment of `target (U,)` as states `(T,)`: state 2u+1 says target[u],
    state 2u is the blank before it (Viterbi: the forward recursion with max for the sum).

    `log_probs (T, C)`. Raises ValueError for nan, for labels that are none, and if the target has no alignment in
    T frames.
    """
    log_probs = floats("log_probs", log_probs, "(T, C)", finite=False).detach().double()
    target = integers("target", target).to(log_probs.device)
    _feasible_loss(log_probs, target, blank)
    states = target.new_full((2 * len(target) + 1,), blank)
    states[1::2] = target
    skip = torch.zeros_like(states, dtype=torch.bool)  # may s be entered from s - 2?
    skip[3::2] = target[1:] != target[:-1]
    delta = log_probs.new_full(states.shape, -torch.inf)
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
    state = len(states) - len(ends) + int(ends.argmax())
    path = []
    for move in reversed(came_from):
        path.append(state)
        state -= int(move[state])
    return states.new_tensor(path[::-1])


def attention_path(weights):
    """The best order-preserving way to give each of T frames to one of U tokens, as states `(T,)` 2u+1.

    `weights (U, T)`: how much token u looks at frame t. The path maximises the sum of the log-weights
    (dynamic time warping). Raises ValueError for weights that are none, and if there are more tokens than frames.
    """
    weights = _weights(weights)
    if len(weights) > weights.shape[1]:
        raise ValueError(f"weights: {len(weights)} tokens came for {weights.shape[1]} frames, expected no more than those")
    scores = torch.nn.functional.pad((weights + 1e-6).log().T, (1, 0), value=-torch.inf)  # (T, 1 + U); no blank
    return best_path(scores, list(range(1, len(weights) + 1)))


def _weights(weights):
    weights = exact(floats("weights", weights, "(U, T)"))
    if weights.min() < 0 or weights.sum(1).min() == 0:
        raise ValueError(f"weights: from {weights.min():.3g} up came, expected none below 0 and some above in each row")
    return weights


def attention_entropy(weights):
    """How far attention is spread, in nats: the mean over queries of the entropy of `weights (..., T)`, rows of sum 1."""
    if not isinstance(weights, torch.Tensor) or weights.ndim < 1:
        raise ValueError(f"weights: {kind(weights)} came, expected a tensor (..., T)")
    weights = _weights(weights.flatten(0, -2) if weights.ndim > 1 else weights[None])
    if (weights.sum(1) - 1).abs().max() > 0.01:
        raise ValueError(f"weights: rows with sums up to {weights.sum(1).max():.3g} came, expected 1")
    return -torch.xlogy(weights, weights).sum(-1).mean().item()


def forward_moves(weights):
    """How often the centre of attention lies later for one token than for the one before, in per cent; `(U, T)`."""
    weights = _weights(weights)
    if len(weights) < 2:
        raise ValueError(f"weights: shape {tuple(weights.shape)} came, expected (U, T) with at least two tokens")
    centre = (weights * torch.arange(weights.shape[1], device=weights.device)).sum(1) / weights.sum(1)
    return 100 * (centre.diff() > 0).double().mean().item()


def label_times(path, frame_shift):
    """`(first, last)`, both `(U,)`: the seconds at which a path says each label first and last.

    `path`: states `(T,)`, as from `best_path`; or, where a frame may say several labels, the first and the last frame
    `(2, U)` of each. Frame t stands for the moment `t * frame_shift`. Raises ValueError for a path that is none: every
    label occurs, in order.
    """
    path = integers("path", path)
    if path.ndim == 2:
        return _frame_times(path, frame_shift)
    if path.ndim != 1 or not len(path) or path.min() < 0 or (path.diff() < 0).any():
        raise ValueError(f"path: {path.tolist()} came, expected states (T,) that never go back")
    labels = (int(path[-1]) + 1) // 2
    first = torch.empty(labels, dtype=torch.float64, device="cpu")
    last = torch.empty(labels, dtype=torch.float64, device="cpu")
    for u in range(labels):
        frames = torch.nonzero(path == 2 * u + 1).flatten()
        if not len(frames):
            raise ValueError(f"path: label {u} of {labels} is never said, expected a path that says all of them")
        first[u], last[u] = frames[0] * frame_shift, frames[-1] * frame_shift
    return first, last


def _frame_times(frames, frame_shift):
    """The same for frames `(2, U)`."""
    if len(frames) != 2 or (frames < 0).any() or (frames.diff() < 0).any() or (frames[0] > frames[1]).any():
        raise ValueError(f"path: {frames.tolist()} came, expected a first and a last frame (2, U) of labels in order")
    return tuple(frames.double() * frame_shift)


def word_boundaries(path, text, frame_shift):
    """The seconds at which one word ends and the next begins, `(words - 1,)`, as `path` has it:
    the middle between the last frame of one word's last letter and the first of the next's first.

    The path (see `label_times`) says the text, or the text and an end token behind it, as attention does. Raises ValueError otherwise.
    """
    first, last = label_times(path, frame_shift)
    if len(first) - len(text) not in (0, 1):
        raise ValueError(f"text: {text!r} has {len(text)} characters, the path says {len(first)}, expected as many")
    if text != " ".join(text.split()):
        raise ValueError(f"text: {text!r} came, expected words with one space between them")
    spaces = [u for u, character in enumerate(text) if character == " "]
    return torch.tensor([(last[u - 1] + first[u + 1]) / 2 for u in spaces], dtype=torch.float64, device="cpu")


def true_boundaries(utterance):
    """The same moments in truth: the middle of the gap between two words, `(words - 1,)` seconds."""
    gaps = zip(utterance.ends[:-1], utterance.starts[1:])
    return torch.tensor([(end + start) / 2 for end, start in gaps], dtype=torch.float64, device="cpu")


def uniform_boundaries(utterance):
    """The baseline that listens to nothing: every character lasts equally long."""
    text = utterance.text
    middles = [u + 0.5 for u, character in enumerate(text) if character == " "]
    return torch.tensor(middles, dtype=torch.float64, device="cpu") / len(text) * utterance.seconds


def boundary_errors(paths, utterances, frame_shift):
    """The word boundaries of each utterance's path, found minus true, all in one `(B,)`, in ms."""
    if len(paths) != len(utterances) or not len(paths):
        raise ValueError(f"paths: {len(paths)} came for {len(utterances)} utterances, expected one for each, at least one")
    found = [word_boundaries(path, u.text, frame_shift) for path, u in zip(paths, utterances)]
    return 1000 * (torch.cat(found) - torch.cat([true_boundaries(u) for u in utterances]))


def uniform_errors(utterances):
    """The same for the baseline: `uniform_boundaries` minus true, `(B,)`, in ms."""
    if not len(utterances):
        raise ValueError("utterances: none came, expected at least one")
    return 1000 * torch.cat([uniform_boundaries(u) - true_boundaries(u) for u in utterances])


def score(model, utterances, validation):
    """How well `model` finds the word boundaries of `utterances`: found minus true, `(B,)`, in ms, and the lag.

    The lag is the median of the same on the `validation` utterances, a constant of the model; it is taken off.
    """
    lag = boundary_errors(model.paths(validation), validation, model.frame_shift).median()
    return boundary_errors(model.paths(utterances), utterances, model.frame_shift) - lag, lag.item()


def word_delays(written, utterances, frame_shift):
    """The ms from the true end of each word to the moment in which its last letter is written, `(B,)`.

    `written`: [(labels, frames)], as from `Transducer.write`. Only words of texts that are right count: the letters of
    others belong to no word. Frame t stands for the moment `t * frame_shift`, and needs the sound up to half a window later.
    """
    if len(written) != len(utterances):
        raise ValueError(f"written: {len(written)} came for {len(utterances)} utterances, expected one for each")
    delays = []
    for (labels, frames), u in zip(written, utterances):
        if len(labels) != len(frames):
            raise ValueError(f"written: {len(labels)} labels came with {len(frames)} frames, expected one for each")
        if decode(labels) == u.text:
            last = [i - 1 for i, character in enumerate(u.text + " ") if character == " "]
            delays += [frames[i] * frame_shift + WINDOW / 2 / SAMPLE_RATE - end for i, end in zip(last, u.ends)]
    return 1000 * torch.tensor(delays, dtype=torch.float64, device="cpu")
