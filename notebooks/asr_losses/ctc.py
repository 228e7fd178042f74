"""What does a text cost under CTC, exactly and fast?

`ctc_loss` has the signature and the values of `torch.nn.functional.ctc_loss`, its gradient is the true
derivative, and on a CPU it takes a fraction of the time (`make bench`).

The recursion is that of lesson 10 (Graves et al. 2006, section 4.1) with two states for each number k of
labels said so far: b (a blank came last) and l (label k came last), as in prefix beam search.
"""

import math

import numpy as np
import torch

from asr_losses.arguments import check_blank, check_reduction, exact, integers, kind, lengths

BLOCK = 16  # frames that are worked on together: more are a little faster, fewer more exact in float32


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False
):
    """-ln P(target | input) in nats, summed over all alignments (Graves et al. 2006, equation 3).

    log_probs: `(T, N, C)`, or `(T, C)` for one item; logs of probabilities. float64 is computed in float64;
        float32, float16 and bfloat16 in float32, and the loss comes in that.
    targets: `(N, U)` padded with anything, `(U,)` for one item, or all targets concatenated.
    input_lengths, target_lengths: `(N,)`, or one for one item. Like targets integers, in a tensor, list,
        tuple or array. What lies behind an item's input length is never read.
    blank: the class that says nothing, from 0 to C - 1.
    reduction: "none" gives `(N,)`; "sum"; "mean" divides each item's loss by its target length (at least 1),
        then averages, as torch does.
    zero_infinity: count items whose target does not fit as 0; otherwise their loss is inf and their gradient
        nan, as in torch. nan where an item's labels or the blank stand gives nan either way.

    The gradient with respect to log_probs is the derivative, -gamma; torch returns exp(log_probs) - gamma.
    After a log_softmax both are p - gamma. `torch.func.grad`, `jacrev` and `vmap` work; a second derivative
    is a RuntimeError. Raises ValueError for what torch takes in silence: labels that are blank or out of
    range, lengths that are no integers or do not match, probabilities in place of their logs.
    """
    _check(log_probs, blank, reduction)
    single = log_probs.ndim == 2
    if single:
        log_probs = log_probs[:, None]
    targets = integers("targets", targets)
    if targets.ndim not in (1, 2):
        raise ValueError(f"targets: shape {tuple(targets.shape)} came, expected (N, U) or 1-D")
    if single and targets.ndim == 1:
        targets = targets[None]
    input_lengths = lengths("input_lengths", input_lengths, log_probs.shape[1])
    target_lengths = lengths("target_lengths", target_lengths, log_probs.shape[1])
    losses = _CTC.apply(exact(log_probs), targets, input_lengths, target_lengths, blank, zero_infinity)[0]
    if reduction == "mean":
        return (losses / target_lengths.clamp(min=1).to(losses.device)).mean()
    if reduction == "sum":
        return losses.sum()
    return losses[0] if single else losses


def _check(log_probs, blank, reduction):
    """ValueError for what is not as ctc_loss takes it, as far as types and shapes tell."""
    if not isinstance(log_probs, torch.Tensor) or not log_probs.is_floating_point():
        raise ValueError(f"log_probs: {kind(log_probs)} came, expected a tensor of floats")
    shape = tuple(log_probs.shape)
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"log_probs: shape {shape} came, expected (T, N, C) or (T, C), nothing empty")
    check_blank(blank, shape[-1])
    check_reduction(reduction)


