"""Which text do a model's scores mean, and how wrong is it?

Lesson 11 derives `greedy`, lesson 12 `beam_search` and the language model, lesson 21 `write`, lesson 22
`token_beam_search`.
"""

import itertools
import math
import re
import unicodedata
from collections import defaultdict
from functools import lru_cache

import jiwer
import torch

from asr_losses import speech
from asr_losses.attention import causal
from asr_losses.cross_entropy import BOS, EOS, V

MOST_WORDS = 6


def collapse(path, blank=speech.BLANK):
    """The labels that are left of `path` when equal neighbours are merged and then blanks dropped, as a list."""
    return [label for label, _ in itertools.groupby(path) if label != blank]


def greedy(log_probs):
    """The text of the best label of every frame of `log_probs (T, C)`."""
    return speech.decode(collapse(log_probs.argmax(1).tolist()))


def no_language_model(text, complete=False):
    """A language model without an opinion."""
    return 0.0


@lru_cache(maxsize=None)
def digit_language_model(text, complete=False):
    """ln of the probability that an utterance begins with `text`, or (`complete`) is this text.

    The rule of `speech.utterances`: one to six words, each number as likely as the others, ten words likewise.
    """
    *said, last = text.split(" ")
    n, matches = len(said) + 1, sum(word.startswith(last) for word in speech.DIGITS)
    impossible = n > MOST_WORDS or not matches or not set(said) <= set(speech.DIGITS)
    if impossible or complete and last not in speech.DIGITS:
        return -math.inf
    if complete:
        return -math.log(MOST_WORDS) - n * math.log(10)
    return math.log((MOST_WORDS - n + 1) / MOST_WORDS * matches / 10) - (n - 1) * math.log(10)


def _log_add(a, b):
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def beam_search(log_probs, language_model=no_language_model, width=16):
    """The best text of `log_probs (T, C)` and its CTC score, ln of the probability of those of its paths that the
    beam kept: prefix beam search (Hannun et al. 2014, arXiv 1408.2873, algorithm 1).
    """
    beam = {"": (0.0, -math.inf)}  # ln P of the paths that end in a blank, and in the text's last letter
    for frame in log_probs.tolist():
        beam = _extend(beam, frame, language_model)
        ranked = sorted(beam, key=lambda text: _log_add(*beam[text]) + language_model(text), reverse=True)
        beam = {text: beam[text] for text in ranked[:width]}
    best = max(beam, key=lambda text: _log_add(*beam[text]) + language_model(text, complete=True))
    return best, _log_add(*beam[best])


def _extend(beam, frame, allowed):
    """The beam one frame on."""
    grown = defaultdict(lambda: [-math.inf, -math.inf])
    likely = [c for c in range(1, len(frame)) if frame[c] > -10]
    for prefix, (blank, letter) in beam.items():
        either = _log_add(blank, letter)
        grown[prefix][0] = _log_add(grown[prefix][0], either + frame[speech.BLANK])
        if prefix:
            repeat = letter + frame[speech.ALPHABET.index(prefix[-1])]
            grown[prefix][1] = _log_add(grown[prefix][1], repeat)
        for c in likely:
            longer = prefix + speech.ALPHABET[c]
            if allowed(longer) > -math.inf:
                before = blank if longer[-2:-1] == longer[-1] else either  # a double needs a blank
                grown[longer][1] = _log_add(grown[longer][1], before + frame[c])
    return grown


def written(tokens):
    """The text of `tokens (U,)` before the first EOS."""
    return speech.decode(token for token in itertools.takewhile(lambda token: token != EOS, tokens) if token < BOS)


@torch.no_grad()
def write(model, memory, audible, most=80):
    """The texts that an EncoderDecoder writes greedily for `memory (N, T, width)`, at most `most` tokens each."""
    tokens = torch.full((len(memory), 1), BOS)
    while tokens.shape[1] <= most and not (tokens == EOS).any(1).all():
        logits, _ = model.decode(tokens, memory, causal(tokens.shape[1]), audible)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(2)], 1)
    return [written(row) for row in tokens[:, 1:].tolist()]


@torch.no_grad()
def token_beam_search(model, memory, audible, width=4, power=1.0, most=80):
    """The best text of an EncoderDecoder for one `memory (1, T, width)`, by score / length ** power, and its ln P."""
    beam, ended = [(0.0, [BOS])], []
    while beam and len(beam[0][1]) <= most:
        tokens = torch.tensor([tokens for _, tokens in beam])
        logits, _ = model.decode(tokens, memory.expand(len(beam), -1, -1), causal(tokens.shape[1]), audible)
        scores = torch.tensor([[score] for score, _ in beam]) + logits[:, -1].log_softmax(1)  # (beam, V)
        top = scores.flatten().topk(min(width - len(ended), scores.numel()))
        grown = [(score, beam[i // V][1] + [i % V]) for score, i in zip(top.values.tolist(), top.indices.tolist())]
        ended += [(score, tokens) for score, tokens in grown if tokens[-1] == EOS]
        beam = [(score, tokens) for score, tokens in grown if tokens[-1] != EOS]
    score, tokens = max(ended or beam, key=lambda candidate: candidate[0] / len(candidate[1][1:]) ** power)
    return written(tokens[1:]), score


def error_rates(references, hypotheses):
    """`(CER, WER)` in per cent over the whole list: edits divided by characters or words spoken.

    White space other than spaces is one space, and at the ends none counts (a doubled space is an error of
    characters); letters that look the same are the same (Unicode's NFC). Raises ValueError unless there are as many
    hypotheses as references and some word was spoken.
    """
    references, hypotheses = _texts("references", references), _texts("hypotheses", hypotheses)
    if len(references) != len(hypotheses):
        raise ValueError(
            f"hypotheses: {len(hypotheses)} came for {len(references)} references, expected one for each"
        )
    if not any(references):
        raise ValueError(f"references: {len(references)} came without any word, expected at least one word")
    return 100 * jiwer.cer(references, hypotheses), 100 * jiwer.wer(references, hypotheses)


def _texts(name, texts):
    texts = texts if isinstance(texts, str) else list(texts)
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name}: {texts!r} came, expected a list of strings")
    return [re.sub(r"\s*[^\S ]\s*", " ", unicodedata.normalize("NFC", text)).strip() for text in texts]
