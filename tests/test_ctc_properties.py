"""Properties that the CTC loss has for whatever input: hypothesis draws it, torch and enumeration judge.

Drawn are dtype, shape, blank, memory layout, kinds of targets, lengths of 0, impossible classes, confident
logits, a masked blank, and nan behind the input lengths. torch's own test inputs are run through, too.
"""

import itertools
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr_losses.ctc import ctc_loss

REDUCTIONS = ("none", "sum", "mean")


def examples(number):
    """The same `number` of examples each time; nothing is written to disk."""
    same = {"derandomize": True, "deadline": None, "database": None}
    return settings(max_examples=number, suppress_health_check=[HealthCheck.too_slow], **same)


@dataclass
class Case:
    log_probs: torch.Tensor  # (T, N, C); what lies behind an input length is finite
    texts: list  # of lists of labels
    input_lengths: list
    blank: int
    targets: torch.Tensor  # the texts in one of the forms that the loss takes
    layout: str
    nan_behind: bool

    @property
    def lengths(self):
        return self.input_lengths, [len(text) for text in self.texts]

    @property
    def padding(self):
        """Which frames `(T, N)` lie behind an item's end?"""
        return torch.arange(len(self.log_probs))[:, None] >= torch.tensor(self.input_lengths)

    def laid_out(self):
        """log_probs with the same values in memory of another layout."""
        x = self.log_probs.clone()
        if self.nan_behind:
            x[self.padding] = torch.nan
        if self.layout == "transposed":
            return x.transpose(0, 1).contiguous().transpose(0, 1)
        if self.layout == "classes first":
            return x.permute(2, 1, 0).contiguous().permute(2, 1, 0)
        if self.layout == "sliced":
            return x.repeat_interleave(2, 0).repeat_interleave(3, 2)[::2, :, 1::3]
        if self.layout == "expanded" and x.shape[1] > 1 and torch.equal(x[:, :1].expand_as(x), x):
            return x.repeat_interleave(2, 2)[:, :1, ::2].expand_as(x)
        return x

    def padded(self):
        """The texts as `(N, U)`, for torch."""
        any_label = 0 if self.blank else self.log_probs.shape[2] - 1
        width = max(1, *(len(text) for text in self.texts))
        return torch.tensor([text + [any_label] * (width - len(text)) for text in self.texts])


@st.composite
def cases(draw, frames=12, paths=None):
    """A Case with up to `frames` frames; with `paths`, one with at most so many paths over all classes."""
    T = draw(st.one_of(st.just(1), st.integers(1, frames)))
    N = draw(st.integers(1, 3))
    C = draw(st.integers(1, 5))
    while paths and C**T > paths:
        T -= 1
    blank = draw(st.integers(0, C - 1))
    dtype = draw(st.sampled_from([torch.float64, torch.float32]))
    layout = draw(st.sampled_from(["contiguous", "transposed", "classes first", "sliced", "expanded"]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))

    scale = draw(st.sampled_from([1, 1, 5, 50, 500]))
    logits = scale * torch.randn(T, N, C, generator=generator, dtype=dtype)
    if draw(st.booleans()):  # some classes are impossible at some frames, never all
        impossible = torch.rand(T, N, C, generator=generator) < 0.3
        impossible[:, :, draw(st.integers(0, C - 1))] = False
        logits[impossible] = -torch.inf
    mask = draw(st.sampled_from([None, None, -1e4, -1e9, -torch.inf]))
    possible = logits.isfinite().sum(2) > logits[:, :, blank].isfinite()  # is there a class beside the blank?
    if mask is not None:
        logits[:, :, blank].masked_fill_(possible, mask)
    log_probs = logits.log_softmax(2)
    if layout == "expanded":
        log_probs = log_probs[:, :1].repeat(1, N, 1)

    labels = [label for label in range(C) if label != blank]
    text = st.lists(st.sampled_from(labels), max_size=T + 1) if labels else st.just([])
    texts = [draw(text) for _ in range(N)]
    input_lengths = [draw(st.one_of(st.just(T), st.integers(0, T))) for _ in range(N)]
    kind = draw(st.sampled_from([torch.int32, torch.int64]))
    if draw(st.booleans()):
        targets = torch.tensor(sum(texts, []), dtype=kind)
    else:
        width = max(len(text) for text in texts) + draw(st.integers(0, 2))
        rows = [text + [-7] * (width - len(text)) for text in texts]
        targets = torch.tensor(rows, dtype=kind).view(N, width)
    return Case(log_probs, texts, input_lengths, blank, targets, layout, draw(st.booleans()))