class _CTC(torch.autograd.Function):
    @staticmethod
    def forward(log_probs, targets, heard, said, blank, zero_infinity):
        T, N, _ = log_probs.shape
        labels, repeat, begins, ends, padding = _columns(log_probs, targets, heard, said, blank)
        gamma, scale, u, taken = _recursion(log_probs, labels, repeat, begins, padding)
        log_p = u[:N].gather(1, ends)[:, 0] + taken[:N]  # (N,)
        impossible = log_p.isneginf()
        gamma += scale.sub_(log_p).masked_fill_(impossible, -torch.inf).to(gamma.dtype)[:, :, None]
        least = 100 * torch.finfo(gamma.dtype).tiny  # smaller numbers are slow, and nothing beside 1
        gamma.clamp_(min=math.log(least), max=0.0).exp_()
        torch.threshold_(gamma, 2 * least, 0.0)
        rest = torch.sub(1.0, gamma.sum(2)).clamp_(min=0.0)  # the blank has what the labels leave
        rest.masked_fill_(impossible, 0.0 if zero_infinity else torch.nan)
        gamma[:, :, 0] = rest if padding is None else rest.masked_fill_(padding, 0.0)
        # Rounding must not make a certain text cost less than nothing; scores that are no probabilities may.
        rounded = (log_p >= 0.0) & (log_p < T * torch.finfo(gamma.dtype).eps)
        loss = (-log_p).masked_fill_(rounded, 0.0)
        loss.masked_fill_(impossible, 0.0 if zero_infinity else torch.inf)
        return loss.to(gamma.dtype), gamma, labels[:N]

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(inputs[0], *output[1:])

    @staticmethod
    def backward(ctx, of_loss, *_):
        # Grad mode is on where somebody asked for a graph, and may differentiate the result again.
        gradient = _Gradient.apply if torch.is_grad_enabled() else _Gradient.forward
        return gradient(*ctx.saved_tensors, of_loss), None, None, None, None, None

    @staticmethod
    def vmap(info, in_dims, *arguments):
        *tensors, blank, zero_infinity = arguments
        tensors = _as_items(info.batch_size, in_dims, (1, 0, 0, 0), tensors)
        losses, gamma, labels = _CTC.apply(*tensors, blank, zero_infinity)
        sizes = (info.batch_size, -1)
        return (losses.unflatten(0, sizes), gamma.unflatten(1, sizes), labels.unflatten(0, sizes)), (0, 1, 0)


class _Gradient(torch.autograd.Function):
    """of_loss `(N,)` times the derivative with respect to log_probs, -gamma, as `(T, N, C)`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(log_probs, gamma, labels, of_loss):
        parts = gamma * -of_loss[:, None]  # (T, N, 1 + U)
        return parts.new_zeros(log_probs.shape).scatter_add_(2, labels.expand_as(parts), parts)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *_):
        raise RuntimeError(
            "ctc_loss has no second derivative: write the recursion in plain operations, as lesson 10 does, "
            "and let autograd differentiate it twice"
        )


def _recursion(log_probs, labels, repeat, begins, padding):
    """alpha and beta in one loop: text and time reversed, the rows from N on of `labels`, are N more items.

    gamma `(T, N, 1 + U)`: ln of the sum over all paths that say label k in frame t, less scale `(T, N)`.
    u `(2N, 1 + U)`: ln of the sum over all paths that say the first k labels, less taken `(2N,)`.
    """
    T, N, _ = log_probs.shape
    # ln of the sums over all beginnings that say k labels. b: a blank came last; l: label k did; u: either.
    states = log_probs.new_full((3, *labels.shape), -torch.inf)
    u, b, l = states.unbind()
    u.scatter_(1, begins, 0.0)
    enter = torch.full_like(u, -torch.inf)
    views = u, b, l, u[:, :-1], b[:, :-1], enter, enter[:, 1:]  # made once: slicing costs as much as adding
    index = labels.expand(min(BLOCK, T), *labels.shape)  # (BLOCK, 2N, 1 + U)
    emissions = log_probs.new_empty(index.shape)
    reached = torch.empty_like(emissions)  # l of every frame, before its emission
    frames = list(zip(emissions.unbind(), emissions[:, :, :1].unbind(), reached.unbind()))
    taken = log_probs.new_zeros(2 * N, dtype=torch.float64)
    scale = log_probs.new_zeros(T, N, dtype=torch.float64)
    gamma = log_probs.new_zeros(T, N, labels.shape[1])
    for start in range(0, T, BLOCK):
        size = min(BLOCK, T - start)
        now = slice(start, start + size)
        then = slice(T - start - size, T - start)
        _emit(emissions[:size], log_probs, index[:size], padding, now, then)
        _walk(frames[:size], views, repeat)
        gamma[now] += reached[:size, :N].add_(emissions[:size, :N])  # the emission counts once
        gamma[then, :, 1:] += reached[:size, N:, 1:].flip(0, 2)
        scale[now] += taken[:N]
        scale[then] += taken[N:]
        # The best state is moved to 0; what that takes is kept in float64: small numbers have more digits.
        best = u.amax(1)
        best.masked_fill_(best.isneginf(), 0.0)
        states -= best[:, None]
        taken += best
    return gamma, scale, u, taken


def _emit(emissions, log_probs, index, padding, now, then):
    """Fills `emissions (size, 2N, 1 + U)` with the frames `now`; reversed texts: `then`, backwards."""
    N = log_probs.shape[1]
    emissions[:, :N] = log_probs[now].gather(2, index[:, :N])
    emissions[:, N:] = log_probs[then].gather(2, index[:, N:]).flip(0)
    if padding is not None:  # a frame behind the end is a certain blank: no masks in the loop
        beyond = torch.cat([padding[now], padding[then].flip(0)], 1)
        emissions.masked_fill_(beyond[:, :, None], -torch.inf)
        emissions[:, :, 0].masked_fill_(beyond, 0.0)


def _walk(frames, views, repeat):
    """Takes the states over `frames`: each has its emissions, the blank's, and room for what reaches l."""
    u, b, l, u_before, b_before, enter, enter_now = views
    for emission, of_blank, new in frames:
        torch.where(repeat, b_before, u_before, out=enter_now)  # a repeat may only follow a blank
        torch.logaddexp(l, enter, out=new)
        torch.add(new, emission, out=l)
        torch.add(u, of_blank, out=b)
        torch.logaddexp(b, l, out=u)


