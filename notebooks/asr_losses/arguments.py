"""Is an argument what a function can work with? If not, a ValueError says its name, what came and what was expected."""

from numbers import Integral

import numpy as np
import torch


def integers(name, values):
    """`values`, a tensor, list, tuple or array of integers, as an int64 tensor."""
    if not isinstance(values, torch.Tensor):
        try:
            array = np.array(values)  # a copy: native byte order, no negative strides, writable
            values = torch.as_tensor(array.astype(array.dtype.newbyteorder("=")), device="cpu")
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(f"{name}: {values!r} came, expected integers, as many in each row") from None
    if values.is_meta:
        raise ValueError(f"{name}: a tensor on the meta device came, which has no values, expected integers")
    if values.numel() == 0:
        values = values.long()  # torch.tensor([]) holds no float either
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"{name}: {values.dtype} came, expected integers")
    return values.long()


def lengths(name, values, N):
    """The lengths of N items as integers `(N,)`; see `integers`."""
    values = integers(name, values).reshape(-1)
    if len(values) != N:
        raise ValueError(f"{name}: {len(values)} came, expected one for each of {N} items")
    return values


def check_blank(blank, C):
    """ValueError unless `blank` is one of C classes."""
    if not isinstance(blank, Integral) or isinstance(blank, bool) or not 0 <= blank < C:
        raise ValueError(f"blank: {blank!r} came, expected a class from 0 to {C - 1}")


def check_reduction(reduction):
    """ValueError unless `reduction` is one of torch's three."""
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"reduction: {reduction!r} came, expected 'none', 'sum' or 'mean'")


def check_labels(targets, lengths, blank, C):
    """ValueError unless the blank is one of C classes, and the first `lengths (N,)` of `targets (N, U)` are others."""
    check_blank(blank, C)
    real = torch.arange(targets.shape[1], device=targets.device) < lengths[:, None]
    if (real & ((targets < 0) | (targets >= C) | (targets == blank))).any():
        raise ValueError(f"targets: expected labels from 0 to {C - 1} other than the blank {blank}")


def shaped(name, values, shape):
    """`values` unchanged: a tensor of floats with the dimensions that `shape` names, such as "(T, C)", none empty."""
    if not isinstance(values, torch.Tensor) or not values.is_floating_point():
        raise ValueError(f"{name}: {kind(values)} came, expected a tensor of floats {shape}")
    if values.ndim != len(shape.strip("(,)").split(",")) or 0 in values.shape:
        raise ValueError(f"{name}: shape {tuple(values.shape)} came, expected {shape}, nothing empty")
    return values


def floats(name, values, shape, finite=True):
    """`values` unchanged: a tensor of floats with the dimensions that `shape` names, such as "(T, C)", none empty.

    nan is no value, nor is inf; -inf is one unless `finite`. Tensors on the meta device have none to look at.
    """
    shaped(name, values, shape)
    if not values.is_meta and values.isfinite().all():
        return values
    if not values.is_meta and values.isnan().any():
        raise ValueError(f"{name}: {int(values.isnan().sum())} values are nan, expected none")
    infinite = values.isinf() if finite else values.isposinf()
    if not values.is_meta and infinite.any():
        raise ValueError(f"{name}: {int(infinite.sum())} values are infinite, expected none")
    return values


def check_arcs(move, emit, shape):
    """ValueError unless both are floats, `move` with the dimensions that `shape` names, `emit` with one place less."""
    *outer, W = shaped("move", move, shape).shape
    if not isinstance(emit, torch.Tensor) or not emit.is_floating_point() or emit.shape != (*outer, W - 1):
        came = tuple(getattr(emit, "shape", ()))
        raise ValueError(f"emit: {kind(emit)} {came} came, expected a tensor of floats {(*outer, W - 1)}")


def texts(targets, logit_lengths, target_lengths, shape):
    """`targets`, padded with 0, and both lengths, on the CPU; ValueError unless they fit a lattice (N, T, U + 1)."""
    N, _, W = shape
    targets = integers("targets", targets).cpu()
    if W == 1 and targets.numel() == 0:
        targets = targets.view(N, 0)
    if targets.shape != (N, W - 1):
        raise ValueError(f"targets: shape {tuple(targets.shape)} came, expected {(N, W - 1)}, where U + 1 = {W}")
    heard, said = sizes(logit_lengths, target_lengths, shape)
    return targets.masked_fill(torch.arange(W - 1, device="cpu") >= said[:, None], 0), heard, said


def sizes(logit_lengths, target_lengths, shape):
    """Both lengths `(N,)`, on the CPU; ValueError unless they fit a lattice (N, T, U + 1)."""
    N, T, W = shape
    heard, said = lengths("logit_lengths", logit_lengths, N).cpu(), lengths("target_lengths", target_lengths, N).cpu()
    if heard.min() < 1 or heard.max() != T:
        raise ValueError(f"logit_lengths: {heard.tolist()} came, expected 1 to T = {T}, and the longest T")
    if said.min() < 0 or said.max() > W - 1:
        raise ValueError(f"target_lengths: {said.tolist()} came, expected 0 to U = {W - 1}")
    return heard, said


def exact(values):
    """float64 as it is, anything else in float32: what half precision is computed in."""
    return values if values.dtype == torch.float64 else values.float()


def kind(value):
    """What came, in a word: the dtype of a tensor, the type of anything else."""
    return value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
