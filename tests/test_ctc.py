"""The fast CTC loss: equal to enumeration and to torch in value and gradient, exact where torch is not.

Also: masked blanks, nan, second derivatives, torch.func, devices, and what is refused. What people
ran into with this and other losses is here with the right value.
"""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from asr_losses.ctc import BLOCK, ctc_loss

MASKS = [-1e4, -1e9, torch.finfo(torch.float32).min, -torch.inf]
NAN = math.nan


def randn(*shape, seed, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def randint(low, high, shape, seed):
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed))


def value_and_gradient(loss, log_probs, *arguments, **options):
    """The loss of each item, and the gradient of their sum with respect to log_probs."""
    x = log_probs.detach().requires_grad_()
    value = loss(x, *arguments, reduction="none", **options)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


def wrt_logits(log_probs, gradient):
    """The gradient with respect to the logits behind log_probs, in float64."""
    gradient = gradient.double()
    return gradient - log_probs.double().exp() * gradient.sum(-1, keepdim=True)


def random_case(seed):
    """Logits (T, N, C) with targets, lengths and a blank: T = 1, repeats, empty and too long texts."""
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
        slopes = [gradient(x, logits) for x in (ours, theirs)]
        torch.testing.assert_close(*slopes, rtol=1e-10, atol=1e-10, equal_nan=True)
        joined = torch.cat([row[:n] for row, n in zip(targets, target_lengths)])
        torch.testing.assert_close(ctc_loss(log_probs, joined, *arguments), ours, rtol=0, atol=0)
        infinite += bool(theirs.isinf().any())
    assert zero_infinity or infinite > 100


def collapse(path, blank):
    return [label for label, _ in itertools.groupby(path) if label != blank]


def enumerated(log_probs, target, blank):
    T, C = log_probs.shape
    paths = [p for p in itertools.product(range(C), repeat=T) if collapse(p, blank) == target]
    scores = [log_probs[range(T), p].sum() for p in paths]
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
                slopes = [torch.autograd.grad(x, log_probs, retain_graph=True)[0] for x in (ours[n], truth)]
                torch.testing.assert_close(slopes[0][:, n], slopes[1][:, n], rtol=1e-10, atol=1e-12)
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
    log_probs = randn(8, 5, seed=1).log_softmax(1)
    for reduction in ("none", "sum", "mean"):
        arguments = (log_probs, torch.tensor([1, 1, 3]), torch.tensor(8), torch.tensor(3), 0, reduction)
        theirs, ours = F.ctc_loss(*arguments), ctc_loss(*arguments)
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_value_in_float32_and_gradient_as_the_input(dtype):
    log_probs = randn(40, 3, 6, seed=2).log_softmax(2).to(dtype).requires_grad_()
    arguments = (randint(1, 6, (3, 9), seed=3), (40, 30, 20), (9, 5, 0))
    ours = ctc_loss(log_probs, *arguments)
    copy = log_probs.detach().double().requires_grad_()
    exact = ctc_loss(copy, *arguments)
    assert ours.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(ours.double(), exact, rtol=1e-6, atol=0)
    slope = torch.autograd.grad(ours, log_probs)[0]
    assert slope.dtype == dtype
    eps = max(torch.finfo(dtype).eps, 1e-5)
    torch.testing.assert_close(slope.double(), torch.autograd.grad(exact, copy)[0], rtol=eps, atol=1e-5)


