"""Decoding: a wide beam finds the best text, the language model is a probability, errors are counted right."""

import itertools
import math
import unicodedata

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr_losses import decoding, speech
from asr_losses.decoding import error_rates

GENERATOR = torch.Generator().manual_seed(0)


def test_a_wide_beam_finds_the_best_text_with_its_exact_score():
    for _ in range(5):
        log_probs = torch.full((4, 17), -50.0, dtype=torch.float64)
        log_probs[:, [0, 2, 3, 4]] = torch.randn(4, 4, generator=GENERATOR, dtype=torch.float64)
        log_probs = log_probs.log_softmax(1)
        texts = {}
        for path in itertools.product((0, 2, 3, 4), repeat=4):
            text = speech.decode(decoding.collapse(path, 0))
            texts.setdefault(text, []).append(log_probs[range(4), path].sum())
        exact = {text: torch.stack(scores).logsumexp(0).item() for text, scores in texts.items()}
        text, score = decoding.beam_search(log_probs, width=10**6)
        assert text == max(exact, key=exact.get)
        assert score == pytest.approx(exact[text], abs=1e-9)
        assert decoding.beam_search(log_probs, width=2)[1] <= score + 1e-12


def test_the_language_model_is_a_probability():
    model = decoding.digit_language_model
    assert sum(math.exp(model(word, complete=True)) for word in speech.DIGITS) == pytest.approx(1 / 6)
    assert sum(math.exp(model(c)) for c in speech.ALPHABET[1:]) == pytest.approx(1)  # no text is empty
    for beginning in ("t", "seven", "one tw", "one two three four five six"):
        longer = sum(math.exp(model(beginning + c)) for c in speech.ALPHABET[1:])
        ended = math.exp(model(beginning, complete=True))
        assert longer + ended == pytest.approx(math.exp(model(beginning)))
    assert model("ten") == model("one  two") == -math.inf


def test_error_rates():
    assert error_rates(["one two"], ["one two"]) == (0, 0)
    cer, wer = error_rates(["one two", "six"], ["one", ""])
    assert (round(cer), round(wer, 1)) == (70, 66.7)
    with pytest.raises(ValueError, match="1 came for 2 references"):
        error_rates(["one", "two"], ["one"])


SPACES = st.text(alphabet=" \t\n\r\f\v\u00a0\u2003\u3000", min_size=1, max_size=3).filter(lambda text: text == " " or text.strip(" "))


@given(st.lists(st.sampled_from(speech.DIGITS), min_size=1, max_size=4), st.data())
def test_white_space_is_no_error(words, data):
    text = data.draw(st.sampled_from(["", "\u00a0", "\n"]))
    for word in words:
        text += word + data.draw(SPACES)
    assert error_rates([" ".join(words)], [text]) == error_rates([text], [" ".join(words)]) == (0, 0)


def test_a_doubled_space_is_an_error_of_characters():
    assert error_rates(["one two"], ["one  two"]) == (pytest.approx(100 / 7), 0)


def test_letters_that_look_the_same_are_the_same():
    assert error_rates(["caf\u00e9"], [unicodedata.normalize("NFD", "caf\u00e9")]) == (0, 0)


def test_texts_may_come_one_by_one():
    assert error_rates(iter(["one"]), map(str, ["one"])) == (0, 0)


def test_an_utterance_without_words_counts_what_is_written():
    assert error_rates(["", "one two"], ["six", "one two"])[1] == 50
