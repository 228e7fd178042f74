"""What does a text cost under CTC, exactly and fast?

`ctc_loss` has the signature and the values of `torch.nn.functional.ctc_loss`, its gradient is the
true derivative, and it is several times as fast on a CPU (`make bench`).

The recursion is that of lesson 1 (Graves et al. 2006, section 4.1) with two states for each
number k of characters said so far: b (a blank came last) and l (character k came last), as in
prefix beam search.
"""

import torch

FLOOR = -1e30  # stands for log 0; finite, so that differences of two of them are no nan


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """-ln P(target | input) in nats, summed over all alignments (Graves et al. 2006, equation 3).

    log_probs: `(T, N, C)`, or `(T, C)` for one item; logs of probabilities, float32 or float64
        (float16 and bfloat16 are computed in float32).
    targets: `(N, U)` padded with anything, `(U,)` for one item, or all targets concatenated.
    input_lengths, target_lengths: `(N,)` integers, or one integer for one item.
    reduction: "none" gives `(N,)`; "sum"; "mean" divides each item's loss by its target length
        (at least 1), then averages, as torch does.
    zero_infinity: count items whose target does not fit as 0; otherwise their loss is inf and
        their gradient nan, as in torch.

    The gradient with respect to log_probs is the derivative, -gamma; torch returns
    exp(log_probs) - gamma. After a log_softmax both are p - gamma.

    Raises ValueError for what torch takes in silence: labels that are blank or out of range,
    lengths that do not match, probabilities in place of their logs, a blank of probability 0.
    """
    single = log_probs.ndim == 2
    if single:
        log_probs = log_probs[:, None]
    targets, input_lengths, target_lengths = _checked(
        log_probs, targets, input_lengths, target_lengths, blank, reduction, single
    )
    exact = log_probs if log_probs.dtype == torch.float64 else log_probs.float()
    losses = _CTC.apply(exact, targets, input_lengths, target_lengths, blank, zero_infinity)
    losses = losses.to(log_probs.dtype)
    if reduction == "mean":
        return (losses / target_lengths.clamp(min=1)).mean()
    if reduction == "sum":
        return losses.sum()
    return losses[0] if single else losses


class _CTC(torch.autograd.Function):
    @staticmethod
    def forward(ctx, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity):
        T, N, C = log_probs.shape
        U = targets.shape[1]
        used = torch.arange(T)[:, None] < input_lengths  # (T, N)
        index = targets.expand(T, N, U)
        blanks = log_probs[:, :, blank]
        # Odds against the blank: then a blank changes nothing, and b is u of the frame before.
        # A padding frame is a certain blank: no masks in the loop.
        scores = log_probs.gather(2, index).clamp_(min=FLOOR).transpose(1, 2)  # (T, U, N)
        emissions = scores.new_empty(T, U, 2 * N)
        odds = torch.sub(scores, blanks.masked_fill(~used, -FLOOR)[:, None], out=emissions[:, :, :N])
        # Time and text reversed are the second half of the batch: alpha and beta in one loop.
        emissions[:, :, N:] = odds.flip(0, 1)
        same = (targets[:, 1:] == targets[:, :-1]).T  # (U - 1, N)
        gate = scores.new_zeros(U, 2 * N)  # 0, or -inf where a repeat may only follow a blank
        gate[1:].masked_fill_(torch.cat([same, same.flip(0)], 1), -torch.inf)

        # u: k characters said, whatever came last; b: and a blank came last; l: and character k did.
        u = scores.new_full((U + 1, 2 * N), -torch.inf)
        u[0, :N] = 0.0
        u[U - target_lengths, torch.arange(N, 2 * N)] = 0.0  # the reversed text ends at U, so begins here
        b, l, enter = torch.full_like(u, -torch.inf), torch.full_like(gate, -torch.inf), torch.empty_like(gate)
        b[0] = u[0]
        said = torch.empty_like(emissions)  # l of every frame
        us, bs = (u[:-1], u[1:]), (b[:-1], b[1:])
        for emission, new in zip(emissions.unbind(0), said.unbind(0)):
            torch.add(us[0], gate, out=enter)
            torch.maximum(enter, bs[0], out=enter)  # u >= b: so this is u, or b behind a closed gate
            l = torch.logaddexp(l, enter, out=new).add_(emission)
            torch.logaddexp(us[1], l, out=bs[1])  # the new u takes the place of b, and u is the new b
            us, bs = bs, us
        u = b if T % 2 else u
        log_p = u[target_lengths, torch.arange(N)]
        impossible = ~(log_p > FLOOR / 2)

        if ctx.needs_input_grad[0]:
            gamma = said[:, :, N:].flip(0, 1)  # beta
            gamma.add_(said[:, :, :N]).sub_(odds).sub_(log_p).exp_()  # the emission counts once
            gamma.masked_fill_(impossible, 0.0)
            rest = used.to(gamma.dtype) - gamma.sum(1)  # the blank has what the characters leave
            rest.masked_fill_(used & impossible, 0.0 if zero_infinity else torch.nan)
            ctx.save_for_backward(gamma, rest, index)
            ctx.shape, ctx.blank = log_probs.shape, blank
        loss = -(log_p + blanks.masked_fill(~used, 0.0).sum(0))
        return loss.masked_fill(impossible, 0.0 if zero_infinity else torch.inf)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, of_loss):
        gamma, rest, index = ctx.saved_tensors
        gradient = gamma.new_zeros(ctx.shape)
        gradient.scatter_add_(2, index, (gamma * -of_loss).transpose(1, 2))
        gradient[:, :, ctx.blank] = rest * -of_loss
        return gradient, None, None, None, None, None