def _as_items(size, dims, axes, tensors):
    """Each tensor with its mapped dimension of `size` (None: the same for all) joined to its items' axis."""
    first = (x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0) for x, dim in zip(tensors, dims))
    return [x.movedim(0, axis).flatten(axis, axis + 1) for x, axis in zip(first, axes)]


def _columns(log_probs, targets, heard, said, blank):
    """What the recursion needs to know of the texts, after all checks, in tensors where log_probs is.

    labels `(2N, 1 + U)`: the blank, then the labels, padded with blanks; for item N + n those of item n
    reversed. repeat `(2N, U)`: is label k the same as label k - 1? begins `(2N, 1)`, ends `(N, 1)`: the
    columns in which texts begin and end. padding `(T, N)`: is the frame behind its item? None if none is.
    """
    T, N, C = log_probs.shape
    heard = heard.cpu().numpy()
    said = said.cpu().numpy()
    if heard.min() < 0 or heard.max() > T:
        raise ValueError(f"input_lengths: {heard.tolist()} came, expected 0 to T = {T}")
    if said.min() < 0:
        raise ValueError(f"target_lengths: {said.tolist()} came, expected no negative length")
    targets = targets.cpu().numpy()
    if targets.ndim == 1 and len(targets) != said.sum():
        raise ValueError(f"targets: {len(targets)} labels came, expected sum(target_lengths) = {said.sum()}")
    if targets.ndim == 2 and (len(targets) != N or targets.shape[1] < said.max()):
        raise ValueError(f"targets: shape {targets.shape} came, expected ({N}, U) with U >= {said.max()}")
    real = np.arange(max(said.max(), 1)) < said[:, None]  # (N, U)
    found = targets if targets.ndim == 1 else targets[:, : real.shape[1]][real[:, : targets.shape[1]]]
    if ((found < 0) | (found >= C) | (found == blank)).any():
        raise ValueError(f"targets: expected labels from 0 to {C - 1} other than the blank {blank}")
    first = log_probs[0] if heard.min() > 0 else log_probs[0, heard.nonzero()[0]]
    if C > 1 and len(first) and not log_probs.is_meta and first.min() >= 0:
        raise ValueError("log_probs: no value is negative, expected logarithms of probabilities")
    U = real.shape[1]
    labels = np.full((2 * N, 1 + U), blank)
    labels[:N, 1:][real] = found
    labels[N:, 1:] = labels[:N, :0:-1]
    begins = np.concatenate([np.zeros_like(said), U - said])[:, None]  # a reversed text ends in column U
    parts = [labels, labels[:, 1:] == labels[:, :-1], begins, said[:, None]]
    if heard.min() < T:
        parts.append(np.arange(T)[:, None] >= heard)
    labels, repeat, begins, ends, *padding = (torch.from_numpy(part).to(log_probs.device) for part in parts)
    return labels, repeat, begins, ends, padding[0] if padding else None