def test_a_large_sum_in_half_precision():
    log_probs = randn(2000, 32, 64, seed=3, dtype=torch.float32).log_softmax(2).half()
    targets = randint(1, 64, (32, 40), seed=4)
    loss = ctc_loss(log_probs, targets, [2000] * 32, [40] * 32, reduction="sum")
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(273851.0, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mask", MASKS)
def test_a_masked_blank(mask, dtype):
    log_probs = randn(6, 1, 4, seed=1, dtype=torch.float32).log_softmax(2)
    log_probs[:, :, 0] = mask
    value, slope = value_and_gradient(ctc_loss, log_probs.to(dtype), [[1, 2]], (6,), (2,))
    assert value.item() == pytest.approx(9.699213, abs=1e-6)
    assert slope.isfinite().all()
    exact = value_and_gradient(ctc_loss, log_probs.double(), [[1, 2]], (6,), (2,))[1]
    torch.testing.assert_close(slope.double(), exact, rtol=0, atol=1e-6)
    one, two = log_probs[:, 0, 1].double(), log_probs[:, 0, 2].double()
    five_paths = torch.stack([one[:k].sum() + two[k:].sum() for k in range(1, 6)])
    assert value.item() == pytest.approx(-five_paths.logsumexp(0).item(), rel=1e-6)


def test_a_second_derivative_is_refused_and_the_first_stays_right():
    x = randn(4, 1, 3, seed=0).requires_grad_()
    arguments = (torch.tensor([[1, 2]]), (4,), (2,), 0, "sum")
    first = torch.autograd.grad(ctc_loss(x.log_softmax(2), *arguments), x, create_graph=True)[0]
    theirs = torch.autograd.grad(F.ctc_loss(x.log_softmax(2), *arguments), x)[0]
    torch.testing.assert_close(first.detach(), theirs, rtol=1e-12, atol=1e-12)
    with pytest.raises(RuntimeError, match="second derivative"):
        torch.autograd.grad((first.flatten() * torch.linspace(-1, 1, 12, dtype=x.dtype)).sum(), x)
    with pytest.raises(RuntimeError, match="second derivative"):
        torch.autograd.functional.hessian(lambda x: ctc_loss(x.log_softmax(2), *arguments), x.detach())


def common(dtype=torch.float32):
    """log_probs (6, 2, 4) and targets, input_lengths and target_lengths for them."""
    log_probs = randn(6, 2, 4, seed=2, dtype=torch.float32).log_softmax(2)
    return log_probs.to(dtype), [[1, 2], [3, 1]], (6, 4), (2, 2)


@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("frame", [0, 2, 3])
def test_nan_makes_that_item_nan_and_no_other(frame, zero_infinity):
    log_probs, *arguments = common()
    clean_value, clean_slope = value_and_gradient(ctc_loss, log_probs, *arguments)
    log_probs[frame, 1] = NAN
    value, slope = value_and_gradient(ctc_loss, log_probs, *arguments, zero_infinity=zero_infinity)
    assert value[1].isnan()
    assert slope[:4, 1].isnan().any()
    assert value[0] == clean_value[0]
    assert slope.isfinite()[:, 0].all()
    assert torch.equal(slope[:, 0], clean_slope[:, 0])


@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_nan_is_not_lost_in_a_reduction(reduction, zero_infinity):
    log_probs, *arguments = common()
    log_probs[2, 1] = NAN
    assert ctc_loss(log_probs, *arguments, 0, reduction, zero_infinity).isnan()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("content", [NAN, torch.inf, -torch.inf, 1e30, 0.0])
def test_what_lies_behind_an_input_length_is_never_read(content, dtype):
    log_probs, *arguments = common(dtype)
    clean_value, clean_slope = value_and_gradient(ctc_loss, log_probs, *arguments)
    log_probs[4:, 1] = content
    value, slope = value_and_gradient(ctc_loss, log_probs, *arguments)
    assert torch.equal(value, clean_value)
    assert torch.equal(slope, clean_slope)
    assert (slope[4:, 1] == 0).all()
    alone = ctc_loss(log_probs[:4, 1:], [[3, 1]], (4,), (2,), reduction="none")
    torch.testing.assert_close(value[1:], alone, rtol=1e-6, atol=0)


EMPTY = [[], (), [[]], np.array([]), np.zeros((1, 0), np.int32), torch.tensor([]), torch.zeros(1, 0).long()]


@pytest.mark.parametrize("targets", EMPTY)
def test_an_empty_target(targets):
    log_probs = torch.full((51, 1, 17), -math.log(17), dtype=torch.float64)
    value, slope = value_and_gradient(ctc_loss, log_probs, targets, (51,), (0,))
    assert value.item() == pytest.approx(144.493881, abs=1e-6)
    assert (slope[:, :, 0] == -1).all() and (slope[:, :, 1:] == 0).all()
    single = ctc_loss(log_probs[:, 0], [], 51, 0)
    assert single.item() == pytest.approx(144.493881, abs=1e-6)


CONTAINERS = [
    lambda x: x,
    tuple,
    np.array,
    lambda x: np.array(x, dtype=np.uint8),
    lambda x: torch.tensor(x, dtype=torch.int32),
    lambda x: torch.tensor(x, dtype=torch.uint8),
    lambda x: torch.tensor(x, dtype=torch.int16),
]


@pytest.mark.parametrize("make", CONTAINERS)
def test_integers_in_any_container(make):
    log_probs, targets, *lengths = common(torch.float64)
    exact = F.ctc_loss(log_probs, torch.tensor(targets), *lengths)
    ours = ctc_loss(log_probs, make(targets), make([6, 4]), make([2, 2]))
    torch.testing.assert_close(ours, exact, rtol=1e-12, atol=0)
    joined = ctc_loss(log_probs, make([1, 2, 3, 1]), make([6, 4]), make([2, 2]))
    torch.testing.assert_close(joined, exact, rtol=1e-12, atol=0)


# For torch.func: a loss of x (T, N, C) and targets, ours and torch's.
LENGTHS = (6, 4), (2, 2)
MANY = randn(3, 6, 2, 4, seed=5)
MANY_TARGETS = torch.tensor([[[1, 2], [3, 1]], [[1, 1], [2, 2]], [[3, 3], [2, 1]]])


def losses(loss, reduction="none"):
    return lambda x, targets=MANY_TARGETS[0]: loss(x.log_softmax(2), targets, *LENGTHS, reduction=reduction)


def stacked(function, *many):
    return torch.stack([function(*one) for one in zip(*many)])


OURS, THEIRS = losses(ctc_loss), losses(F.ctc_loss)
OURS_SUM, THEIRS_SUM = losses(ctc_loss, "sum"), losses(F.ctc_loss, "sum")
THEIR_GRADIENT = torch.func.grad(THEIRS_SUM)
FUNCTIONAL = {
    "grad": lambda: (torch.func.grad(OURS_SUM)(MANY[0]), THEIR_GRADIENT(MANY[0])),
    "jacrev": lambda: (torch.func.jacrev(OURS)(MANY[0]), torch.autograd.functional.jacobian(THEIRS, MANY[0])),
    "vmap": lambda: (torch.func.vmap(OURS)(MANY), stacked(THEIRS, MANY)),
    "vmap over another dimension": lambda: (
        torch.func.vmap(OURS, in_dims=2)(MANY.movedim(0, 2)),
        stacked(THEIRS, MANY),
    ),
    "vmap over targets, too": lambda: (
        torch.func.vmap(OURS)(MANY, MANY_TARGETS),
        stacked(THEIRS, MANY, MANY_TARGETS),
    ),
    "vmap over targets alone": lambda: (
        torch.func.vmap(lambda y: OURS(MANY[0], y))(MANY_TARGETS),
        stacked(lambda y: THEIRS(MANY[0], y), MANY_TARGETS),
    ),
    "vmap of vmap": lambda: (
        torch.func.vmap(torch.func.vmap(OURS))(MANY[None])[0],
        stacked(THEIRS, MANY),
    ),
    "vmap of mean": lambda: (
        torch.func.vmap(losses(ctc_loss, "mean"))(MANY, MANY_TARGETS),
        stacked(losses(F.ctc_loss, "mean"), MANY, MANY_TARGETS),
    ),
    "vmap of grad": lambda: (
        torch.func.vmap(torch.func.grad(OURS_SUM))(MANY, MANY_TARGETS),
        stacked(THEIR_GRADIENT, MANY, MANY_TARGETS),
    ),
    "grad of vmap": lambda: (
        torch.func.grad(lambda x: torch.func.vmap(OURS_SUM)(x, MANY_TARGETS).sum())(MANY),
        stacked(THEIR_GRADIENT, MANY, MANY_TARGETS),
    ),
    "jacobian, vectorized": lambda: (
        torch.autograd.functional.jacobian(OURS, MANY[0], vectorize=True),
        torch.autograd.functional.jacobian(THEIRS, MANY[0]),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_torch_func_equals_torch(name):
    ours, theirs = FUNCTIONAL[name]()
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        torch.func.hessian(OURS_SUM),
        torch.func.jacrev(torch.func.jacrev(OURS_SUM)),
        torch.func.grad(lambda x: torch.func.grad(OURS_SUM)(x).sin().sum()),
        torch.func.jacfwd(OURS_SUM),
        lambda x: torch.func.jvp(OURS_SUM, (x,), (x,)),
    ],
)
def test_torch_func_refuses_what_would_be_wrong(function):
    with pytest.raises(RuntimeError):
        function(MANY[0])


def test_vmap_over_single_items_with_padded_targets():
    log_probs = randn(3, 6, 4, seed=5).log_softmax(2)
    targets, lengths = torch.tensor([[1, 2, 0], [3, 0, 0], [1, 2, 3]]), torch.tensor([2, 1, 3])
    ours = torch.func.vmap(lambda x, y, U: ctc_loss(x, y, 6, U, reduction="sum"))(log_probs, targets, lengths)
    alone = [ctc_loss(x, y, 6, U, reduction="sum") for x, y, U in zip(log_probs, targets, lengths)]
    torch.testing.assert_close(ours, torch.stack(alone), rtol=1e-12, atol=0)
    with pytest.raises(ValueError, match="targets: .* expected .3, U. with U >= 4"):
        torch.func.vmap(lambda x, y, U: ctc_loss(x, y, 6, U))(log_probs, targets, torch.tensor([1, 1, 4]))


AROUND = [1, 2, *(n * BLOCK + d for n in (1, 2) for d in (-1, 0, 1)), 3 * BLOCK + 7]


@pytest.mark.parametrize("T", AROUND)
def test_block_boundaries(T):
    lengths = torch.tensor([T, max(T - 1, 0), T // 2, max(T - BLOCK, 0), 1])
    texts = torch.tensor([T // 4, T // 3, T // 5, max(T - BLOCK, 0) // 4, 1])
    targets = randint(1, 5, (5, max(T // 3, 1)), seed=T)
    x = randn(T, 5, 5, seed=T).requires_grad_()
    arguments = (targets, lengths, texts, 0, "none")
    ours, theirs = (loss(x.log_softmax(2), *arguments) for loss in (ctc_loss, F.ctc_loss))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    fits = theirs.isfinite()
    assert fits[0]
    slopes = [torch.autograd.grad(losses[fits].sum(), x)[0][:, fits] for losses in (ours, theirs)]
    torch.testing.assert_close(*slopes, rtol=1e-9, atol=1e-10)


def accuracy_case(kind, value, T, N=3, C=12):
    """Logits in float32 of one kind, targets, lengths. The right path has each label for several frames."""
    hold = max(T // 80, 5)
    U = T // hold
    steps = randint(1, C - 1, (N, U), seed=T)
    if kind == "masked":  # a text without repeats also fits without a blank
        targets = steps.cumsum(1) % (C - 1) + 1
    else:
        targets = steps
    path = torch.zeros(T, N, 1, dtype=torch.long)
    for k in range(U):
        path[k * hold + 1 : (k + 1) * hold - 1, :, 0] = targets[:, k]
    logits = randn(T, N, C, seed=T + 1, dtype=torch.float32)
    if kind == "scaled":
        logits *= value
    if kind == "wrong":
        path = torch.where(path > 0, path % (C - 1) + 1, path)
    if kind in ("right", "wrong"):
        logits.scatter_add_(2, path, torch.full(path.shape, float(value), dtype=logits.dtype))
    if kind == "masked":
        logits[:, :, 0] = value
    return logits, targets, [T, T - 1, T - T // 4], [U, U - 1, U // 2]


def errors(kind, value, T):
    """The float64 loss, ours in float32, its relative error, and the errors of our
    gradient and torch's.

    Their float32 log-probabilities are taken as exact: how log_softmax rounded is not the loss's error.
    """
    logits, *arguments = accuracy_case(kind, value, T)
    log_probs = logits.log_softmax(2)
    exact, slope = value_and_gradient(ctc_loss, log_probs.double(), *arguments)
    slope = wrt_logits(log_probs, slope)
    value, ours = value_and_gradient(ctc_loss, log_probs, *arguments)
    theirs = value_and_gradient(F.ctc_loss, log_probs, *arguments)[1]
    relative = ((value.double() - exact).abs() / exact.clamp(min=1e-30)).max().item()
    absolute = [(wrt_logits(log_probs, x) - slope).abs().max().item() for x in (ours, theirs)]
    return exact, value, relative, absolute


KINDS = [
    *[("scaled", factor) for factor in (1, 5, 50)],
    *[(side, margin) for side in ("right", "wrong") for margin in (5, 20, 100, 1000)],
    *[("masked", mask) for mask in MASKS],
]


@pytest.mark.parametrize("kind, value", KINDS)
@pytest.mark.parametrize("T", [50, 300, 1000])
def test_float32_is_as_accurate_as_torch(kind, value, T):
    exact, ours, relative, absolute = errors(kind, value, T)
    assert (exact >= 0).all() and (ours >= 0).all()
    assert relative <= 2e-6
    assert absolute[0] == absolute[0]
    if absolute[1] != absolute[1]:  # torch has no gradient at -inf: be as good as it is at a finite mask
        absolute[1] = errors(kind, -1e4, T)[3][1]
    assert absolute[0] <= max(absolute[1], 1e-5)


@pytest.mark.parametrize("kind, value", [("scaled", 1), ("right", 20)])
def test_float32_is_as_accurate_as_torch_on_four_thousand_frames(kind, value):
    exact, ours, relative, absolute = errors(kind, value, 4000)
    assert (ours >= 0).all()
    assert relative <= 2e-6
    assert absolute[0] <= max(absolute[1], 1e-5)


def test_float32_beats_torch_on_long_input():
    absolute = errors("scaled", 1, 2000)[3]
    assert absolute[0] < absolute[1] / 5


def test_a_certain_frame_has_no_probability_above_one():
    logits, *arguments = accuracy_case("right", 1000, 1000)
    slope = value_and_gradient(ctc_loss, logits.log_softmax(2), *arguments)[1]
    assert (slope >= -1).all()


@pytest.mark.parametrize("kind, value", [("scaled", 1), ("scaled", 50), ("right", 20), ("wrong", 100)])
def test_no_frame_has_a_probability_below_zero(kind, value):
    logits, *arguments = accuracy_case(kind, value, 1000)
    slope = value_and_gradient(ctc_loss, logits.log_softmax(2), *arguments)[1]
    assert (slope <= 0).all()


def test_items_without_frames():
    nothing = torch.zeros(3, 2, 4)  # no logs of probabilities, but nobody looks
    value, slope = value_and_gradient(ctc_loss, nothing, [[1], [1]], (0, 0), (0, 1))
    assert value.tolist() == [0.0, math.inf]
    assert (slope[:, 0] == 0).all()
    assert ctc_loss(nothing, [[1], [1]], (0, 0), (0, 1), 0, "sum", True) == 0


def test_a_certain_text_costs_nothing():
    for seed, dtype in itertools.product(range(20), (torch.float32, torch.float64)):
        logits = randn(200, 3, 5, seed=seed, dtype=dtype)
        logits[:, :, seed % 5] += 5 + 3 * seed
        value = ctc_loss(logits.log_softmax(2), [[]] * 3, (200, 150, 1), (0, 0, 0), seed % 5, "none")
        exact = -logits.log_softmax(2)[:, :, seed % 5].double()
        exact = torch.stack([exact[:T, n].sum() for n, T in enumerate((200, 150, 1))])
        assert (value >= 0).all()
        torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=200 * torch.finfo(dtype).eps)


def test_scores_that_are_no_probabilities_may_cost_less_than_nothing():
    scores = randn(100, 2, 4, seed=8) + 1
    assert scores[0].min() < 0
    arguments = (scores, torch.tensor([[1, 2], [3, 3]]), (100, 80), (2, 2), 0, "none")
    ours = ctc_loss(*arguments)
    assert (ours < 0).all()
    torch.testing.assert_close(ours, F.ctc_loss(*arguments), rtol=1e-12, atol=0)


def test_no_tensor_is_made_on_the_default_device():
    log_probs, targets, *lengths = common()
    targets = torch.tensor(targets)
    for lengths in (lengths, [torch.tensor(x) for x in lengths]):
        expected = value_and_gradient(ctc_loss, log_probs, targets, *lengths)
        with torch.device("meta"):
            got = value_and_gradient(ctc_loss, log_probs, targets, *lengths)
            listed = value_and_gradient(ctc_loss, log_probs, targets.tolist(), *lengths)
            mean = ctc_loss(log_probs, targets, *lengths)
        for x, y, z in zip(expected, got, listed):
            assert x.device == y.device == z.device == torch.device("cpu")
            assert torch.equal(x, y) and torch.equal(x, z)
        assert torch.equal(mean, ctc_loss(log_probs, targets, *lengths))


@pytest.mark.parametrize("reduction, shape", [("none", (2,)), ("sum", ()), ("mean", ())])
def test_log_probs_on_the_meta_device(reduction, shape):
    log_probs, *arguments = common()
    x = log_probs.to("meta").requires_grad_()
    loss = ctc_loss(x, *arguments, reduction=reduction)
    assert loss.is_meta and loss.shape == shape and loss.dtype == torch.float32
    slope = torch.autograd.grad(loss.sum(), x)[0]
    assert slope.is_meta and slope.shape == x.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: GPU and CPU are not compared")
def test_cuda_equals_cpu():
    for T in (10, BLOCK, 3 * BLOCK + 5):
        log_probs = randn(T, 3, 6, seed=T).log_softmax(2)
        targets, lengths = randint(1, 6, (3, 4), seed=T), ([T, T - 1, T // 2], [4, 2, 0])
        expected = value_and_gradient(ctc_loss, log_probs, targets, *lengths)
        for place in ("cpu", "cuda"):
            tensors = (targets.to(place), *(torch.tensor(x, device=place) for x in lengths))
            got = value_and_gradient(ctc_loss, log_probs.cuda(), *tensors)
            for x, y in zip(expected, got):
                assert y.is_cuda
                torch.testing.assert_close(y.cpu(), x, rtol=1e-10, atol=1e-12)
        mean = ctc_loss(log_probs.cuda(), targets, *lengths)
        torch.testing.assert_close(mean.cpu(), ctc_loss(log_probs, targets, *lengths), rtol=1e-10, atol=0)


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
        ({"targets": torch.tensor([[1, 0], [3, 1]])}, "targets: expected labels from 0 to 3 other than the"),
        ({"targets": torch.tensor([[1, 4], [3, 1]])}, "targets: expected labels"),
        ({"targets": torch.tensor([[1, -1], [3, 1]])}, "targets: expected labels"),
        ({"targets": torch.tensor([[1.0, 2.0], [3.0, 1.0]], dtype=torch.float32)}, "targets: torch.float32"),
        ({"targets": torch.tensor([[1], [3]])}, r"targets: shape \(2, 1\) came, expected \(2, U\) with"),
        ({"targets": torch.tensor([1, 2, 3, 1])}, r"targets: 4 labels came, expected sum\(target_l"),
        ({"input_lengths": torch.tensor([6, 4])}, r"input_lengths: \[6, 4\] came, expected 0 to T = 5"),
        ({"input_lengths": torch.tensor([-1, 4])}, "input_lengths: "),
        ({"input_lengths": torch.tensor([5])}, "input_lengths: 1 came, expected one for each of 2"),
        ({"target_lengths": torch.tensor([2, -1])}, "target_lengths: "),
        ({"blank": 4}, "blank: 4 came, expected a class from 0 to 3"),
        ({"reduction": "average"}, "reduction: 'average' came"),
        ({"log_probs": GOOD["log_probs"].exp()}, "log_probs: no value is negative"),
        ({"log_probs": GOOD["log_probs"].long()}, "log_probs: torch.int64"),
        ({"log_probs": GOOD["log_probs"].tolist()}, "log_probs: list came, expected a tensor of floats"),
        ({"log_probs": GOOD["log_probs"].numpy()}, "log_probs: ndarray came"),
        ({"log_probs": GOOD["log_probs"].to(torch.complex64)}, "log_probs: torch.complex64 came"),
        ({"log_probs": GOOD["log_probs"][None]}, r"log_probs: shape \(1, 5, 2, 4\) came, expected"),
        ({"log_probs": GOOD["log_probs"][0, 0]}, r"log_probs: shape \(4,\) came"),
        ({"log_probs": GOOD["log_probs"][:0]}, r"log_probs: shape \(0, 2, 4\) came"),
        ({"log_probs": GOOD["log_probs"][:, :0]}, r"log_probs: shape \(5, 0, 4\) came"),
        ({"log_probs": GOOD["log_probs"][:, :, :0]}, r"log_probs: shape \(5, 2, 0\) came"),
        ({"targets": [[1, 2], [3]]}, r"targets: \[\[1, 2\], \[3\]\] came, expected integers"),
        ({"targets": [[1, 2.5], [3, 1]]}, "targets: torch.float.. came, expected integers"),
        ({"targets": "ab"}, "targets: 'ab' came, expected integers"),
        ({"targets": None}, "targets: None came"),
        ({"targets": [[1, 2**70], [3, 1]]}, "targets: "),
        ({"targets": torch.tensor([[True, True], [True, True]])}, "targets: torch.bool"),
        ({"targets": torch.tensor([[1j, 1], [1, 1]])}, "targets: torch.complex"),
        ({"targets": [[[1, 2]], [[3, 1]]]}, r"targets: shape \(2, 1, 2\) came, expected \(N, U\) or 1-D"),
        ({"targets": torch.tensor(1)}, r"targets: shape \(\) came"),
        ({"targets": [[1, 2]]}, r"targets: shape \(1, 2\) came, expected \(2, U\)"),
        ({"input_lengths": torch.tensor([1.0, 0.75])}, "input_lengths: torch.float.. came, expected int"),
        ({"input_lengths": [5.9, 3.9]}, "input_lengths: torch.float64 came, expected integers"),
        ({"input_lengths": torch.tensor([True, True])}, "input_lengths: torch.bool came, expected integers"),
        ({"input_lengths": (True, False)}, "input_lengths: torch.bool came, expected integers"),
        ({"input_lengths": None}, "input_lengths: None came"),
        ({"target_lengths": np.array([2.0, 1.0])}, "target_lengths: torch.float64 came, expected integers"),
        ({"target_lengths": [2, 1, 1]}, "target_lengths: 3 came, expected one for each of 2"),
        ({"target_lengths": 2}, "target_lengths: 1 came, expected one for each of 2"),
        ({"blank": -1}, "blank: -1 came, expected a class from 0 to 3"),
        ({"blank": 0.0}, "blank: 0.0 came, expected a class from 0 to 3"),
        ({"blank": None}, "blank: None came"),
        ({"blank": True}, "blank: True came"),
        ({"target_lengths": [2, 10**12]}, "targets: .* with U >= 1000000000000"),
        ({"targets": torch.ones(2, 2, dtype=torch.long, device="meta")}, "targets: a tensor on the meta device came"),
        ({"reduction": None}, "reduction: None came, expected 'none', 'sum' or 'mean'"),
    ],
)
def test_nonsense_is_refused(change, message):
    assert ctc_loss(**GOOD).isfinite()
    with pytest.raises(ValueError, match=message):
        ctc_loss(**{**GOOD, **change})
