"""Properties that the transducer loss has for whatever input: hypothesis draws it, the sum over all alignments judges.

Drawn are dtype, shape, blank, memory layout, lengths, repeats, impossible classes, confident logits, and what stands
behind the lengths.
"""

import math
from dataclasses import dataclass

import torch
from hypothesis import given
from hypothesis import strategies as st

from asr_losses.transducer import arcs, best_frames, occupancies, transducer_loss
from test_ctc_properties import examples, weighted
from test_transducer import OURS, REDUCTIONS, reduced, scores, sliced


@dataclass
class Case:
    logits: torch.Tensor  # (N, T, U + 1, C); what lies behind an item's lengths is finite
    texts: list  # of lists of labels
    heard: list
    blank: int
    width: int  # U
    layout: str
    behind: float

    @property
    def said(self):
        return [len(text) for text in self.texts]

    @property
    def padding(self):
        """Which nodes `(N, T, U + 1)` lie behind an item's end?"""
        _, T, W, _ = self.logits.shape
        late = torch.arange(T) >= torch.tensor(self.heard)[:, None]
        return late[:, :, None] | (torch.arange(W) > torch.tensor(self.said)[:, None])[:, None]

    def laid_out(self):
        """The logits in memory of another layout, with something behind the lengths."""
        x = self.logits.masked_fill(self.padding[..., None], self.behind)
        if self.layout == "classes first":
            return x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
        if self.layout == "sliced":
            return x.repeat_interleave(2, 1).repeat_interleave(3, 3)[:, ::2, :, 1::3]
        return x

    def arguments(self):
        targets = torch.tensor([text + [-7] * (self.width - len(text)) for text in self.texts])
        return targets.view(len(self.texts), self.width), self.heard, self.said, self.blank


