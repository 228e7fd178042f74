"""The fast CTC loss: equal to enumeration and to torch, in value and gradient, and it refuses nonsense."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from asr_losses.ctc import ctc_loss


def random_case(seed):
    """Logits (T, N, C) with targets, lengths and a blank: T = 1, repeats, empty and too long texts among them."""
    generator = torch.Generator().manual_seed(seed)

    def integer(low, high, shape=()):
        return torch.randint(low, high + 1, shape, generator=generator)

    T, N, C, U = (int(integer(1, high)) for high in (10, 4, 6, 6))
    C, blank = C + 1, int(integer(0, C))
    targets = integer(0, min(C - 2, 1 + seed % 4), (N, U))  # few labels, so many repeats
    targets = targets + (targets >= blank)
    logits = torch.randn(T, N, C, generator=generator, dtype=torch.float64, requires_grad=True)
    scale = (1, 1, 1, 20)[seed % 4]  # every fourth one is peaky
    return logits, scale, targets, integer(1, T, (N,)), integer(0, U, (N,)), blank


def gradient(loss, at):
    weights = torch.linspace(0.5, 1.5, loss.numel(), dtype=loss.dtype).view(loss.shape)
    return torch.autograd.grad((loss * weights).sum(), at, retain_graph=True)[0]


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_equals_torch(reduction, zero_infinity):
    infinite = 0
    for seed in range(1000):
        logits, scale, targets, input_lengths, target_lengths, blank = random_case(seed)
        log_probs = (scale * logits).log_softmax(2)
        arguments = (input_lengths, target_lengths, blank, reduction, zero_infinity)
        theirs, ours = (loss(log_probs, targets, *arguments) for loss in (F.ctc_loss, ctc_loss))
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(gradient(ours, logits), gradient(theirs, logits), rtol=1e-10, atol=1e-10, equal_nan=True)
        joined = torch.cat([row[:n] for row, n in zip(targets, target_lengths)])
        torch.testing.assert_close(ctc_loss(log_probs, joined, *arguments), ours, rtol=0, atol=0)
        infinite += bool(theirs.isinf().any())
    assert zero_infinity or infinite > 100


def collapse(path, blank):
    return [label for label, _ in itertools.groupby(path) if label != blank]


def enumerated(log_probs, target, blank):
    T, C = log_probs.shape
    scores = [log_probs[range(T), p].sum() for p in itertools.product(range(C), repeat=T) if collapse(p, blank) == target]
    return -torch.stack(scores).logsumexp(0) if scores else log_probs.new_tensor(torch.inf)


def test_equals_enumeration():
    compared = 0
    for seed in range(1000):
        logits, scale, targets, input_lengths, target_lengths, blank = random_case(seed)
        logits, input_lengths = logits[:4, :, :], input_lengths.clamp(max=4)
        if logits.shape[2] ** len(logits) > 1500:
            continue
        log_probs = (scale * logits).log_softmax(2)
        ours = ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, "none")
        for n, (T, U) in enumerate(zip(input_lengths, target_lengths)):
            truth = enumerated(log_probs[:T, n], targets[n, :U].tolist(), blank)
            torch.testing.assert_close(ours[n], truth, rtol=1e-12, atol=1e-12)
            if torch.isfinite(truth):  # the derivative with respect to log_probs itself
                by_hand, by_us = (torch.autograd.grad(x, log_probs, retain_graph=True)[0][:, n] for x in (truth, ours[n]))
                torch.testing.assert_close(by_us, by_hand, rtol=1e-10, atol=1e-12)
            compared += 1
    assert compared > 1000


@pytest.mark.parametrize("wrt", ["logits", "log_probs"])
def test_gradcheck(wrt):
    targets, lengths = torch.tensor([[1, 1, 2], [2, 3, 0]]), (torch.tensor([6, 4]), torch.tensor([3, 2]))
    x = torch.randn(6, 2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = (x if wrt == "logits" else x.log_softmax(2)).requires_grad_()

    def loss(x):
        return ctc_loss(x.log_softmax(2) if wrt == "logits" else x, targets, *lengths)

    assert torch.autograd.gradcheck(loss, x, atol=1e-7)


def test_one_item_without_a_batch():
    log_probs = torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).log_softmax(1)
    for reduction in ("none", "sum", "mean"):
        arguments = (log_probs, torch.tensor([1, 1, 3]), torch.tensor(8), torch.tensor(3), 0, reduction)
        theirs, ours = F.ctc_loss(*arguments), ctc_loss(*arguments)
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_other_floats(dtype):
    logits = torch.randn(40, 3, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float32)
    log_probs = logits.log_softmax(2).to(dtype).requires_grad_()
    arguments = (torch.randint(1, 6, (3, 9), generator=torch.Generator().manual_seed(3)), (40, 30, 20), (9, 5, 0))
    ours = ctc_loss(log_probs, *arguments)
    exact = ctc_loss(log_probs.double(), *arguments)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours.double(), exact, rtol=4 * torch.finfo(dtype).eps, atol=0)
    assert torch.autograd.grad(ours, log_probs)[0].dtype == dtype


def test_float32_is_as_accurate_as_torch():
    ours, theirs = [], []
    for seed, scale in itertools.product(range(5), (1, 5)):
        logits = scale * torch.randn(300, 4, 30, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
        arguments = (torch.randint(1, 30, (4, 60), generator=torch.Generator().manual_seed(seed)), (300,) * 4, (60,) * 4)
        exact = F.ctc_loss(logits.double().log_softmax(2), *arguments, reduction="none")
        for errors, loss in ((ours, ctc_loss), (theirs, F.ctc_loss)):
            value = loss(logits.log_softmax(2), *arguments, reduction="none")
            errors.append(((value - exact).abs() / exact).max().item())
    assert max(ours) < 2e-6 and max(ours) < 2 * max(theirs)


def test_threads_do_not_change_the_result():
    logits, _, *rest, blank = random_case(7)
    before, results = torch.get_num_threads(), []
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        results.append(ctc_loss(logits.log_softmax(2), *rest, blank))
    torch.set_num_threads(before)
    torch.testing.assert_close(results[0], results[1], rtol=1e-13, atol=0)
    torch.testing.assert_close(results[0], results[2], rtol=1e-13, atol=0)


def test_arguments_stay_as_they_are_and_need_not_be_contiguous():
    logits = torch.randn(3, 9, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    log_probs = logits.log_softmax(2).transpose(0, 1)  # (T, N, C), not contiguous
    targets = torch.tensor([[1, 2, -7], [3, 3, 99], [4, 1, 2]])  # padding may be anything
    lengths = (torch.tensor([9, 8, 7]), torch.tensor([2, 2, 3]))
    copies = log_probs.clone(), targets.clone()
    ours = ctc_loss(log_probs, targets, *lengths)
    torch.testing.assert_close(ours, F.ctc_loss(log_probs.contiguous(), targets.clamp(1, 4), *lengths))
    assert torch.equal(log_probs, copies[0]) and torch.equal(targets, copies[1])


def test_impossible_labels_do_no_harm_where_they_are_not_needed():
    logits = torch.randn(6, 1, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    logits[:, :, 3] = -torch.inf
    log_probs = logits.log_softmax(2).requires_grad_()
    loss = ctc_loss(log_probs, torch.tensor([[1, 2]]), (6,), (2,))
    assert torch.isfinite(loss) and torch.isfinite(torch.autograd.grad(loss, log_probs)[0]).all()
    assert torch.isinf(ctc_loss(log_probs, torch.tensor([[1, 3]]), (6,), (2,)))


GOOD = {
    "log_probs": torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(6)).log_softmax(2),
    "targets": torch.tensor([[1, 2], [3, 1]]),
    "input_lengths": torch.tensor([5, 4]),
    "target_lengths": torch.tensor([2, 1]),
}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"targets": torch.tensor([[1, 0], [3, 1]])}, "targets: expected labels from 0 to 3 other than the blank 0"),
        ({"targets": torch.tensor([[1, 4], [3, 1]])}, "targets: expected labels"),
        ({"targets": torch.tensor([[1, -1], [3, 1]])}, "targets: expected labels"),
        ({"targets": torch.tensor([[1.0, 2.0], [3.0, 1.0]], dtype=torch.float32)}, "targets: torch.float32"),
        ({"targets": torch.tensor([[1], [3]])}, r"targets: shape \(2, 1\) came, expected \(2, U\) with U >= 2"),
        ({"targets": torch.tensor([1, 2, 3, 1])}, r"targets: 4 labels came, expected sum\(target_lengths\) = 3"),
        ({"input_lengths": torch.tensor([6, 4])}, r"input_lengths: \[6, 4\] came, expected 0 to T = 5"),
        ({"input_lengths": torch.tensor([-1, 4])}, "input_lengths: "),
        ({"input_lengths": torch.tensor([5])}, "input_lengths: 1 came, expected one for each of 2"),
        ({"target_lengths": torch.tensor([2, -1])}, "target_lengths: "),
        ({"blank": 4}, "blank: 4 came, expected a class from 0 to 3"),
        ({"reduction": "average"}, "reduction: 'average' came"),
        ({"log_probs": GOOD["log_probs"].exp()}, "log_probs: no value is negative"),
        ({"log_probs": GOOD["log_probs"].long()}, "log_probs: torch.int64"),
        ({"log_probs": GOOD["log_probs"][None]}, "log_probs: "),
        ({"log_probs": GOOD["log_probs"].index_fill(2, torch.tensor([0]), -torch.inf)}, "log_probs: class 0, the blank"),
    ],
)
def test_nonsense_is_refused(change, message):
    ctc_loss(**GOOD)
    with pytest.raises(ValueError, match=message):
        ctc_loss(**{**GOOD, **change})
