"""The transducer loss: all walks summed, a plain double loop and every form of ours agree in value and gradient.

Also: public values, float32, padding, impossible and certain texts, occupancies, the best walk, memory, devices, and
what is refused.
"""

import itertools
import math

import numpy as np
import pytest
import torch

from asr_losses.bench import looped_loss, peak_bytes
from asr_losses.transducer import (
    arc_loss,
    arcs,
    best_frames,
    occupancies,
    sliced_transducer_loss,
    transducer_loss,
)

NAN = math.nan
REDUCTIONS = ("none", "sum", "mean")
ON_A_GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))


def randn(*shape, seed, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def randint(low, high, shape, seed):
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed))


def random_case(seed, most=5):
    """Logits (N, T, U + 1, C), targets, lengths, a blank: T = 1, U = 0, U above T, repeats; every fourth is peaky."""
    generator = torch.Generator().manual_seed(seed)

    def integer(low, high, shape=()):
        return torch.randint(low, high + 1, shape, generator=generator)

    T, N, C, U = int(integer(1, most)), int(integer(1, 4)), int(integer(2, 6)), int(integer(0, most))
    blank = int(integer(0, C - 1))
    targets = integer(0, min(C - 2, seed % 4), (N, U))  # few labels, so many repeats
    targets = targets + (targets >= blank)
    heard, said = integer(1, T, (N,)), integer(0, U, (N,))
    heard[int(integer(0, N - 1))] = T
    logits = torch.randn(N, T, U + 1, C, generator=generator, dtype=torch.float64) * (1, 1, 1, 20)[seed % 4]
    return logits.requires_grad_(), targets, heard, said, blank


def walks(T, U):
    """All alignments, each as its nodes (t, u), in order, and whether a label leaves each."""
    for labels in itertools.combinations(range(T - 1 + U), U):
        t, u, walk = 0, 0, []
        for step in range(T - 1 + U):
            walk.append((t, u, step in labels))
            t, u = (t, u + 1) if step in labels else (t + 1, u)
        yield [*walk, (t, u, False)]


def scores(log_probs, target, blank):
    """The log-probability of each alignment, from log_probs (T, U + 1, C): the definition."""
    every = walks(len(log_probs), len(target))
    steps = [[(t, u, target[u] if label else blank) for t, u, label in walk] for walk in every]
    t, u, c = torch.tensor(steps).permute(2, 0, 1)  # each (alignments, T + U)
    return log_probs[t, u, c].sum(1)


def looped(log_probs, target, blank):
    """The recursion as the book has it, for one item: log_probs (T, U + 1, C)."""
    alpha = {(0, 0): log_probs.new_zeros(())}
    for t, u in itertools.product(range(len(log_probs)), range(len(target) + 1)):
        ways = []
        if t:
            ways.append(alpha[t - 1, u] + log_probs[t - 1, u, blank])
        if u:
            ways.append(alpha[t, u - 1] + log_probs[t, u - 1, target[u - 1]])
        if ways:
            alpha[t, u] = torch.stack(ways).logsumexp(0)
    return -alpha[len(log_probs) - 1, len(target)] - log_probs[-1, len(target), blank]


def of_each(function, logits, targets, heard, said, blank):
    """`function` of each item's own log-probabilities and text: the losses (N,)."""
    log_probs = logits.log_softmax(3)
    parts = zip(log_probs, targets.tolist(), heard.tolist(), said.tolist())
    return torch.stack([function(item[:T, : U + 1], text[:U], blank) for item, text, T, U in parts])


def enumerated(*case):
    return of_each(lambda *item: -scores(*item).logsumexp(0), *case)


def by_loop(*case):
    return of_each(looped, *case)


def unfused(logits, targets, heard, said, blank, reduction="none"):
    return transducer_loss(logits.log_softmax(3), targets, heard, said, blank, reduction, fused_log_softmax=False)


def from_arcs(logits, targets, heard, said, blank, reduction="none"):
    return arc_loss(*arcs(logits.log_softmax(3), targets, blank), heard, said, reduction)


def sliced(logits, targets, heard, said, blank, reduction="none", frames=2):
    """The joint takes the logits themselves as the encoder's output."""
    N, _, W, C = logits.shape

    def joint(encoded, predicted):
        return encoded.view(N, -1, W, C) + predicted[:, None]

    silent = logits.new_zeros(N, W, 1)
    return sliced_transducer_loss(joint, logits.flatten(2), silent, targets, heard, said, blank, reduction, frames)


OURS = {
    "fused": lambda *case, reduction="none": transducer_loss(*case, reduction),
    "log-probabilities": unfused,
    "arcs": from_arcs,
    "sliced": sliced,
}


def reduced(losses, reduction):
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


def gradient(loss, at):
    weights = torch.linspace(1, 2, loss.numel(), dtype=loss.dtype, device=loss.device).view(loss.shape)
    return torch.autograd.grad((loss * weights).sum(), at, retain_graph=True)[0]


