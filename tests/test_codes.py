"""Codes: the nearest centre is the nearest."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from asr_losses import codes


def test_nearest_far_from_the_origin():
    x = torch.arange(5.0)[:, None] + 1e4
    assert codes.nearest(x, x).tolist() == [0, 1, 2, 3, 4]
    x = torch.tensor([[0.0], [1.0], [2.0], [1e5]])
    assert codes.nearest(x, x).tolist() == codes.nearest(x.double(), x).tolist() == [0, 1, 2, 3]


@given(st.integers(0, 10**6), st.integers(1, 20), st.integers(1, 9), st.sampled_from([0.0, 1.0, 1e4, -1e5]))
def test_nearest_is_nearest(seed, L, K, offset):
    x = (10 * torch.randn(L, 3, generator=torch.Generator().manual_seed(seed)) + offset).float()
    centres = (10 * torch.randn(K, 3, generator=torch.Generator().manual_seed(seed + 1)) + offset).float()
    distances = (x.double()[:, None] - centres.double()).norm(dim=2)
    found = distances.gather(1, codes.nearest(x, centres)[:, None])[:, 0]
    assert (found <= distances.amin(1) * (1 + 1e-3) + 1e-3).all()
