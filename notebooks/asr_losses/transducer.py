"""What does a text cost under the transducer, exactly and fast?

`transducer_loss` has the argument order and the values of torchaudio's `rnnt_loss`. The recursion is that of lesson 30
(Graves 2012, section 2.4), by anti-diagonals: all nodes whose frame and label add up to the same number are worked on
together, forwards and backwards in one loop.

An alignment is a walk over nodes (t, u): from each it *moves* on to the next frame, which is what the blank says, or
*emits* the next label. `move (N, T, U + 1)` and `emit (N, T, U)` hold the log-probabilities of these arcs.
"""

from numbers import Integral

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from asr_losses.arguments import check_arcs, check_labels, check_reduction, exact, shaped, sizes, texts

SLICE = 2**18  # logits that are normalised together: a small piece of memory, used again and again
LEAST = 1e-30  # occupancies below are 0: their products with probabilities would be numbers that are slow


def transducer_loss(
    logits, targets, logit_lengths, target_lengths, blank=0, reduction="mean", fused_log_softmax=True
):
    """-ln P(target | input) in nats, summed over all alignments (Graves 2012, section 2.4).

    logits: `(N, T, U + 1, C)`: for frame t of the encoder and the first u labels of the text, the scores of what comes
        next; the blank moves on to the next frame. float64 is computed in float64; float32 and less in float32, but the
        recursion always in float64. What lies behind an item's own lengths is never read.
    targets: `(N, U)`, padded with anything. logit_lengths: `(N,)`, the longest is T. target_lengths: `(N,)`, from 0 to U.
        All are integers, in a tensor, list, tuple or array.
    blank: the class that moves on, from 0 to C - 1. (torchaudio's default is the last one.)
    reduction: "none" gives `(N,)`; "sum"; "mean" of the items, which, unlike in ctc_loss, divides by no length.
    fused_log_softmax: False if `logits` are log-probabilities already. Then the gradient is minus the occupancy of the
        arcs; otherwise it is that of a log_softmax before it.

    A target always fits, however long it is. Where its labels or the blanks it needs have probability 0, the loss is inf
    and the gradient nan. A second derivative is a RuntimeError. Raises ValueError for labels that are blank or out of
    range, lengths that are no integers or do not match the logits, and log-probabilities that are none.
    """
    N, T, W, C = shaped("logits", logits, "(N, T, U + 1, C)").shape
    check_reduction(reduction)
    targets, heard, said = texts(targets, logit_lengths, target_lengths, (N, T, W))
    check_labels(targets, said, blank, C)
    targets = targets.to(logits.device)
    if fused_log_softmax:
        return _reduced(_Fused.apply(exact(logits), targets, heard, said, blank), reduction)
    if not logits.is_meta:
        first = exact(logits[:, 0].detach()).exp().sum(2).cpu()  # (N, U + 1); bfloat16 rounds it to up to 1.03
        if ((first > 1.1) & (torch.arange(W, device="cpu") <= said[:, None])).any():
            raise ValueError("logits: their exp sums to more than 1, expected log-probabilities, or fused_log_softmax=True")
    return _reduced(_Arcs.apply(*arcs(exact(logits), targets, blank), heard, said), reduction)


def sliced_transducer_loss(
    joint, encoded, predicted, targets, logit_lengths, target_lengths, blank=0, reduction="mean", frames=16
):
    """transducer_loss of the logits `joint(encoded, predicted)`, with those of `frames` frames in memory at a time.

    joint: a function of `encoded (N, t, D)` and `predicted (N, U + 1, E)` that gives logits `(N, t, U + 1, C)`; it is
        called once for each slice of the frames, and once more for the gradient.
    encoded: `(N, T, D)`. predicted: `(N, U + 1, E)`. The other arguments: see transducer_loss.
    """
    N, T, _ = shaped("encoded", encoded, "(N, T, D)").shape
    W = shaped("predicted", predicted, "(N, U + 1, E)").shape[1]
    if len(predicted) != N:
        raise ValueError(f"predicted: {len(predicted)} items came, expected {N}, as many as encoded")
    if not isinstance(frames, Integral) or frames < 1:
        raise ValueError(f"frames: {frames!r} came, expected at least 1")
    check_reduction(reduction)
    targets, heard, said = texts(targets, logit_lengths, target_lengths, (N, T, W))

    def of_slice(encoded, predicted):
        logits = shaped("joint", joint(encoded, predicted), "(N, t, U + 1, C)")
        if logits.shape[:3] != (N, encoded.shape[1], W):
            raise ValueError(f"joint: {tuple(logits.shape)} came, expected {(N, encoded.shape[1], W)} and the classes")
        check_labels(targets, said, blank, logits.shape[3])
        return arcs(exact(logits).log_softmax(3), targets.to(logits.device), blank)

    slices = [checkpoint(of_slice, part, predicted, use_reentrant=False) for part in encoded.split(frames, 1)]
    return _reduced(_Arcs.apply(*(torch.cat(parts, 1) for parts in zip(*slices)), heard, said), reduction)


