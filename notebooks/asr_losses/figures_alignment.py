"""How is it drawn, in part 0: sounds, and how many alignments they have?"""

import matplotlib.pyplot as plt
import torch

from asr_losses.figures import BLUE, ORANGE, draw_log_mel, mark_words
from asr_losses.speech import SAMPLE_RATE


def utterance(utterance, log_mel):
    """Waveform above log-mel `(T, 40)`, on one time axis, with the true word edges."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(10, 4.8), sharex=True, height_ratios=(1, 1.4))
    seconds = torch.arange(len(utterance.samples)) / SAMPLE_RATE
    top.plot(seconds, utterance.samples, lw=0.6, color=BLUE)
    top.set(ylabel="amplitude", xlim=(0, utterance.seconds))
    top.grid(False)
    mark_words(top, utterance, color="black")
    draw_log_mel(bottom, log_mel)
    bottom.set(xlabel="time (s)")
    mark_words(bottom, utterance, height=None, color="white")
    return fig


def frames_against_characters(utterances, frames, characters, fast, slow):
    """Scatter plot of frames against characters; two voices stand out."""
    fig, ax = plt.subplots(figsize=(10, 4.5))
    ax.scatter(characters, frames, s=8, color="0.75", label="all voices")
    for voice, colour, marker in ((slow, ORANGE, "^"), (fast, BLUE, "o")):
        chosen = [i for i, utterance in enumerate(utterances) if utterance.speaker == voice]
        ax.scatter(characters[chosen], frames[chosen], s=60, color=colour, marker=marker, label=voice)
    ax.set(xlabel="characters", ylabel="frames of 10 ms")
    ax.set(title="The number of characters does not tell the number of frames")
    ax.legend()
    return fig


def alignment_counts(log10_counts, limit):
    """Histogram of how many alignments the utterances have, and what a computer could list."""
    fig, ax = plt.subplots(figsize=(10, 4.2))
    ax.hist(log10_counts, bins=40, color=BLUE)
    ax.axvline(limit, color=ORANGE, ls="--", lw=2.5, label="listable since the universe began")
    ax.set(xlabel="log10 of the number of alignments", ylabel="utterances",
           title="Most utterances have too many alignments to list")
    ax.legend()
    return fig
