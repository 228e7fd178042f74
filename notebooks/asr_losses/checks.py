"""What must hold before cross-entropy over tokens means anything? Each check raises a ValueError that says what came."""

import torch

from asr_losses.arguments import integers, kind


def targets(targets, target_lengths, vocabulary):
    """`targets (N, U)` hold tokens from 1 to `vocabulary - 1` up to `target_lengths (N,)`; an empty target says: nothing."""
    if kind(targets) != torch.long:
        raise ValueError(f"targets: {kind(targets)} came, expected a tensor (N, U) of torch.int64")
    if targets.ndim != 2 or not len(targets):
        raise ValueError(f"targets: shape {tuple(targets.shape)} came, expected (N, U) with N >= 1")
    if kind(target_lengths) != torch.long:
        raise ValueError(f"target_lengths: {kind(target_lengths)} came, expected a tensor of torch.int64")
    if target_lengths.shape != targets.shape[:1]:
        raise ValueError(f"target_lengths: shape {tuple(target_lengths.shape)} came, expected ({len(targets)},)")
    if not ((target_lengths >= 0) & (target_lengths <= targets.shape[1])).all():
        raise ValueError(f"target_lengths: {target_lengths.tolist()} came, expected 0 to {targets.shape[1]}")
    real = targets[torch.arange(targets.shape[1], device=targets.device) < target_lengths.to(targets.device)[:, None]]
    if len(real) and (real.min() < 1 or real.max() >= vocabulary):
        raise ValueError(f"targets: tokens from {real.min()} to {real.max()} came, expected 1 to {vocabulary - 1}")


def logits(logits, labels):
    """`logits (N, U, V)` go with `labels (N, U)`: tokens from 0 to `V - 1`."""
    if not isinstance(logits, torch.Tensor) or not logits.is_floating_point():
        raise ValueError(f"logits: {kind(logits)} came, expected a tensor of floats (N, U, V)")
    if not isinstance(labels, torch.Tensor):
        raise ValueError(f"labels: {kind(labels)} came, expected a tensor of integers (N, U)")
    if logits.ndim != 3 or logits.shape[:2] != labels.shape or 0 in logits.shape:
        raise ValueError(
            f"logits: shape {tuple(logits.shape)} came for labels {tuple(labels.shape)}, expected (N, U, V) for (N, U)"
        )
    integers("labels", labels)
    if labels.min() < 0 or labels.max() >= logits.shape[2]:
        raise ValueError(
            f"labels: tokens from {labels.min()} to {labels.max()} came, expected 0 to {logits.shape[2] - 1}, as logits have it"
        )


def mask(may, queries, memory):
    """`may`, bool, spreads to `(N, heads, U, T)`; True: this query may see this position.

    Position 0 is never padding and lies in nobody's future, so it must be visible to all: a mask that
    hides it has the wrong polarity.
    """
    N, U, T = len(queries), queries.shape[1], memory.shape[1]
    if not T or may.ndim < 1:
        raise ValueError(f"may: shape {tuple(may.shape)} came for {T} positions, expected (..., T) with T >= 1")
    if may.dtype != torch.bool:
        raise ValueError(f"may: a mask of {may.dtype} came, expected torch.bool, True for what may be seen")
    shape = (1,) * (4 - may.ndim) + tuple(may.shape)
    if may.ndim > 4 or any(size not in (1, full) for size, full in zip(shape, (N, 1, U, T))) or shape[3] != T:
        raise ValueError(f"may: shape {tuple(may.shape)} came, expected one that spreads to (N, 1, U, T) = {(N, 1, U, T)}")
    if not may[..., 0].all():
        raise ValueError("may: position 0 is hidden, expected True for what may be SEEN; this mask says True for what is hidden")