def assert_same(loss, truth, logits):
    torch.testing.assert_close(loss, truth, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient(loss, logits), gradient(truth, logits), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("way", OURS)
def test_equals_enumeration(way):
    more_labels_than_frames = 0
    for seed in range(80):
        case = random_case(seed, most=4)
        truth = enumerated(*case)
        for reduction in REDUCTIONS:
            assert_same(OURS[way](*case, reduction=reduction), reduced(truth, reduction), case[0])
        more_labels_than_frames += int((case[3] > case[2]).sum())
    assert more_labels_than_frames > 20


@pytest.mark.parametrize("way", OURS)
def test_equals_the_loop(way):
    for seed in range(40):
        case = random_case(seed, most=9)
        assert_same(OURS[way](*case), by_loop(*case), case[0])


def test_the_loop_equals_enumeration():
    for seed in range(40):
        case = random_case(seed, most=4)
        assert_same(by_loop(*case), enumerated(*case), case[0])


def test_the_loop_of_the_bench_gives_the_same():
    logits, targets, *lengths = common()
    lengths = [torch.tensor(x) for x in lengths]
    assert_same(looped_loss(logits.requires_grad_(), targets, *lengths), by_loop(logits, targets, *lengths, 0).mean(), logits)


@pytest.mark.parametrize("T, U, C", [(1, 0, 2), (1, 5, 3), (7, 0, 1), (6, 4, 17), (3, 40, 5)])
def test_a_model_that_knows_nothing(T, U, C):
    """All alignments cost the same, and there are C(T + U - 1, U) of them."""
    loss = transducer_loss(torch.zeros(1, T, U + 1, C).double(), [[1] * U], [T], [U])
    assert loss.item() == pytest.approx((T + U) * math.log(C) - math.log(math.comb(T + U - 1, U)), abs=1e-10)


def test_the_value_of_a_public_test():
    rows = ".1 .6 .1 .1 .1  .1 .1 .6 .1 .1  .1 .1 .2 .8 .1  .1 .6 .1 .1 .1  .1 .1 .2 .1 .1  .7 .1 .2 .1 .1"
    logits = torch.tensor([float(x) for x in rows.split()], dtype=torch.float64).view(1, 2, 3, 5)
    arguments = ([[1, 2]], [2], [2])
    assert transducer_loss(logits, *arguments).item() == pytest.approx(4.495666773770733, abs=1e-14)
    log_probs = logits.log_softmax(3).requires_grad_()
    loss = transducer_loss(log_probs, *arguments, fused_log_softmax=False)
    slope = torch.autograd.grad(loss, log_probs)[0][0, 0, 0]
    assert slope.tolist() == pytest.approx([-0.308198, -0.691802, 0, 0, 0], abs=1e-6)


def arcs_of(log_probs, target, blank):
    """The share of each node's blank (T, U + 1) and label (T, U + 1) in all alignments, by enumeration."""
    shares = log_probs.new_zeros(2, *log_probs.shape[:2])
    for walk, share in zip(walks(len(log_probs), len(target)), scores(log_probs, target, blank).softmax(0)):
        for t, u, label in walk:
            shares[int(label), t, u] += share
    return shares


def test_occupancies_equal_enumeration_and_are_minus_the_gradient():
    for seed in range(40):
        logits, targets, heard, said, blank = random_case(seed, most=4)
        log_probs = logits.detach().log_softmax(3).requires_grad_()
        loss = transducer_loss(log_probs, targets, heard, said, blank, "sum", fused_log_softmax=False)
        slope = torch.autograd.grad(loss, log_probs)[0]
        for n, (T, U) in enumerate(zip(heard, said)):
            item, text = log_probs[n, :T, : U + 1].detach(), targets[n, :U].tolist()
            move, emit = arcs_of(item, text, blank)
            ours = occupancies(*(part[0] for part in arcs(item[None], targets[n : n + 1, :U], blank)))
            torch.testing.assert_close(ours, (move, emit[:, :U]), rtol=1e-10, atol=1e-12)
            expected = torch.zeros_like(slope[n])
            expected[:T, : U + 1, blank] = -move
            for u, label in enumerate(text):
                expected[:T, u, label] -= emit[:, u]
            torch.testing.assert_close(slope[n], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("function", [occupancies, best_frames])
def test_alignments_in_every_grad_mode(function, mode):
    logits, targets, *_ = common()
    move, emit = (part[0] for part in arcs(logits.requires_grad_().log_softmax(3), targets))
    expected = function(move.detach(), emit.detach())
    with mode():
        torch.testing.assert_close(function(move, emit), expected)


def test_the_best_frames_equal_enumeration():
    for seed in range(60):
        logits, targets, heard, said, blank = random_case(seed, most=4)
        item, text = logits[0].detach().log_softmax(2), targets[0].tolist()
        T, U = item.shape[0], len(text)
        best = list(walks(T, U))[scores(item, text, blank).argmax()]
        frames = best_frames(*(part[0] for part in arcs(item[None], targets[:1], blank)))
        assert frames.tolist() == [t for t, _, label in best if label]
        assert frames.dtype == torch.long


@pytest.mark.parametrize("fused", [True, False])
def test_gradcheck(fused):
    x = randn(2, 4, 4, 5, seed=0) if fused else randn(2, 4, 4, 5, seed=0).log_softmax(3)
    arguments = (torch.tensor([[1, 1, 2], [2, 3, 0]]), [4, 3], [3, 2], 0, "none", fused)
    assert torch.autograd.gradcheck(lambda x: transducer_loss(x, *arguments), x.requires_grad_(), atol=1e-7)


def test_finite_differences():
    logits, *rest = random_case(2)
    slope = torch.autograd.grad(transducer_loss(logits, *rest, "sum"), logits)[0].flatten()
    for place in range(0, logits.numel(), 7):
        step = torch.zeros(logits.numel(), dtype=torch.float64)
        step[place] = 1e-5
        ends = [transducer_loss(logits.detach() + sign * step.view(logits.shape), *rest, "sum") for sign in (1, -1)]
        assert slope[place].item() == pytest.approx((ends[0] - ends[1]).item() / 2e-5, abs=1e-8)


def common(dtype=torch.float64):
    """Logits (2, 5, 4, 5) and targets, logit_lengths, target_lengths: item 1 has padding at either side."""
    return randn(2, 5, 4, 5, seed=2).to(dtype), torch.tensor([[1, 2, 2], [3, 0, 0]]), [5, 3], [3, 1]


def value_and_gradient(logits, *arguments, way="fused"):
    """The loss of each item, and the gradient of their sum with respect to the logits."""
    x = logits.detach().requires_grad_()
    loss = OURS[way](x, *arguments, 0)
    return loss.detach(), torch.autograd.grad(loss.sum(), x)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("content", [NAN, math.inf, -math.inf, 1e30])
def test_padding_is_never_read(content, dtype):
    logits, targets, *lengths = common(dtype)
    value, slope = value_and_gradient(logits, targets, *lengths)
    log_probs = logits.log_softmax(3)
    padding = torch.zeros(2, 5, 4, dtype=torch.bool)
    padding[1, 3:] = True
    padding[1, :, 2:] = True
    logits[padding] = content
    log_probs[padding] = content
    targets[1, 1:] = -100
    again, slope_again = value_and_gradient(logits, targets, *lengths)
    assert torch.equal(again, value) and torch.equal(slope_again, slope)
    assert (slope[padding] == 0).all() and (slope[~padding] != 0).all()
    log_probs.requires_grad_()
    unfused = transducer_loss(log_probs, targets, *lengths, reduction="none", fused_log_softmax=False)
    torch.testing.assert_close(unfused.detach(), value, rtol=1e-6, atol=0)
    slope = torch.autograd.grad(unfused.sum(), log_probs)[0]
    assert (slope[padding] == 0).all() and slope.isfinite().all()
    arc_value = arc_loss(*arcs(log_probs, targets.clamp(min=0)), *lengths, "none")
    assert torch.equal(arc_value, unfused)


@pytest.mark.parametrize("way", OURS)
def test_an_impossible_text_costs_inf_and_does_no_harm_to_others(way):
    logits, *arguments = common()
    clean, clean_slope = value_and_gradient(logits, *arguments, way=way)
    logits[1, :, :, 3] = -math.inf  # its only label
    value, slope = value_and_gradient(logits, *arguments, way=way)
    assert value[1] == math.inf and value[0] == clean[0]
    assert slope[1, :3, :2].isnan().any() and torch.equal(slope[0], clean_slope[0])
    logits, *arguments = common()
    logits[0, :, :, 4] = -math.inf  # a label that is not needed
    value, slope = value_and_gradient(logits, *arguments, way=way)
    assert value.isfinite().all() and slope.isfinite().all()


@pytest.mark.parametrize("way", OURS)
def test_nan_makes_that_item_nan_and_no_other(way):
    logits, *arguments = common()
    clean, clean_slope = value_and_gradient(logits, *arguments, way=way)
    logits[1, 1, 0] = NAN
    value, slope = value_and_gradient(logits, *arguments, way=way)
    assert value[1].isnan() and slope[1, :3, :2].isnan().any()
    assert value[0] == clean[0] and torch.equal(slope[0], clean_slope[0])


ACCURACY = [("plain", 1), ("scaled", 20), ("masked", -1e9), ("masked", -math.inf), ("right", 30), ("wrong", 30)]


def accuracy_case(kind, value, T=300, U=200, C=12):
    """float32 logits of one kind for two texts that need no class above 8."""
    logits = randn(2, T, U + 1, C, seed=1, dtype=torch.float32)
    targets = randint(1, 9, (2, U), seed=2)
    if kind == "scaled":
        logits *= value
    if kind == "masked":
        logits[..., 9:] = value
    if kind in ("right", "wrong"):  # sure of one way through the lattice, or of a class that is not in the text
        diagonal = (torch.arange(T)[:, None] * U // T) > torch.arange(U + 1)
        sure = torch.where(diagonal, torch.cat([targets, targets[:, :1]], 1)[:, None], 0)
        sure = sure if kind == "right" else torch.full_like(sure, 10)
        logits.scatter_add_(3, sure[..., None], torch.full((*sure.shape, 1), float(value)))
    return logits, targets, [T, T - 50], [U, U - 30]


@pytest.mark.parametrize("kind, value", ACCURACY)
def test_float32_is_accurate(kind, value):
    logits, *arguments = accuracy_case(kind, value)
    exact, exact_slope = value_and_gradient(logits.double(), *arguments)
    for way in ("fused", "log-probabilities"):
        ours, slope = value_and_gradient(logits, *arguments, way=way)
        assert ours.dtype == slope.dtype == torch.float32
        assert ((ours - exact).abs() / exact).max() <= 1e-6
        assert (slope - exact_slope).abs().max() <= 1e-5
        assert slope.sum(3).abs().max() <= 1e-5  # nothing is gained by a constant


def test_float32_is_accurate_where_a_needed_class_is_masked():
    """A log_softmax in float32 leaves such a class no digits: given its log-probabilities, the gradient has all."""
    logits, *arguments = accuracy_case("masked", -1e9)
    logits[..., 1] = -1e9
    exact, _ = value_and_gradient(logits.double(), *arguments)
    ours, slope = value_and_gradient(logits, *arguments)
    torch.testing.assert_close(ours.double(), exact, rtol=1e-6, atol=0)
    assert slope.abs().max() <= 1 and slope.sum(3).abs().max() <= 1e-5
    slopes = []
    for log_probs in (logits.log_softmax(3), logits.log_softmax(3).double()):
        loss = transducer_loss(log_probs.requires_grad_(), *arguments, fused_log_softmax=False)
        slopes.append(torch.autograd.grad(loss, log_probs)[0].double())
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("way", OURS)
def test_half_precision_comes_back_in_float32(way, dtype):
    logits, *arguments = common(dtype)
    exact, exact_slope = value_and_gradient(logits.double(), *arguments, way=way)
    ours, slope = value_and_gradient(logits, *arguments, way=way)
    assert ours.dtype == torch.float32 and slope.dtype == dtype
    tolerance = 1e-6 if way in ("fused", "sliced") else 2 * torch.finfo(dtype).eps  # log_softmax rounds to half
    torch.testing.assert_close(ours.double(), exact, rtol=tolerance, atol=0)
    torch.testing.assert_close(slope.double(), exact_slope, rtol=0, atol=4 * torch.finfo(dtype).eps)


def test_log_probs_in_half_precision_are_some():
    """bfloat16 rounds those of an even distribution to ones that sum to more than 1."""
    log_probs = torch.zeros(1, 3, 2, 540).log_softmax(3).bfloat16()
    assert log_probs.double().exp().sum(3).min() > 1.01
    loss = transducer_loss(log_probs, [[1]], [3], [1], fused_log_softmax=False)
    assert loss.item() == pytest.approx(4 * math.log(540) - math.log(3), rel=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_certain_text_costs_nothing(dtype):
    """Two classes, and no way round the text: its probability is 1, give or take the last digit of each node."""
    touched = 0
    for seed in range(100):
        logits = randn(1, 100, 6, 2, seed=seed, dtype=dtype)
        logits[:, :, 5, 0] += 200  # after the text only blanks
        logits[:, 99, :5, 1] += 200  # in the last frame all of the text
        loss = transducer_loss(logits, [[1] * 5], [100], [5])
        assert 0 <= loss <= 1e-4
        touched += loss == 0
    assert touched > 20


def test_scores_that_are_no_probabilities_may_cost_less_than_nothing():
    move, emit = randn(1, 6, 4, seed=1) + 1, randn(1, 6, 3, seed=2) + 1
    log_probs = torch.stack([move[0], torch.nn.functional.pad(emit[0], (0, 1))], 2)
    loss = arc_loss(move, emit, [6], [3])
    assert loss < 0
    torch.testing.assert_close(loss, looped(log_probs, [1, 1, 1], 0), rtol=1e-12, atol=0)


@pytest.mark.parametrize("way", OURS)
def test_a_second_derivative_is_refused_and_the_first_stays_right(way):
    logits, *arguments = random_case(5)
    loss = OURS[way](logits, *arguments).sum()
    first = torch.autograd.grad(loss, logits, create_graph=True)[0]
    torch.testing.assert_close(first, gradient(by_loop(logits, *arguments).sum(), logits), rtol=1e-10, atol=1e-12)
    with pytest.raises(RuntimeError, match="second derivative"):
        torch.autograd.grad((first * torch.linspace(-1, 1, logits.numel()).view_as(first)).sum(), logits)
    with pytest.raises(RuntimeError, match="second derivative"):  # beside what has one
        torch.autograd.functional.hessian(lambda x: x.square().sum() + OURS[way](x, *arguments).sum(), logits.detach())


@pytest.mark.parametrize("way", OURS)
def test_backward_twice_gives_the_same(way):
    logits, *arguments = random_case(5)
    loss = OURS[way](logits, *arguments)
    assert torch.equal(gradient(loss, logits), gradient(loss, logits))


def test_what_torch_func_cannot_do_is_an_error():
    logits, *arguments = common()
    for function, x in ((torch.func.grad, logits), (torch.func.vmap, logits[None])):
        with pytest.raises(RuntimeError):
            function(lambda x: transducer_loss(x, *arguments))(x)


CONTAINERS = [
    lambda x: x,
    tuple,
    np.array,
    lambda x: np.array(x, dtype=np.uint8),
    lambda x: torch.tensor(x, dtype=torch.int32),
    lambda x: torch.tensor(x, dtype=torch.int16),
]


@pytest.mark.parametrize("make", CONTAINERS)
def test_integers_in_any_container(make):
    logits, targets, *lengths = common()
    exact = transducer_loss(logits, targets, *map(torch.tensor, lengths))
    assert torch.equal(transducer_loss(logits, make(targets.tolist()), *map(make, lengths)), exact)
    assert torch.equal(sliced(logits, make(targets.tolist()), *map(make, lengths), 0, "mean"), exact)
    assert torch.equal(from_arcs(logits, targets, *map(make, lengths), 0, "mean"), exact)


@pytest.mark.parametrize("nothing", [[], (), [[], []], np.zeros((2, 0), np.int32), torch.tensor([]), torch.zeros(2, 0).long()])
def test_empty_texts(nothing):
    logits = randn(2, 5, 1, 4, seed=1)
    loss = transducer_loss(logits, nothing, [5, 3], [0, 0], reduction="none")
    blanks = -logits.log_softmax(3)[:, :, 0, 0]
    torch.testing.assert_close(loss, torch.stack([blanks[0].sum(), blanks[1, :3].sum()]), rtol=1e-12, atol=0)


def test_arguments_stay_as_they_are_and_need_not_be_contiguous():
    logits, targets, heard, said = randn(5, 3, 6, 4, seed=3).permute(2, 0, 3, 1), randint(1, 3, (6, 3), 4), [5] * 6, [3] * 6
    targets = targets.T.contiguous().T
    logits.requires_grad_()
    heard, said = torch.tensor(heard), torch.tensor(said)
    copies = [x.clone() for x in (logits, targets, heard, said)]
    truth = by_loop(logits, targets, heard, said, 0)
    for way in OURS:
        assert_same(OURS[way](logits.contiguous() if way == "sliced" else logits, targets, heard, said, 0), truth, logits)
    log_probs = logits.detach().log_softmax(3)
    both = [part[0].clone() for part in arcs(log_probs, targets)]
    kept = [part.clone() for part in both]
    occupancies(*both)
    best_frames(*both)
    transducer_loss(log_probs, targets, heard, said, fused_log_softmax=False)
    for x, copy in zip((logits, targets, heard, said, *both, log_probs), (*copies, *kept, logits.log_softmax(3))):
        assert torch.equal(x, copy)


def test_no_tensor_is_made_on_the_default_device():
    logits, targets, *lengths = common()

    def everything(targets, lengths):
        both = arcs(logits.log_softmax(3), targets)
        ways = [value_and_gradient(logits, targets, *lengths, way=way) for way in ("fused", "log-probabilities", "arcs")]
        return [*sum(ways, ()), *occupancies(*(x[0] for x in both)), best_frames(*(x[0] for x in both))]

    expected = everything(targets, lengths)
    tensors = [torch.tensor(x) for x in lengths]
    with torch.device("meta"):
        results = everything(targets, lengths), everything(targets, tensors)
        listed = transducer_loss(logits, targets.tolist(), *lengths)
    assert torch.equal(listed, transducer_loss(logits, targets, *lengths))
    for result in results:
        for x, y in zip(result, expected):
            assert x.device == torch.device("cpu") and torch.equal(x, y)


def test_the_default_dtype_does_not_matter():
    logits, *arguments = random_case(7)
    expected = [value_and_gradient(logits, *arguments[:-1], way=way) for way in OURS]
    torch.set_default_dtype(torch.float16)
    try:
        got = [value_and_gradient(logits, *arguments[:-1], way=way) for way in OURS]
    finally:
        torch.set_default_dtype(torch.float32)
    for x, y in zip(expected, got):
        assert torch.equal(x[0], y[0]) and torch.equal(x[1], y[1])


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("reduction, shape", [("none", (2,)), ("sum", ()), ("mean", ())])
def test_logits_on_the_meta_device(reduction, shape, fused):
    logits, *arguments = common()
    x = logits.to("meta").requires_grad_()
    loss = transducer_loss(x, *arguments, 0, reduction, fused)
    assert loss.is_meta and loss.shape == shape and loss.dtype == torch.float64
    slope = torch.autograd.grad(loss.sum(), x)[0]
    assert slope.is_meta and slope.shape == x.shape


@pytest.mark.parametrize("place", ["cpu", ON_A_GPU])
@pytest.mark.parametrize("way", OURS)
def test_on_every_device(way, place):
    for seed in range(5):
        logits, targets, heard, said, blank = random_case(seed, most=9)
        truth = by_loop(logits, targets, heard, said, blank)
        there = logits.detach().to(place).requires_grad_()
        elsewhere = [(x.to(place) for x in (targets, heard, said)), (targets, heard.tolist(), said.tolist())]
        for texts in elsewhere if way in ("fused", "sliced") else elsewhere[:1]:
            loss = OURS[way](there, *texts, blank)
            assert loss.device.type == place
            torch.testing.assert_close(loss.cpu(), truth, rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(gradient(loss, there).cpu(), gradient(truth, logits), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("place", ["cpu", ON_A_GPU])
def test_occupancies_and_best_frames_on_every_device(place):
    logits, targets, *_ = common()
    both = [part[0] for part in arcs(logits.log_softmax(3), targets)]
    there = [part.to(place) for part in both]
    for ours, truth in zip((*occupancies(*there), best_frames(*there)), (*occupancies(*both), best_frames(*both))):
        assert ours.device.type == place
        torch.testing.assert_close(ours.cpu(), truth, rtol=1e-10, atol=1e-12)


def test_threads_do_not_change_the_result():
    logits, *arguments = random_case(6)
    before, results = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(transducer_loss(logits, *arguments))
    torch.set_num_threads(before)
    torch.testing.assert_close(*results, rtol=1e-13, atol=0)


def network(D=8, C=6, N=2, T=7, W=4, dtype=torch.float64):
    """A joint with weights of its own, and inputs for it."""
    head = torch.nn.Linear(D, C).to(dtype)
    with torch.no_grad():
        head.weight.copy_(randn(C, D, seed=1))
    inputs = [randn(N, length, D, seed=length, dtype=dtype).requires_grad_() for length in (T, W)]
    return head, lambda encoded, predicted: head((encoded[:, :, None] + predicted[:, None]).tanh()), inputs


@pytest.mark.parametrize("frames", [1, 3, 7, 100])
def test_the_sliced_form_trains_a_joint(frames):
    head, joint, inputs = network()
    arguments = ([[1, 2, 2], [3, 0, 0]], [7, 5], [3, 1])
    dense = transducer_loss(joint(*inputs), *arguments)
    calls = []

    def counted(*parts):
        calls.append(parts[0].shape[1])
        return joint(*parts)

    slices = sliced_transducer_loss(counted, *inputs, *arguments, frames=frames)
    assert len(calls) == math.ceil(7 / frames) and max(calls) == min(frames, 7) and sum(calls) == 7
    torch.testing.assert_close(slices, dense, rtol=1e-12, atol=0)
    leaves = [*inputs, head.weight, head.bias]
    ours, truth = (torch.autograd.grad(loss, leaves) for loss in (slices, dense))
    torch.testing.assert_close(ours, truth, rtol=1e-10, atol=1e-12)
    assert sum(calls) == 14  # once more for the gradient


def test_the_sliced_form_throws_the_same_dice_again():
    _, joint, inputs = network()

    def noisy(*parts):
        return torch.nn.functional.dropout(joint(*parts), 0.5)

    arguments = ([[1, 2, 2], [3, 1, 1]], [7, 5], [3, 1])
    torch.manual_seed(0)
    dense = transducer_loss(noisy(*inputs), *arguments)
    torch.manual_seed(0)
    slices = sliced_transducer_loss(noisy, *inputs, *arguments, frames=7)
    torch.testing.assert_close(slices, dense, rtol=1e-12, atol=0)
    torch.rand(5)
    ours, truth = (torch.autograd.grad(loss, inputs) for loss in (slices, dense))
    torch.testing.assert_close(ours, truth, rtol=1e-10, atol=1e-12)


def test_the_sliced_form_needs_less_memory_than_the_logits():
    N, T, U, C, D = 2, 60, 10, 600, 8
    _, joint, inputs = network(D, C, N, T, U + 1, torch.float32)
    arguments = (randint(1, C, (N, U), seed=3), [T] * N, [U] * N)
    logits = 4 * N * T * (U + 1) * C  # bytes of all of them
    dense = peak_bytes(lambda: transducer_loss(joint(*inputs), *arguments).backward())
    in_slices = peak_bytes(lambda: sliced_transducer_loss(joint, *inputs, *arguments, frames=6).backward())
    assert dense > 2 * logits  # and their gradient
    assert in_slices < 0.6 * logits
    leaf = randn(N, T, U + 1, C, seed=1, dtype=torch.float32).requires_grad_()
    alone = peak_bytes(lambda: transducer_loss(leaf, *arguments).backward())
    assert alone < 1.2 * logits  # the gradient, and little beside it


LOGITS = randn(2, 5, 4, 5, seed=6)
GOOD = {"logits": LOGITS, "targets": [[1, 2, 2], [3, 1, 4]], "logit_lengths": [5, 3], "target_lengths": [3, 1]}
PLAIN = {"logits": LOGITS.log_softmax(3), "fused_log_softmax": False}
ONE_NODE = LOGITS.log_softmax(3)
ONE_NODE[1, 0, 1] += 1
OTHER = [
    ({"logits": LOGITS.tolist()}, "logits: list came, expected a tensor of floats"),
    ({"logits": LOGITS.numpy()}, "logits: ndarray came"),
    ({"logits": LOGITS.long()}, "logits: torch.int64 came"),
    ({"logits": LOGITS.to(torch.complex64)}, "logits: torch.complex64 came"),
    ({"logits": LOGITS[0]}, r"logits: shape \(5, 4, 5\) came, expected \(N, T, U \+ 1, C\)"),
    ({"logits": LOGITS[None]}, r"logits: shape \(1, 2, 5, 4, 5\) came"),
    ({"logits": LOGITS[:0]}, r"logits: shape \(0, 5, 4, 5\) came, expected .*, nothing empty"),
    ({"logits": LOGITS[:, :0]}, r"logits: shape \(2, 0, 4, 5\) came"),
    ({"logits": LOGITS[:, :, :0]}, r"logits: shape \(2, 5, 0, 5\) came"),
    ({"logits": LOGITS[..., :0]}, r"logits: shape \(2, 5, 4, 0\) came"),
    ({"logits": LOGITS[:, :, :3]}, r"targets: shape \(2, 3\) came, expected \(2, 2\), where U \+ 1 = 3"),
    ({**PLAIN, "logits": LOGITS}, "logits: their exp sums to more than 1, expected log-probabilities"),
    ({**PLAIN, "logits": LOGITS.softmax(3)}, "logits: their exp sums to more than 1"),
    ({**PLAIN, "logits": ONE_NODE}, "logits: their exp sums to more than 1"),
    ({**PLAIN, "logits": LOGITS.half()}, "logits: their exp sums to more than 1"),
    ({"blank": 5}, "blank: 5 came, expected a class from 0 to 4"),
    ({"blank": -1}, "blank: -1 came"),
    ({"blank": True}, "blank: True came"),
    ({"blank": 0.0}, "blank: 0.0 came"),
    ({"blank": None}, "blank: None came"),
    ({"blank": 2}, "targets: expected labels from 0 to 4 other than the blank 2"),
]
OF_TEXTS = [
    ({"targets": [[1, 2, 0], [3, 1, 4]]}, "targets: expected labels from 0 to 4 other than the blank 0"),
    ({"targets": [[1, 2, 5], [3, 1, 4]]}, "targets: expected labels"),
    ({"targets": [[1, 2, -1], [3, 1, 4]]}, "targets: expected labels"),
    ({"targets": [[1, 2], [3, 1]]}, r"targets: shape \(2, 2\) came, expected \(2, 3\), where U \+ 1 = 4"),
    ({"targets": [[1, 2, 2, 1], [3, 1, 4, 1]]}, r"targets: shape \(2, 4\) came"),
    ({"targets": [1, 2, 2, 3]}, r"targets: shape \(4,\) came"),
    ({"targets": [[1, 2, 2]]}, r"targets: shape \(1, 3\) came"),
    ({"targets": []}, r"targets: shape \(0,\) came"),
    ({"targets": [[1, 2, 2], [3]]}, "targets: .* came, expected integers"),
    ({"targets": [[1.0, 2.0, 2.0], [3.0, 1.0, 4.0]]}, "targets: torch.float64 came, expected integers"),
    ({"targets": torch.ones(2, 3) > 0}, "targets: torch.bool came"),
    ({"targets": None}, "targets: None came"),
    ({"targets": torch.ones(2, 3, device="meta").long()}, "targets: a tensor on the meta device came"),
]
OF_LENGTHS = [
    ({"logit_lengths": [5.0, 3.0]}, "logit_lengths: torch.float64 came, expected integers"),
    ({"logit_lengths": torch.tensor([1.0, 0.5])}, "logit_lengths: torch.float.. came, expected integers"),
    ({"logit_lengths": [True, True]}, "logit_lengths: torch.bool came"),
    ({"logit_lengths": [5, 0]}, r"logit_lengths: \[5, 0\] came, expected 1 to T = 5"),
    ({"logit_lengths": [5, 6]}, r"logit_lengths: \[5, 6\] came, expected 1 to T = 5"),
    ({"logit_lengths": [5, -1]}, r"logit_lengths: \[5, -1\] came"),
    ({"logit_lengths": [4, 3]}, r"logit_lengths: \[4, 3\] came, expected 1 to T = 5, and the longest T"),
    ({"logit_lengths": [5]}, "logit_lengths: 1 came, expected one for each of 2"),
    ({"logit_lengths": 5}, "logit_lengths: 1 came"),
    ({"logit_lengths": None}, "logit_lengths: None came"),
    ({"target_lengths": [3, 4]}, r"target_lengths: \[3, 4\] came, expected 0 to U = 3"),
    ({"target_lengths": [3, -1]}, r"target_lengths: \[3, -1\] came, expected 0 to U = 3"),
    ({"target_lengths": [3.0, 1.0]}, "target_lengths: torch.float64 came"),
    ({"target_lengths": [3, 1, 1]}, "target_lengths: 3 came, expected one for each of 2"),
    ({"reduction": "average"}, "reduction: 'average' came, expected 'none', 'sum' or 'mean'"),
    ({"reduction": None}, "reduction: None came"),
]


@pytest.mark.parametrize("change, message", OTHER + OF_TEXTS + OF_LENGTHS)
def test_nonsense_is_refused(change, message):
    assert transducer_loss(**GOOD).isfinite() and transducer_loss(**{**GOOD, **PLAIN}).isfinite()
    with pytest.raises(ValueError, match=message):
        transducer_loss(**{**GOOD, **change})


def add(encoded, predicted):
    return encoded[:, :, None] + predicted[:, None]


SLICED = {"joint": add, "encoded": LOGITS[:, :, 0], "predicted": LOGITS[:, 0], **GOOD}
del SLICED["logits"]
OF_SLICES = [
    ({"encoded": LOGITS}, r"encoded: shape \(2, 5, 4, 5\) came, expected \(N, T, D\)"),
    ({"encoded": LOGITS[:, :0, 0]}, r"encoded: shape \(2, 0, 5\) came"),
    ({"encoded": None}, "encoded: NoneType came"),
    ({"predicted": LOGITS}, r"predicted: shape \(2, 5, 4, 5\) came, expected \(N, U \+ 1, E\)"),
    ({"predicted": LOGITS[:1, 0]}, "predicted: 1 items came, expected 2, as many as encoded"),
    ({"predicted": LOGITS[:, 0, :3]}, r"targets: shape \(2, 3\) came, expected \(2, 2\)"),
    ({"joint": lambda e, p: add(e, p)[0]}, r"joint: shape \(5, 4, 5\) came, expected \(N, t, U \+ 1, C\)"),
    ({"joint": lambda e, p: add(e, p)[:, :, 1:]}, r"joint: \(2, 5, 3, 5\) came, expected \(2, 5, 4\) and the classes"),
    ({"joint": lambda e, p: add(e, p)[:, 1:]}, r"joint: \(2, 4, 4, 5\) came, expected \(2, 5, 4\)"),
    ({"joint": lambda e, p: add(e, p)[:1]}, r"joint: \(1, 5, 4, 5\) came, expected \(2, 5, 4\)"),
    ({"joint": lambda e, p: add(e, p).long()}, "joint: torch.int64 came, expected a tensor of floats"),
    ({"blank": 5}, "blank: 5 came, expected a class from 0 to 4"),
    ({"blank": 2}, "targets: expected labels from 0 to 4 other than the blank 2"),
    ({"frames": 0}, "frames: 0 came, expected at least 1"),
    ({"frames": 2.5}, "frames: 2.5 came"),
]


@pytest.mark.parametrize("change, message", OF_SLICES + OF_TEXTS + OF_LENGTHS)
def test_nonsense_is_refused_in_slices(change, message):
    assert sliced_transducer_loss(**SLICED).isfinite()
    with pytest.raises(ValueError, match=message):
        sliced_transducer_loss(**{**SLICED, **change})


MOVE, EMIT = arcs(LOGITS.log_softmax(3), torch.tensor(GOOD["targets"]))
OF_ARCS = [
    ({"move": MOVE[0]}, r"move: shape \(5, 4\) came, expected \(N, T, U \+ 1\)"),
    ({"move": MOVE[:, :0]}, r"move: shape \(2, 0, 4\) came"),
    ({"move": MOVE.tolist()}, "move: list came, expected a tensor of floats"),
    ({"move": MOVE.long()}, "move: torch.int64 came"),
    ({"emit": MOVE}, r"emit: torch.float64 \(2, 5, 4\) came, expected a tensor of floats \(2, 5, 3\)"),
    ({"emit": EMIT.tolist()}, r"emit: list .* came, expected a tensor of floats \(2, 5, 3\)"),
    ({"emit": EMIT.long()}, r"emit: torch.int64 \(2, 5, 3\) came, expected a tensor of floats \(2, 5, 3\)"),
    ({"emit": None}, "emit: NoneType"),
]


@pytest.mark.parametrize("change, message", OF_ARCS + OF_LENGTHS)
def test_nonsense_is_refused_in_arcs(change, message):
    good = {"move": MOVE, "emit": EMIT, "logit_lengths": [5, 3], "target_lengths": [3, 1]}
    assert arc_loss(**good).isfinite()
    with pytest.raises(ValueError, match=message):
        arc_loss(**{**good, **change})


@pytest.mark.parametrize("function", [occupancies, best_frames])
def test_no_alignment_is_refused(function):
    move, emit = MOVE[0], EMIT[0]
    for both, message in [
        ((move, emit - math.inf), "move, emit: the text has no alignment, its loss is inf"),
        ((move * NAN, emit), "move, emit: .* its loss is nan"),
        ((move, emit.clone().index_fill_(0, torch.tensor(2), NAN)), "move, emit: .* its loss is nan"),
        ((MOVE, EMIT), r"move: shape \(2, 5, 4\) came, expected \(T, U \+ 1\)"),
        ((move, move), r"emit: torch.float64 \(5, 4\) came, expected a tensor of floats \(5, 3\)"),
        ((move.tolist(), emit.tolist()), "move: list came"),
    ]:
        with pytest.raises(ValueError, match=message):
            function(*both)