def arcs(log_probs, targets, blank=0):
    """move `(N, T, U + 1)` and emit `(N, T, U)` from `log_probs (N, T, U + 1, C)` and targets `(N, U)`, padded with a class."""
    N, T, W, _ = log_probs.shape
    labels = targets[:, None, :, None].expand(N, T, W - 1, 1)
    moves = log_probs[..., blank].contiguous()  # a copy: a view would keep all classes in memory
    return moves, log_probs[:, :, : W - 1].gather(3, labels)[..., 0]


def arc_loss(move, emit, logit_lengths, target_lengths, reduction="mean"):
    """transducer_loss from the scores of the arcs, which need not be probabilities any more."""
    check_arcs(move, emit, "(N, T, U + 1)")
    check_reduction(reduction)
    heard, said = sizes(logit_lengths, target_lengths, move.shape)
    return _reduced(_Arcs.apply(exact(move), exact(emit), heard, said), reduction)


def occupancies(move, emit):
    """The probability, over all alignments of one text, of each arc: `(T, U + 1)` and `(T, U)`.

    ValueError, also from best_frames, for arcs that are none, and if the text has no alignment.
    """
    check_arcs(move, emit, "(T, U + 1)")
    move, emit = exact(move.detach()), exact(emit.detach())
    heard, said = torch.tensor([[len(move)], [emit.shape[1]]], device="cpu")
    loss, by_blank, by_label = _walk(move[None], emit[None], heard, said)
    if not loss.isfinite():
        raise ValueError(f"move, emit: the text has no alignment, its loss is {loss.item()}, expected a finite one")
    return by_blank[0].to(move.dtype), by_label[0, :, :-1].to(move.dtype)


def best_frames(move, emit):
    """The frame `(U,)` in which the best alignment says each label: the recursion with max for the sum, for one text."""
    device = occupancies(move, emit)[0].device  # after its checks
    move, emit = move.tolist(), emit.tolist()
    T, W = len(move), len(move[0])
    best, by_label = [[0.0] * W for _ in range(T)], [[False] * W for _ in range(T)]
    for t in range(T):
        for u in range(W):
            if t or u:
                moved = best[t - 1][u] + move[t - 1][u] if t else -torch.inf
                emitted = best[t][u - 1] + emit[t][u - 1] if u else -torch.inf
                best[t][u], by_label[t][u] = max((moved, False), (emitted, True))
    t, frames = T - 1, []
    while len(frames) < W - 1:
        if by_label[t][W - 1 - len(frames)]:
            frames.append(t)
        else:
            t -= 1
    return torch.tensor(frames[::-1], dtype=torch.long, device=device)