def _checked(log_probs, targets, input_lengths, target_lengths, blank, reduction, single):
    """targets padded with blanks `(N, U)` (U at least 1) and lengths `(N,)`, after all checks."""
    if not log_probs.is_floating_point() or log_probs.ndim != 3 or 0 in log_probs.shape:
        shape = tuple(log_probs.shape)
        raise ValueError(f"log_probs: {log_probs.dtype} of shape {shape} came, expected floats (T, N, C) or (T, C)")
    T, N, C = log_probs.shape
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"reduction: {reduction!r} came, expected 'none', 'sum' or 'mean'")
    if not 0 <= blank < C:
        raise ValueError(f"blank: {blank} came, expected a class from 0 to {C - 1}")
    if C > 1 and log_probs[0].min() >= 0:
        raise ValueError("log_probs: no value is negative, expected logarithms of probabilities")
    lengths = []
    for name, values in (("input_lengths", input_lengths), ("target_lengths", target_lengths)):
        values = torch.as_tensor(values, dtype=torch.long).reshape(-1)
        if len(values) != N:
            raise ValueError(f"{name}: {len(values)} came, expected one for each of {N} items")
        lengths.append(values)
    input_lengths, target_lengths = lengths
    if input_lengths.min() < 0 or input_lengths.max() > T:
        raise ValueError(f"input_lengths: {input_lengths.tolist()} came, expected 0 to T = {T}")
    if target_lengths.min() < 0:
        raise ValueError(f"target_lengths: {target_lengths.tolist()} came, expected no negative length")
    targets = torch.as_tensor(targets)
    if targets.is_floating_point() or targets.ndim not in (1, 2):
        raise ValueError(f"targets: {targets.dtype} of shape {tuple(targets.shape)} came, expected integers (N, U) or 1-D")
    longest = int(target_lengths.max())
    real = torch.arange(max(longest, 1)) < target_lengths[:, None]  # (N, U)
    padded = torch.full(real.shape, blank)
    if targets.ndim == 1:
        if len(targets) != target_lengths.sum() and not (single and len(targets) >= longest):
            raise ValueError(f"targets: {len(targets)} labels came, expected sum(target_lengths) = {target_lengths.sum()}")
        padded[real] = targets[: int(target_lengths.sum())].long()
    else:
        if len(targets) != N or targets.shape[1] < longest:
            raise ValueError(f"targets: shape {tuple(targets.shape)} came, expected ({N}, U) with U >= {longest}")
        padded[real] = targets[:, : real.shape[1]][real[:, : targets.shape[1]]].long()
    labels = padded[real]
    if ((labels == blank) | (labels < 0) | (labels >= C)).any():
        raise ValueError(f"targets: expected labels from 0 to {C - 1} other than the blank {blank}")
    if (log_probs[:, :, blank].isneginf() & (torch.arange(T)[:, None] < input_lengths)).any():
        raise ValueError(f"log_probs: class {blank}, the blank, has probability 0 in some frame, expected more")
    return padded, input_lengths, target_lengths
