"""How is it drawn, in lesson 31: text that is written while somebody speaks, and how late it comes?"""

import matplotlib.pyplot as plt
import torch

from asr_losses.figures import BLUE, BROWN, DARK_ORANGE, GREEN, ORANGE, SKY, mark_words
from asr_losses.speech import SAMPLE_RATE

LETTER = 0.065  # seconds of the axis that a letter is wide
INK = (BLUE, DARK_ORANGE, GREEN, BROWN)


def written(utterance, rows):
    """When does each letter stand on the screen? Below the waveform with the true word edges, a row for each model.

    `rows`: {name: (text, seconds)}, the moment `(U,)` of each letter: triangles, hollow for a space, and the letters to
    the right of them.
    """
    fig, (top, ax) = plt.subplots(2, 1, sharex=True, height_ratios=(1, 0.4 + 0.9 * len(rows)), layout="constrained")
    top.plot(torch.arange(len(utterance.samples)) / SAMPLE_RATE, utterance.samples, lw=0.6, color=BLUE)
    mark_words(top, utterance, color="black")
    top.set(yticks=[])
    for row, ((text, seconds), colour) in enumerate(zip(rows.values(), INK)):
        left = 0.0
        for letter, moment in zip(text, seconds):
            left = max(left, moment)
            ax.text(left, -row - 0.25, letter, color=colour, size=18, family="monospace")
            left += LETTER
            ax.plot(moment, -row - 0.42, "^", ms=9, color=colour, mfc="white" if letter == " " else colour)
        ax.axhline(-row - 0.48, color="0.85", lw=1)
    for start, end in zip(utterance.starts, utterance.ends):
        ax.axvspan(start, end, color="0.94", zorder=0)
        ax.axvline(end, color="black", ls=":", lw=2)
    ends = [max(seconds, default=0.0) + LETTER * (1 + len(text)) for text, seconds in rows.values()]
    ax.set(xlim=(0, max(utterance.seconds, *ends)), ylim=(-len(rows) + 0.4, 0.4))
    ax.set(xlabel="time (s); grey: a word is spoken; triangles: written, hollow a space")
    ax.set_yticks([-row - 0.15 for row in range(len(rows))], rows)
    ax.tick_params(axis="y", length=0)
    ax.grid(False)
    top.grid(False)
    return fig


def delays(waits):
    """Which share of the words is written within so many ms after its end? `waits`: {name: ms (B,)}."""
    fig, ax = plt.subplots()
    for (name, ms), colour, style in zip(waits.items(), (ORANGE, BLUE, GREEN), ("-", "--", "-.")):
        ms = ms.sort().values
        ax.step(ms, 100 * torch.arange(1, len(ms) + 1) / len(ms), style, color=colour, where="post", lw=3)
        ax.annotate(f"{name}:\nhalf by {ms.median():.0f} ms", (ms.median(), 50), (-45, 30), textcoords="offset points",
                    ha="right", color=colour, arrowprops={"arrowstyle": "-", "color": colour})
    ax.axvline(0, color="black", lw=1)
    ax.set(xlabel="ms after the true end of the word (beyond 200: logarithmic)")
    ax.set(ylabel="words that are written (%)", ylim=(0, 101))
    ax.set_xscale("symlog", linthresh=200, linscale=1.5)  # linear up to 200 ms, then logarithmic
    ticks = (-200, -100, 0, 100, 200, 1000, 3000)
    ax.set_xticks(ticks, [str(tick).replace("-", "−") for tick in ticks])
    ax.minorticks_off()
    return fig


def dial(settings, panels):
    """Word errors against the delay, with bars of one standard error.

    `panels`: {title: [(median ms, WER, error of the WER)]}, a point for each of `settings`, texts.
    """
    fig, axes = plt.subplots(1, len(panels), figsize=(10.8, 5.1), sharex=True, sharey=True, layout="constrained")
    for ax, (title, points), colour in zip(axes, panels.items(), (BLUE, SKY, GREEN)):
        ms, wer, spread = zip(*points)
        ax.errorbar(ms, wer, spread, fmt="o-", ms=10, color=colour, capsize=4)
        for i in (0, -1):
            foot = ms[i], wer[i] - spread[i]
            ax.annotate(f"λ = {settings[i]}", foot, (0, -18), textcoords="offset points", ha="center")
        ax.set(title=title, xlabel="median delay (ms)")
    every = [x for points in panels.values() for x, _, _ in points]
    axes[0].set_xlim(min(every) - 16, max(every) + 12)
    highest = max(wer for points in panels.values() for _, wer, _ in points)
    axes[0].set(ylabel="WER (%)", ylim=(0, 1.25 * highest))
    return fig