def weighted(loss):
    return (loss * torch.linspace(0.5, 1.5, loss.numel(), dtype=loss.dtype).view(loss.shape)).sum()


def ours(case, reduction="none", zero_infinity=False):
    """Loss and gradient with respect to log_probs, both in float64."""
    x = case.laid_out().requires_grad_()
    loss = ctc_loss(x, case.targets, *case.lengths, case.blank, reduction, zero_infinity)
    assert loss.dtype == x.dtype
    return loss.detach().double(), torch.autograd.grad(weighted(loss), x)[0].double()


def theirs(case, reduction, zero_infinity):
    x = case.log_probs.double().requires_grad_()
    loss = F.ctc_loss(x, case.padded(), *case.lengths, case.blank, reduction, zero_infinity)
    return loss.detach(), torch.autograd.grad(weighted(loss), x)[0]


def wrt_logits(case, gradient):
    return gradient - case.log_probs.double().exp() * gradient.sum(2, keepdim=True)


def tolerances(case, loss):
    """For the loss and its gradient, the exponential of differences between numbers like the loss."""
    eps = torch.finfo(case.log_probs.dtype).eps
    finite = loss[loss.isfinite()]
    largest = finite.abs().max().item() if finite.numel() else 0.0
    return {"rtol": 50 * eps, "atol": 50 * eps}, {"rtol": 0, "atol": 50 * eps * (1 + largest)}


@examples(250)
@given(cases(), st.sampled_from(REDUCTIONS), st.booleans())
def test_equals_torch(case, reduction, zero_infinity):
    loss, gradient = ours(case, reduction, zero_infinity)
    expected, slope = theirs(case, reduction, zero_infinity)
    for_loss, for_gradient = tolerances(case, theirs(case, "none", True)[0])
    torch.testing.assert_close(loss, expected, **for_loss)
    assert (loss >= 0).all()
    assert (gradient[case.padding] == 0).all()
    compared = ~slope.isnan().any(2).any(0)  # items for which torch has a gradient
    by_us, by_torch = (wrt_logits(case, x)[:, compared] for x in (gradient, slope))
    torch.testing.assert_close(by_us, by_torch, **for_gradient)


def collapse(path, blank):
    return [label for label, _ in itertools.groupby(path) if label != blank]


def enumerated(case, reduction, zero_infinity):
    """Loss, gradient with respect to log_probs, and which losses are finite, from a sum over all paths."""
    x = case.log_probs.double().requires_grad_()
    losses = []
    for n, (text, T) in enumerate(zip(case.texts, case.input_lengths)):
        every = itertools.product(range(x.shape[2]), repeat=T)
        paths = [path for path in every if collapse(path, case.blank) == text]
        scores = [x[range(T), n, path].sum() for path in paths]
        scores = [score for score in scores if score > -torch.inf]
        losses.append(-torch.stack(scores).logsumexp(0) if scores else x.new_tensor(torch.inf))
    losses = torch.stack(losses)
    finite = losses.detach().isfinite()
    if zero_infinity:
        losses = torch.where(finite, losses, 0.0)
    if reduction == "mean":
        losses = (losses / torch.tensor(case.lengths[1]).clamp(min=1)).mean()
    if reduction == "sum":
        losses = losses.sum()
    gradient = torch.autograd.grad(weighted(losses), x)[0] if losses.requires_grad else torch.zeros_like(x)
    return losses.detach(), gradient, finite