class _Fused(torch.autograd.Function):
    """From logits; the gradient is p times the occupancy of the node, less that of the arc."""

    @staticmethod
    def forward(ctx, logits, targets, heard, said, blank):
        slices = logits.split(max(1, SLICE // logits[:, 0].numel()), 1)
        parts = [arcs(part.log_softmax(3), targets, blank) for part in slices]
        losses, move, emit = _walk(*(torch.cat(part, 1) for part in zip(*parts)), heard, said)
        ctx.save_for_backward(logits, move.to(logits.dtype), emit.to(logits.dtype), targets)
        ctx.blank, ctx.heard, ctx.said = blank, heard.tolist(), said.tolist()
        return losses.to(logits.dtype)

    @staticmethod
    def backward(ctx, of_loss):
        logits, move, emit, targets = ctx.saved_tensors
        with torch.no_grad():
            move, emit = move * of_loss[:, None, None], emit[:, :, :-1] * of_loss[:, None, None]
            gradient = logits.softmax(3)
            gradient *= (move + F.pad(emit, (0, 1)))[..., None]
            gradient[..., ctx.blank] -= move
            labels = targets[:, None, :, None].expand(*emit.shape, 1)
            gradient[:, :, :-1].scatter_add_(3, labels, -emit[..., None])
            for item, T, U in zip(gradient, ctx.heard, ctx.said):
                item[T:] = 0.0  # not nan, whatever pads the logits
                item[:, U + 1 :] = 0.0
        return _Once.apply(gradient, logits, of_loss), None, None, None, None


class _Arcs(torch.autograd.Function):
    """From the scores of the arcs; the gradient is minus their occupancy."""

    @staticmethod
    def forward(ctx, move, emit, heard, said):
        losses, by_blank, by_label = _walk(move, emit, heard, said)
        ctx.save_for_backward(by_blank.to(move.dtype), by_label[:, :, :-1].to(emit.dtype), move, emit)
        return losses.to(move.dtype)

    @staticmethod
    def backward(ctx, of_loss):
        *occupancies, move, emit = ctx.saved_tensors
        with torch.no_grad():
            gradients = [-occupancy * of_loss[:, None, None] for occupancy in occupancies]
        return *(_Once.apply(gradient, move, emit, of_loss) for gradient in gradients), None, None


class _Once(torch.autograd.Function):
    """A gradient as it is, and an error for who asks how it depends on the rest: it would be wrong in silence."""

    @staticmethod
    def forward(ctx, gradient, *rest):
        return gradient

    @staticmethod
    def backward(ctx, _):
        raise RuntimeError("transducer_loss has no second derivative: let autograd differentiate a loop twice")


def _walk(move, emit, heard, said):
    """alpha and beta in one loop: time and text reversed, the N rows behind, are N more items.

    The losses `(N,)` and the occupancy of each arc, both `(N, T, U + 1)`, in float64.

    Every item is led to the same end: behind its last frame blanks are certain, and in one frame more, behind all, labels
    are. A diagonal is a row of U + 2 numbers for each item; the first of them is never reached.
    """
    N, T, W = move.shape
    eps, heard, said = torch.finfo(move.dtype).eps, heard.to(move.device), said.to(move.device)
    frame, place = torch.arange(T + 1, device=move.device), torch.arange(W, device=move.device)
    beyond = frame >= heard[:, None]  # (N, T + 1)
    finished = place >= said[:, None]  # (N, U + 1): no label is left
    outside = beyond[:, :T, None] | (place > said[:, None])[:, None]  # (N, T, U + 1)
    move = F.pad(move.double(), (0, 0, 0, 1), value=-torch.inf)
    move[:, :T].masked_fill_(outside, 0.0)
    emit = F.pad(emit.double(), (0, 1, 0, 1)).masked_fill_(beyond[:, :, None] | finished[:, None], -torch.inf)
    emit[:, T].masked_fill_(finished & (place < W - 1), 0.0)

    diagonals = move.new_full((3, T + W, 2 * N, W + 1), -torch.inf)
    by_blank, by_label, reached = (_nodes(rows, T) for rows in diagonals)  # (2N, T + 1, U + 1)
    by_blank[:N, 1:] = move[:, :-1]
    by_label[:N, :, 1:] = emit[:, :, :-1]
    by_blank[N:] = move.flip(1, 2)
    by_label[N:] = emit.flip(1, 2)
    reached[:, 0, 0] = 0.0
    _along(*diagonals)

    alpha, beta = reached[:N], reached[N:].flip(1, 2)
    log_p = alpha[:, T, W - 1]
    through = alpha[:, :T] - log_p[:, None, None]
    move = (through + move[:, :T] + beta[:, 1:]).exp_()
    emit = (through + emit[:, :T] + F.pad(beta[:, :T, 1:], (0, 1), value=-torch.inf)).exp_()
    for occupancy in (move, emit):
        torch.threshold_(occupancy, LEAST, 0.0).masked_fill_(outside, 0.0)
    # Rounding must not make a certain text cost less than nothing; scores that are no probabilities may.
    rounded = (log_p >= 0.0) & (log_p < (T + W) * eps)
    return (-log_p).masked_fill_(rounded, 0.0), move, emit


def _nodes(rows, T):
    """The diagonals `(T + U + 1, 2N, U + 2)` seen as lattices `(2N, T + 1, U + 1)`: the same memory."""
    _, items, width = rows.shape
    shape, strides = (items, T + 1, width - 1), (width, items * width, items * width + 1)
    return rows.as_strided(shape, strides, rows.storage_offset() + 1)


def _along(by_blank, by_label, reached):
    """Fills the diagonals of `reached`: each node is reached by a blank or by a label."""
    views = by_blank[..., 1:], by_label[..., 1:], reached[..., 1:], reached[..., :-1]  # slicing costs as much as adding
    (_, _, before, left), *rows = zip(*(view.unbind() for view in views))
    for blank, label, now, next_left in rows:
        torch.logaddexp(blank.add_(before), label.add_(left), out=now)
        before, left = now, next_left


def _reduced(losses, reduction):
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()
