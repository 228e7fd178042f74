"""Alignment: against brute force, by hand, and the score with its lag."""

import itertools
from types import SimpleNamespace

import pytest
import torch

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


def test_the_score_takes_the_lag_of_the_validation_voices_off():
    said = [speech.Utterance(torch.zeros(16000), ("one", "two"), (0.1, 1.0), (0.6, 1.5), "nobody")]
    late = torch.tensor([0, 0, 1, 3, 5, 6, 7, 8, 9, 11, 13])  # the boundary lies at 0.6 s, 200 ms early
    later = torch.tensor([0, 0, 0, 0, 1, 3, 5, 7, 9, 11, 13])
    model = SimpleNamespace(frame_shift=0.1, paths=lambda utterances: [late] if utterances is said else [later])
    errors, lag = alignment.score(model, said, list(said))
    assert lag == pytest.approx(1000 * (0.7 - 0.8))
    assert errors.tolist() == pytest.approx([1000 * (0.6 - 0.8) - lag])
