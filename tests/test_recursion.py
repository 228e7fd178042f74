"""CTC in its smallest form: equal to enumeration and to torch, and infinite where nothing fits."""

import math

import pytest
import torch
import torch.nn.functional as F

from asr_losses import recursion

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("target", [[], [1], [1, 2], [1, 1], [2, 2, 1]])
@pytest.mark.parametrize("T", [1, 2, 4, 6])
def test_recursion_equals_enumeration_and_torch(target, T):
    log_probs = torch.randn(T, 3, generator=torch.Generator().manual_seed(T)).log_softmax(1)
    paths = recursion.paths(target, T, 3)
    loss = recursion.recursion_loss(log_probs, target)
    targets = torch.tensor([target], dtype=torch.long)
    by_torch = F.ctc_loss(log_probs[:, None], targets, (T,), (len(target),), reduction="sum")
    torch.testing.assert_close(loss, by_torch)
    if not paths:
        assert loss == math.inf
        return
    listed = torch.stack([recursion.path_log_prob(log_probs, path) for path in paths])
    torch.testing.assert_close(loss, -listed.logsumexp(0))
    states, jump = recursion.lattice(target)
    through = recursion.forward(log_probs, states, jump) + recursion.backward(log_probs, target) - log_probs[:, states]
    torch.testing.assert_close(through.logsumexp(1), -loss.expand(T))
    shares = (listed - listed.logsumexp(0)).exp()
    gamma, by_hand = recursion.state_occupancy(log_probs, target), torch.zeros(T, len(states))
    for path, share in zip(paths, shares):
        u, before = 0, 0
        for t, label in enumerate(path):
            u += label != 0 and label != before
            by_hand[t, 2 * u - 1 if label else 2 * u] += share
            before = label
    torch.testing.assert_close(gamma, by_hand)
