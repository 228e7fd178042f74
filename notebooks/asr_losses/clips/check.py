"""Which clips are understood, and long enough, by something that did not make them?

- Natural clips are heard by PocketSphinx with its own US English model and a grammar of one digit.
- A clip must last as many frames of 40 ms as CTC needs for its word: one a letter, one more between
  doubled letters, and one to spare. Otherwise its loss is infinite.

`make` prints how many clips fall for which reason.
"""

import functools
from collections import Counter

import numpy as np

from asr_losses.clips.cut import resample
from asr_losses.speech import DIGITS, SAMPLE_RATE

LISTENING_RATE = 16000  # what PocketSphinx's model wants
SILENCE = 0.3  # seconds of faint noise around the word
NOISE = 5e-4
LEVEL = 0.5  # peak of the word
FRAME = SAMPLE_RATE * 40 // 1000  # samples


@functools.cache
def decoder():
    """PocketSphinx, ready for one digit."""
    from pocketsphinx import Decoder

    # Batch: the mean of each clip by itself is taken off, so that no clip changes how the next is heard.
    decoder = Decoder(lm=None, samprate=LISTENING_RATE, cmn="batch", loglevel="FATAL")
    grammar = f"#JSGF V1.0; grammar digit; public <digit> = {' | '.join(DIGITS)};"
    decoder.add_jsgf_string("digit", grammar)
    decoder.activate_search("digit")
    return decoder


def heard(samples, rate):
    """The digit that PocketSphinx hears in `samples` (float, `rate` at least 16 kHz), or ""."""
    samples = resample(samples, rate / LISTENING_RATE)
    padding = round(SILENCE * LISTENING_RATE)
    sound = np.random.default_rng(0).normal(0, NOISE, len(samples) + 2 * padding)
    sound[padding : padding + len(samples)] += samples / np.abs(samples).max() * LEVEL
    listener = decoder()
    listener.start_utt()
    listener.process_raw((sound * 2**15).astype("<i2").tobytes(), full_utt=True)
    listener.end_utt()
    best = listener.hyp()
    return best.hypstr if best else ""


def frames_needed(word):
    """Frames of 40 ms for the letters of `word`: each, a blank between doubled ones, and one to spare."""
    return len(word) + sum(a == b for a, b in zip(word, word[1:])) + 1


def fault(word, length, understood):
    """What is wrong with a clip of `length` samples: "short", "misheard", or "" for nothing."""
    if length < FRAME * frames_needed(word):
        return "short"
    return "" if understood else "misheard"


def select(clips, faults):
    """(clips without a fault, Counter of (word, fault)) of one voice's clips [(row, samples)]."""
    events = Counter((row["word"], fault) for (row, _), fault in zip(clips, faults) if fault)
    return [clip for clip, fault in zip(clips, faults) if not fault], events
