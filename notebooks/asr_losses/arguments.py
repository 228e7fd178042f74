"""Is an argument what a function can work with? If not, a ValueError says its name, what came and what was expected."""

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


def floats(name, values, shape, finite=True):
    """`values` unchanged: a tensor of floats with the dimensions that `shape` names, such as "(T, C)", none empty.

    nan is no value, nor is inf; -inf is one unless `finite`. Tensors on the meta device have none to look at.
    """
    if not isinstance(values, torch.Tensor) or not values.is_floating_point():
        raise ValueError(f"{name}: {kind(values)} came, expected a tensor of floats {shape}")
    if values.ndim != len(shape.strip("(,)").split(",")) or 0 in values.shape:
        raise ValueError(f"{name}: shape {tuple(values.shape)} came, expected {shape}, nothing empty")
    if not values.is_meta and values.isfinite().all():
        return values
    if not values.is_meta and values.isnan().any():
        raise ValueError(f"{name}: {int(values.isnan().sum())} values are nan, expected none")
    infinite = values.isinf() if finite else values.isposinf()
    if not values.is_meta and infinite.any():
        raise ValueError(f"{name}: {int(infinite.sum())} values are infinite, expected none")
    return values


def exact(values):
    """float64 as it is, anything else in float32: what half precision is computed in."""
    return values if values.dtype == torch.float64 else values.float()


def kind(value):
    """What came, in a word: the dtype of a tensor, the type of anything else."""
    return value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