@examples(150)
@given(cases(frames=6, paths=260), st.sampled_from(REDUCTIONS), st.booleans())
def test_equals_enumeration(case, reduction, zero_infinity):
    loss, gradient = ours(case, reduction, zero_infinity)
    expected, slope, finite = enumerated(case, reduction, zero_infinity)
    for_loss, for_gradient = tolerances(case, enumerated(case, "none", True)[0])
    torch.testing.assert_close(loss, expected, **for_loss)
    torch.testing.assert_close(gradient[:, finite], slope[:, finite], **for_gradient)
    if zero_infinity:
        assert (gradient[:, ~finite] == 0).all()


@examples(150)
@given(cases(), st.integers(0, 2), st.sampled_from(["nan", "other numbers", "other text"]), st.booleans())
def test_items_are_independent(case, n, change, zero_infinity):
    n = n % len(case.texts)
    loss, gradient = ours(case, zero_infinity=zero_infinity)
    case.layout = "contiguous"
    if change == "nan":
        case.log_probs[:, n] = torch.nan
    if change == "other numbers":
        case.log_probs[:, n] = case.log_probs[:, n].flip(1)
    if change == "other text" and case.log_probs.shape[2] > 1:
        label = 0 if case.blank else 1
        case.texts[n] = [label] * len(case.texts[n])
        case.targets = torch.tensor(sum(case.texts, []))
    again, slope = ours(case, zero_infinity=zero_infinity)
    others = torch.arange(len(case.texts)) != n
    torch.testing.assert_close(again[others], loss[others], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(slope[:, others], gradient[:, others], rtol=1e-12, atol=1e-12, equal_nan=True)
    if change == "nan" and case.input_lengths[n] >= len(case.texts[n]) and case.input_lengths[n] > 0:
        assert again[n].isnan()


# torch's inputs, made in a process of their own: the modules are slow to import and change torch's settings.
TORCH_INPUTS = """
import sys, types, unittest, torch

try:
    import expecttest
except ImportError:  # needed by torch's test classes alone
    sys.modules["expecttest"] = types.ModuleType("expecttest")
    sys.modules["expecttest"].TestCase = unittest.TestCase
try:
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_inputs_torch_nn_CTCLoss as of_module
    torch.manual_seed(0)
    found = {"module": [], "function": []}
    for x in of_module(None, device="cpu", dtype=torch.float64, requires_grad=False, training=True):
        found["module"].append((x.forward_input.args, x.constructor_input.kwargs))
    entry, = [entry for entry in op_db if entry.name == "nn.functional.ctc_loss"]
    for x in entry.sample_inputs("cpu", torch.float64, requires_grad=False):
        found["function"].append(((x.input, *x.args), x.kwargs))
except (ImportError, AttributeError, TypeError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
torch.save(found, sys.argv[1])
"""


@pytest.fixture(scope="module")
def torch_inputs(tmp_path_factory):
    path = tmp_path_factory.mktemp("torch") / "inputs.pt"
    done = subprocess.run([sys.executable, "-c", TORCH_INPUTS, str(path)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"torch {torch.__version__} has its test inputs elsewhere: {done.stderr.strip()[-300:]}")
    return torch.load(path)


SOURCES = [("module", (False, True), 80), ("function", (None,), 12)]


@pytest.mark.parametrize("source, zero_infinity, least", SOURCES)
def test_inputs_of_torchs_own_tests(torch_inputs, source, zero_infinity, least):
    compared = 0
    for ((log_probs, *arguments), options), zero in itertools.product(torch_inputs[source], zero_infinity):
        if zero is not None:
            options = {**options, "zero_infinity": zero}
        results = []
        for loss in (ctc_loss, F.ctc_loss):
            logits = log_probs.clone().requires_grad_()
            value = loss(logits.log_softmax(2), *arguments, **options)
            results.append((value.detach(), torch.autograd.grad(weighted(value), logits)[0]))
        torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-10, equal_nan=True)
        compared += 1
    assert compared >= least