@st.composite
def cases(draw, most=6):
    """A Case with up to `most` frames and labels."""
    T, N, C = draw(st.integers(1, most)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    blank = draw(st.integers(0, C - 1))
    labels = [label for label in range(C) if label != blank]
    text = st.lists(st.sampled_from(labels), max_size=most) if labels else st.just([])
    texts = [draw(text) for _ in range(N)]
    heard = [draw(st.integers(1, T)) for _ in range(N)]
    heard[draw(st.integers(0, N - 1))] = T
    width = max(map(len, texts)) + draw(st.integers(0, 2))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    dtype = draw(st.sampled_from([torch.float64, torch.float32]))
    logits = torch.randn(N, T, width + 1, C, generator=generator, dtype=dtype) * draw(st.sampled_from([1, 1, 5, 50, 500]))
    if draw(st.booleans()):  # some classes are impossible at some nodes, never all
        impossible = torch.rand(logits.shape, generator=generator) < 0.2
        impossible[..., draw(st.integers(0, C - 1))] = False
        logits[impossible] = -torch.inf
    layout = draw(st.sampled_from(["contiguous", "classes first", "sliced"]))
    behind = draw(st.sampled_from([0.0, math.nan, math.inf, -math.inf]))
    return Case(logits, texts, heard, blank, width, layout, behind)


def items(case, log_probs):
    """Each item's own log-probabilities and its text."""
    return [(x[:T, : len(text) + 1], text) for x, T, text in zip(log_probs, case.heard, case.texts)]


def enumerated(case, reduction):
    """Loss, gradient with respect to the logits, and which losses are finite, in float64."""
    x = case.logits.double().requires_grad_()
    totals = [scores(*item, case.blank) for item in items(case, x.log_softmax(3))]
    losses = torch.stack([-total[total > -torch.inf].logsumexp(0) for total in totals])  # of none: inf
    finite = losses.detach().isfinite()
    loss = reduced(losses, reduction)
    return loss.detach(), torch.autograd.grad(weighted(loss), x)[0], finite


def ours(case, way, reduction):
    """Loss and gradient with respect to the logits, in float64."""
    x = case.laid_out().requires_grad_()
    at = x.contiguous() if way == "sliced" else x
    targets, *rest = case.arguments()
    if way == "arcs":  # which knows no lengths
        targets = targets.clamp(min=0)
    loss = OURS[way](at, targets, *rest, reduction=reduction)
    assert loss.dtype == x.dtype
    return loss.detach().double(), torch.autograd.grad(weighted(loss), x)[0].double()


def tolerances(case, loss):
    """Relative ones for the loss, absolute ones for the gradient: log_softmax rounds what it depends on."""
    eps = torch.finfo(case.logits.dtype).eps
    largest = case.logits[case.logits.isfinite()].abs().max().item()
    return {"rtol": 50 * eps, "atol": 50 * eps}, {"rtol": 0, "atol": 50 * eps * (1 + largest)}


@examples(300)
@given(cases(), st.sampled_from(sorted(OURS)), st.sampled_from(REDUCTIONS))
def test_equals_enumeration(case, way, reduction):
    if way != "fused":  # a log_softmax in front of ours reads the padding
        case.behind = 0.0
    loss, gradient = ours(case, way, reduction)
    expected, slope, finite = enumerated(case, reduction)
    for_loss, for_gradient = tolerances(case, expected)
    torch.testing.assert_close(loss, expected, **for_loss)
    assert (loss >= 0).all()
    torch.testing.assert_close(gradient[finite], slope[finite], **for_gradient)
    assert (gradient[case.padding] == 0).all()


@examples(150)
@given(cases(), st.integers(0, 2), st.sampled_from(["nan", "other numbers", "other text"]))
def test_items_are_independent(case, n, change):
    n = n % len(case.texts)
    loss, gradient = ours(case, "fused", "none")
    if change == "nan":
        case.logits[n] = torch.nan
    if change == "other numbers":
        case.logits[n] = case.logits[n].flip(2)
    if change == "other text" and case.logits.shape[3] > 1:
        case.texts[n] = [0 if case.blank else 1] * (len(case.texts[n]) // 2)
    again, slope = ours(case, "fused", "none")
    others = torch.arange(len(case.texts)) != n
    assert torch.equal(again[others], loss[others])
    torch.testing.assert_close(slope[others], gradient[others], rtol=0, atol=0, equal_nan=True)
    assert change != "nan" or again[n].isnan()


@examples(100)
@given(cases(), st.integers(1, 7))
def test_slices_of_any_size(case, frames):
    case.behind = 0.0
    whole = transducer_loss(case.logits, *case.arguments(), "none")
    torch.testing.assert_close(sliced(case.logits, *case.arguments(), frames=frames), whole, rtol=1e-6, atol=1e-12)


@examples(150)
@given(cases())
def test_the_alignment_of_one_text(case):
    """All ways move on T times and emit U labels; the best way is one of them, and costs no less than all together."""
    losses = transducer_loss(case.logits.double(), *case.arguments(), "none")
    for (log_probs, text), loss in zip(items(case, case.logits.double().log_softmax(3)), losses):
        if loss == math.inf:
            continue
        move, emit = (part[0] for part in arcs(log_probs[None], torch.tensor([text]).long(), case.blank))
        by_blank, by_label = occupancies(move, emit)
        torch.testing.assert_close(by_blank.sum(1), torch.ones(len(move)).double())  # each frame is left once
        torch.testing.assert_close(by_label.sum(0), torch.ones(len(text)).double())  # each label is said once
        frames = best_frames(move, emit)
        assert frames.shape == (len(text),) and (frames.diff() >= 0).all()
        written = [(frames <= t).sum() for t in range(len(move))]  # labels when frame t is left
        cost = -emit[frames, range(len(text))].sum() - move[range(len(move)), written].sum()
        torch.testing.assert_close(cost, -scores(log_probs, text, case.blank).max(), rtol=1e-12, atol=1e-12)
        assert cost >= loss - 1e-12
