"""Alignment: against brute force, by hand, and the score with its lag."""

import itertools
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr_losses import alignment, speech
from asr_losses.decoding import collapse

GENERATOR = torch.Generator().manual_seed(0)


def random_log_probs(T, C):
    return torch.randn(T, C, generator=GENERATOR, dtype=torch.float64).log_softmax(1)


def all_paths(target, T, C):
    return [path for path in itertools.product(range(C), repeat=T) if collapse(path, 0) == target]


@pytest.mark.parametrize("target", [[], [1], [1, 2], [1, 1], [2, 2, 1]])
@pytest.mark.parametrize("T", [1, 2, 4, 6])
def test_best_path_and_occupancy_equal_enumeration(target, T):
    log_probs = random_log_probs(T, 3)
    paths = all_paths(target, T, 3)
    if not paths:
        for function in (alignment.best_path, alignment.occupancy):
            with pytest.raises(ValueError, match="no alignment"):
                function(log_probs, torch.tensor(target, dtype=torch.long))
        return
    scores = torch.stack([log_probs[range(T), path].sum() for path in paths])
    states = alignment.best_path(log_probs, torch.tensor(target, dtype=torch.long))
    labels = [0 if s % 2 == 0 else target[s // 2] for s in states.tolist()]
    assert tuple(labels) == paths[scores.argmax()]
    expected = torch.zeros(T, 3, dtype=torch.float64)
    for path, weight in zip(paths, scores.softmax(0)):
        expected[range(T), path] += weight
    torch.testing.assert_close(alignment.occupancy(log_probs, torch.tensor(target, dtype=torch.long)), expected)


def test_boundaries_by_hand():
    #                     -  o  n  n  e  -  _  -  t  w  o
    path = torch.tensor([0, 1, 3, 3, 5, 6, 7, 8, 9, 11, 13])
    assert alignment.word_boundaries(path, "one two", 0.1).tolist() == pytest.approx([(0.4 + 0.8) / 2])
    said = speech.Utterance(torch.zeros(16000), ("one", "two"), (0.1, 1.0), (0.6, 1.5), "nobody")
    assert alignment.true_boundaries(said).tolist() == pytest.approx([0.8])
    assert alignment.uniform_boundaries(said).tolist() == pytest.approx([2.0 * 3.5 / 7])


def test_boundaries_of_frames_by_hand():
    """Where one frame may say several labels, a path is the first and the last frame of each."""
    #                       o  n  e  _  t  w  o
    frames = torch.tensor([[1, 1, 2, 6, 8, 8, 9], [1, 1, 4, 6, 8, 9, 9]])
    first, last = alignment.label_times(frames, 0.1)
    assert first.tolist() == pytest.approx([0.1, 0.1, 0.2, 0.6, 0.8, 0.8, 0.9])
    assert last.tolist() == pytest.approx([0.1, 0.1, 0.4, 0.6, 0.8, 0.9, 0.9])
    assert first.dtype == last.dtype == torch.float64
    assert alignment.word_boundaries(frames, "one two", 0.1).tolist() == pytest.approx([(0.4 + 0.8) / 2])
    said = speech.Utterance(torch.zeros(16000), ("one", "two"), (0.1, 1.0), (0.6, 1.5), "nobody")
    assert alignment.boundary_errors([frames], [said], 0.1).tolist() == pytest.approx([1000 * (0.6 - 0.8)])


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 2), max_size=6))
def test_states_and_frames_say_the_same(lengths, pauses):
    """The same path in both forms: each label for some frames, with some blanks before it."""
    states, frames = [0], []
    for u, (length, pause) in enumerate(zip(lengths, pauses)):
        states += [2 * u] * pause
        frames.append((len(states), len(states) + length))
        states += [2 * u + 1] * (1 + length)
    frames = torch.tensor(frames).long().view(-1, 2).T
    for one, other in zip(alignment.label_times(states, 0.04), alignment.label_times(frames, 0.04)):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=0)


def test_word_delays_by_hand():
    """Of each word's last letter, half a window (12.5 ms) included; texts that are wrong do not count."""
    said = speech.Utterance(torch.zeros(16000), ("one", "two"), (0.1, 1.0), (0.6, 1.5), "nobody")
    frames = [1, 1, 17, 30, 30, 31, 36]  # "one" is written 92.5 ms after its end, "two" 47.5 ms before it
    right, wrong = (speech.encode("one two"), frames), (speech.encode("one too"), frames)
    assert alignment.word_delays([right, wrong], [said, said], 0.04).tolist() == pytest.approx([92.5, -47.5])
    assert alignment.word_delays([wrong], [said], 0.04).shape == (0,)
    with pytest.raises(ValueError, match="written: 2 came for 1 utterances"):
        alignment.word_delays([right, wrong], [said], 0.04)
    with pytest.raises(ValueError, match="written: 7 labels came with 6 frames"):
        alignment.word_delays([(right[0], frames[:-1])], [said], 0.04)


