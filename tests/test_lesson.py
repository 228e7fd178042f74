"""Alignment, decoding and the lesson's models: against brute force, and padding must not matter."""

import itertools
import math

import pytest
import torch

from asr_losses import alignment, speech
from asr_losses.decoding import error_rates
from asr_losses.features import collate, log_mel
from asr_losses.lesson import definitions

lesson = definitions("01_ctc.ipynb")
GENERATOR = torch.Generator().manual_seed(0)


def random_log_probs(T, C):
    return torch.randn(T, C, generator=GENERATOR, dtype=torch.float64).log_softmax(1)


def all_paths(target, T, C):
    return [path for path in itertools.product(range(C), repeat=T) if lesson.collapse(path, 0) == target]


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


def test_error_rates():
    assert error_rates(["one two"], ["one two"]) == (0, 0)
    cer, wer = error_rates(["one two", "six"], ["one", ""])
    assert (round(cer), round(wer, 1)) == (70, 66.7)
    with pytest.raises(ValueError, match="1 came for 2 references"):
        error_rates(["one", "two"], ["one"])


def test_a_wide_beam_finds_the_best_text_with_its_exact_score():
    for _ in range(5):
        log_probs = torch.full((4, 17), -50.0, dtype=torch.float64)
        log_probs[:, [0, 2, 3, 4]] = torch.randn(4, 4, generator=GENERATOR, dtype=torch.float64)
        log_probs = log_probs.log_softmax(1)
        texts = {}
        for path in itertools.product((0, 2, 3, 4), repeat=4):
            text = speech.decode(lesson.collapse(path, 0))
            texts.setdefault(text, []).append(log_probs[range(4), path].sum())
        exact = {text: torch.stack(scores).logsumexp(0).item() for text, scores in texts.items()}
        text, score = lesson.beam_search(log_probs, width=10**6)
        assert text == max(exact, key=exact.get)
        assert score == pytest.approx(exact[text], abs=1e-9)
        assert lesson.beam_search(log_probs, width=2)[1] <= score + 1e-12


def test_the_language_model_is_a_probability():
    model = lesson.digit_language_model
    assert sum(math.exp(model(word, complete=True)) for word in speech.DIGITS) == pytest.approx(1 / 6)
    assert sum(math.exp(model(c)) for c in speech.ALPHABET[1:]) == pytest.approx(1)  # no text is empty
    for beginning in ("t", "seven", "one tw", "one two three four five six"):
        longer = sum(math.exp(model(beginning + c)) for c in speech.ALPHABET[1:])
        ended = math.exp(model(beginning, complete=True))
        assert longer + ended == pytest.approx(math.exp(model(beginning)))
    assert model("ten") == model("one  two") == -math.inf


@pytest.mark.parametrize("encoder", [lesson.ConvEncoder, lesson.RecurrentEncoder])
def test_padding_changes_nothing(encoder):
    spoken = sorted(
        speech.utterances(speech.load_clips("test"), 6, torch.Generator().manual_seed(1)), key=lambda u: u.seconds
    )
    torch.manual_seed(0)
    model = encoder()
    model(*batch_of(spoken))  # one step of training mode, so that the norms have seen something
    model.eval()
    log_probs, frames = model(*batch_of(spoken))
    for u, row, T in zip(spoken, log_probs, frames):
        alone, T_alone = model(*batch_of([u]))
        assert T == T_alone == math.ceil((1 + len(u.samples) // 80) / 4)
        if encoder is lesson.ConvEncoder:  # the recurrent layer runs backwards from the padding
            torch.testing.assert_close(row[:T], alone[0], rtol=0, atol=1e-9)


def batch_of(spoken):
    batch = collate([log_mel(u.samples) for u in spoken], [u.text for u in spoken])
    return batch.log_mel, batch.frames


def test_a_text_that_does_not_fit_costs_infinitely_much():
    assert lesson.recursion_loss(random_log_probs(2, 4), [1, 1]) == math.inf
    assert lesson.untrained_loss(2, "zoo", 5) == math.inf
    assert math.isfinite(lesson.untrained_loss(4, "zoo", 5))


def test_definitions_of_unknown_lessons():
    with pytest.raises(ValueError, match="no notebook '99.ipynb'"):
        definitions("99.ipynb")
    with pytest.raises(ValueError, match="no cell tagged"):
        definitions("01_ctc_solutions.ipynb")
