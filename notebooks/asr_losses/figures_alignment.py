"""How is it drawn, in part 0: sounds, and how many alignments they have?"""

import itertools

import matplotlib.pyplot as plt
import torch

from asr_losses.alignment import true_boundaries
from asr_losses.figures import BLUE, DARK_ORANGE, ORANGE, draw_log_mel, histogram, mark_words
from asr_losses.speech import DIGITS, SAMPLE_RATE

SILENCE = "0.92"
COLOURS = [colour for i, colour in enumerate(plt.get_cmap("Set3").colors) if i not in (1, 8)]  # one for each digit


def utterance(utterance, log_mel):
    """Waveform above log-mel `(T, 40)`, on one time axis, with the true word edges."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(10.8, 5.2), sharex=True, height_ratios=(1, 1.4))
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
    fig, ax = plt.subplots()
    ax.scatter(characters, frames, s=8, color="0.75", label="all voices")
    for voice, colour, marker in ((slow, ORANGE, "^"), (fast, BLUE, "o")):
        chosen = [i for i, utterance in enumerate(utterances) if utterance.speaker == voice]
        ax.scatter(characters[chosen], frames[chosen], s=60, color=colour, marker=marker, label=voice)
    ax.set(xlabel="characters", ylabel="frames of 10 ms")
    ax.legend()
    return fig


def alignment_counts(log10_counts, limit):
    """Histogram of how many alignments the utterances have, and what a computer could list."""
    fig, ax = plt.subplots()
    histogram(ax, log10_counts, bins=40)
    plt.setp(ax.patches, facecolor="#b3d3e8")  # the line is to be seen
    ax.axvline(limit, color=ORANGE, ls="--", lw=2.5, label="listable since the universe began")
    ax.set(xlabel="log10 of the number of alignments", ylabel="utterances")
    ax.legend()
    return fig


def word_rates(rates):
    """Frames per character of each word, `{word: frames}`, the highest on the left."""
    fig, ax = plt.subplots()
    words = sorted(rates, key=rates.get, reverse=True)
    bars = ax.bar([f"{word}\n{len(word)} letters" for word in words], [rates[word] for word in words], color=BLUE)
    ax.bar_label(bars, fmt="%.1f", padding=2)
    ax.set(ylabel="frames of 10 ms per letter")
    ax.tick_params(axis="x", length=0, labelsize=13)
    ax.grid(False, axis="x")
    return fig


def frame_strips(utterance, strips, step, errors=None):
    """Waveform above one strip of frame labels for each of `strips`, {name: (T,)}, a frame every `step` seconds.

    Label 0 is silence, 1 + d the digit d. `errors`: {name: (B,)}, found word boundaries minus true ones (ms), which
    are printed above the strips; dashed: the true boundaries, in the middle of the gaps.
    """
    fig, (top, ax) = plt.subplots(2, 1, sharex=True, height_ratios=(1, 0.45 + 0.55 * len(strips)))
    top.plot(torch.arange(len(utterance.samples)) / SAMPLE_RATE, utterance.samples, lw=0.6, color=BLUE)
    mark_words(top, utterance, color="black")
    top.set(xlim=(0, utterance.seconds), yticks=[])
    truth = true_boundaries(utterance)
    for row, (name, labels) in enumerate(strips.items()):
        frame = 0
        for label, run in itertools.groupby(labels.tolist()):
            after = frame + len(list(run))
            left, right = (frame - 0.5) * step, (after - 0.5) * step
            colour = COLOURS[label - 1] if label else SILENCE
            for place in range(frame, after):
                ax.add_patch(plt.Rectangle(((place - 0.5) * step, row - 0.3), step, 0.6, fc=colour, ec="white", lw=0.6))
            if label:
                ax.text((left + right) / 2, row, DIGITS[label - 1], ha="center", va="center",
                        bbox={"fc": colour, "ec": "none", "pad": 1.5})
            frame = after
        for true, error in zip(truth.tolist(), errors[name].tolist() if errors and name in errors else ()):
            found = true + error / 1000
            ax.plot([found, found], [row - 0.36, row + 0.36], "-", color=DARK_ORANGE, lw=3.5)
            ax.text(found, row - 0.42, f"{error:+.0f} ms".replace("-", "−"), ha="center", color=DARK_ORANGE,
                    weight="bold", bbox={"fc": "white", "ec": "none", "pad": 1})
    for true in truth.tolist() if errors else ():
        ax.axvline(true, color="black", ls="--", lw=1.5, zorder=1.5)
    ax.set(xlabel="time (s)" + "; dashed: true boundaries, in the middle of the gaps" * bool(errors))
    ax.set(ylim=(len(strips) - 0.5, -0.75 if errors else -0.5))
    ax.set_yticks(range(len(strips)), strips)
    ax.tick_params(axis="y", length=0)
    ax.grid(False)
    top.grid(False)
    return fig


def uniform_labels(utterance, frames, step):
    """Frame labels `(frames,)` if every character had the same time: 0 at the spaces, otherwise 1 + the digit."""
    of_character = [n for word in utterance.words for n in [1 + DIGITS.index(word)] * len(word) + [0]][:-1]
    places = (torch.arange(frames) * step / utterance.seconds * len(of_character)).long()
    return torch.tensor(of_character)[places.clamp(max=len(of_character) - 1)]


def every_alignment(text, frames):
    """All strings of characters and the blank "-" that, repeats merged and blanks dropped, give `text`."""
    strings = map("".join, itertools.product(dict.fromkeys(f"-{text}"), repeat=frames))
    return [string for string in strings if "".join(c for c, _ in itertools.groupby(string)).replace("-", "") == text]


def alignments(strings, columns=4):
    """Each of the alignments as a strip of letters."""
    fig, ax = plt.subplots()
    letters = [letter for letter in dict.fromkeys("".join(strings)) if letter != "-"]
    rows = -(-len(strings) // columns)
    width = len(strings[0]) + 1.2
    for n, string in enumerate(strings):
        x, y = n // rows * width, n % rows * 1.25
        for t, letter in enumerate(string):
            colour = SILENCE if letter == "-" else COLOURS[letters.index(letter)]
            ax.add_patch(plt.Rectangle((x + t - 0.5, y - 0.5), 1, 1, fc=colour, ec="white", lw=1.5))
            ax.text(x + t, y, letter, ha="center", va="center", fontsize=18)
    ax.set(xlim=(-0.6, columns * width - 1.6), ylim=(rows * 1.25 - 0.6, -0.6))
    ax.axis("off")
    return fig