def test_the_score_takes_the_lag_of_the_validation_voices_off():
    said = [speech.Utterance(torch.zeros(16000), ("one", "two"), (0.1, 1.0), (0.6, 1.5), "nobody")]
    late = torch.tensor([0, 0, 1, 3, 5, 6, 7, 8, 9, 11, 13])  # the boundary lies at 0.6 s, 200 ms early
    later = torch.tensor([0, 0, 0, 0, 1, 3, 5, 7, 9, 11, 13])
    model = SimpleNamespace(frame_shift=0.1, paths=lambda utterances: [late] if utterances is said else [later])
    errors, lag = alignment.score(model, said, list(said))
    assert lag == pytest.approx(1000 * (0.7 - 0.8))
    assert errors.tolist() == pytest.approx([1000 * (0.6 - 0.8) - lag])


def seeded_log_probs(T=8, C=4, dtype=torch.float64):
    return torch.randn(T, C, generator=torch.Generator().manual_seed(0), dtype=torch.float64).log_softmax(1).to(dtype)


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_occupancy_in_every_grad_mode(mode):
    expected = alignment.occupancy(seeded_log_probs(), [1, 1, 2])
    with mode():
        torch.testing.assert_close(alignment.occupancy(seeded_log_probs(), [1, 1, 2]), expected)
    assert not expected.requires_grad
    assert expected.sum(1).tolist() == pytest.approx([1] * 8)


def test_occupancy_where_the_blank_is_masked():
    for value in (-1e9, -torch.inf):
        masked = seeded_log_probs(3, 4, torch.float32)
        masked[:, 0] = value
        gamma = alignment.occupancy(masked, [1, 2])
        assert gamma.min() >= 0 and gamma[:, 0].max() < 1e-6
        torch.testing.assert_close(gamma, alignment.occupancy(masked.double(), [1, 2]).float(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_best_path_of_a_long_input_is_that_of_float64(dtype):
    scores = torch.randn(1500, 20, generator=torch.Generator().manual_seed(3)).log_softmax(1).to(dtype)
    target = torch.randint(1, 20, (150,), generator=torch.Generator().manual_seed(4))
    assert torch.equal(alignment.best_path(scores, target), alignment.best_path(scores.double(), target))


def test_a_label_that_is_masked_but_needed():
    masked = seeded_log_probs(6, 4, torch.float32)
    masked[:, 1] = -1e9
    torch.testing.assert_close(alignment.occupancy(masked, [1, 2]).sum(1), torch.ones(6, dtype=torch.float32))
    assert torch.equal(alignment.best_path(masked, [1, 2]), alignment.best_path(masked.double(), [1, 2]))


def states_of(path, blank):
    """Frame labels as states: 2u + 1 for label u, 2u for the blank before it."""
    states, u, last = [], 0, blank
    for label in path:
        if label != blank and label != last:
            u += 1
        states.append(2 * u if label == blank else 2 * u - 1)
        last = label
    return states


@st.composite
def alignments(draw):
    C = draw(st.integers(2, 4))
    T = draw(st.integers(1, 5))
    blank = draw(st.integers(0, C - 1))
    labels = [c for c in range(C) if c != blank]
    target = draw(st.lists(st.sampled_from(labels), max_size=3))
    logits = torch.randn(T, C, generator=torch.Generator().manual_seed(draw(st.integers(0, 10**6))), dtype=torch.float64)
    logits *= draw(st.sampled_from([1, 10]))
    for t, c in draw(st.lists(st.tuples(st.integers(0, T - 1), st.integers(0, C - 1)), max_size=2)):
        if logits[t].isfinite().sum() > 1:
            logits[t, c] = -torch.inf
    return logits.log_softmax(1), target, blank


@given(alignments())
def test_best_path_and_occupancy_are_those_of_enumeration(case):
    scores, target, blank = case
    T, C = scores.shape
    paths = [
        path for path in itertools.product(range(C), repeat=T)
        if [label for label, _ in itertools.groupby(path) if label != blank] == target
    ]
    totals = torch.stack([scores[range(T), path].sum() for path in paths]) if paths else torch.tensor([-torch.inf])
    if totals.isneginf().all():
        for function in (alignment.best_path, alignment.occupancy):
            with pytest.raises(ValueError, match="no alignment"):
                function(scores, target, blank)
        return
    assert alignment.best_path(scores, target, blank).tolist() == states_of(paths[totals.argmax()], blank)
    expected = torch.zeros(T, C, dtype=torch.float64)
    for path, weight in zip(paths, totals.softmax(0)):
        expected[range(T), path] += weight
    torch.testing.assert_close(alignment.occupancy(scores, target, blank), expected, rtol=1e-9, atol=1e-12)
