"""How is it drawn, in part 2: losses of tokens, masks, attention, and codes?"""

import matplotlib.pyplot as plt
import torch

from asr_losses.features import FRAME_SHIFT
from asr_losses.figures import BLUE, GREEN, ORANGE, PINK, draw_log_mel, grid, mark_words


def page_losses(measured, page, lines):
    """Histogram of what the source page's code prints over many seeds; `lines`: predictions {label: nats}."""
    fig, ax = plt.subplots(figsize=(10, 4.2))
    ax.hist(measured, bins=12, color=BLUE)
    ax.yaxis.set_major_locator(plt.MaxNLocator(integer=True))
    ax.axvline(page, color=ORANGE, ls="--", lw=2.5, label=f"the page: {page:.3f}")
    for (label, level), colour, style in zip(lines.items(), (PINK, "black"), ("-.", ":")):
        ax.axvline(level, color=colour, ls=style, lw=2.5, label=f"{label}: {level:.3f}")
    ax.set(xlabel="CE loss after no training (nats)", ylabel="seeds")
    ax.set(title="The page's number is the price of a guess")
    ax.legend()
    return fig


def masks(readable, audible):
    """Two masks, a tick for True: `readable (U, U)` and `audible (N, T)`."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    grid(left, readable, "readable: the text so far", "text position", "seen by position")
    grid(right, audible, "audible: real frames", "frame", "utterance")
    return fig


def dependency(matrices):
    """Which output moves when one row of the input is disturbed; `matrices`: {title: (U, L) bool}."""
    fig, axes = plt.subplots(1, len(matrices), figsize=(13, 3.6), layout="constrained")
    for ax, (title, matrix) in zip(axes, matrices.items()):
        grid(ax, matrix, title, f"disturbed {title.split(',')[0][:-1]}", "output that moves")
    return fig


def attention(utterance, log_mel, views, frame_shift):
    """Log-mel above, attention below; `views`: {title: (weights (U, T), path (T,) of states 2u+1)}."""
    fig, axes = plt.subplots(1 + len(views), 1, figsize=(12, 2.6 + 3.4 * len(views)), sharex=True,
                             height_ratios=(1, *[2] * len(views)), layout="constrained")
    draw_log_mel(axes[0], log_mel)
    mark_words(axes[0], utterance, color="white")
    U = len(utterance.text) + 1  # with EOS
    spaces = [u for u, character in enumerate(utterance.text) if character == " "]
    middles = [(a + b) / 2 for a, b in zip([-1, *spaces], [*spaces, U - 1])]
    for ax, (title, (weights, path)) in zip(axes[1:], views.items()):
        seconds = torch.arange(weights.shape[1]) * frame_shift
        ax.imshow(weights.sqrt(), origin="upper", aspect="auto", cmap="Blues", vmin=0, vmax=1,
                  extent=(-frame_shift / 2, seconds[-1] + frame_shift / 2, U - 0.5, -0.5))
        ax.plot(seconds, path // 2, color=ORANGE, lw=2.5, drawstyle="steps-mid", label="best path in order")
        mark_words(ax, utterance, height=None, color="black", alpha=0.4)
        for u in spaces:
            ax.axhline(u, color="black", lw=1, alpha=0.4)
        ax.grid(False)
        ax.set(title=title, yticks=middles, yticklabels=utterance.words, ylabel="written")
        ax.tick_params(axis="y", length=0)
        ax.legend(loc="upper right", fontsize=11)
    axes[-1].set(xlabel="time (s)")
    return fig


def sharpening(entropy, boundary, uniform):
    """Entropy of the attention (nats), median boundary error (ms) by epoch; `uniform`: of a uniform split."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 3.8), layout="constrained")
    left.plot(entropy, "o-", color=BLUE)
    left.set(xlabel="epoch", ylabel="entropy of the attention (nats)", ylim=(0, None))
    left.set(title="Attention sharpens")
    right.plot(boundary, "s--", color=ORANGE, label="path through the attention")
    right.axhline(uniform, color="black", ls=":", label=f"uniform split: {uniform:.0f}")
    right.legend()
    right.set(xlabel="epoch", ylabel="median boundary error (ms)", ylim=(0, None))
    right.set(title="and finds the words")
    return fig


def smoothing(p, losses):
    """Loss over the probability `p (n,)` of the right token; `losses`: {epsilon: (n,)}; dots: minima."""
    fig, ax = plt.subplots(figsize=(10, 4.2))
    for (epsilon, values), colour, style in zip(losses.items(), (BLUE, ORANGE, GREEN), ("-", "--", "-.")):
        ax.plot(p, values, color=colour, ls=style, lw=2.5, label=f"ε = {epsilon}")
        ax.plot(p[values.argmin()], values.min(), "o", color=colour, ms=10)
    ax.set(xlabel="probability of the right token", ylabel="loss (nats)", ylim=(-0.1, 3))
    ax.set(title="Smoothing puts a price on certainty")
    ax.legend(loc="lower left")
    return fig


def codes(utterance, log_mel, coded, numbers):
    """A log-mel `(T, 40)`, and the same made of the centres of its codes, `numbers (T / 4,)`."""
    frames = len(coded) // len(numbers)
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(12, 5.4), sharex=True, sharey=True, layout="constrained")
    for ax, picture in ((top, log_mel), (bottom, coded)):
        draw_log_mel(ax, picture)
    top.set(title="what is said", xlim=(0, utterance.seconds))
    bottom.set(title="what the codes keep", xlabel="time (s)")
    for i, number in enumerate(numbers.tolist()):
        place = ((i + 0.5) * frames - 0.5) * FRAME_SHIFT
        bottom.text(place, 1.5, number, rotation=90, ha="center", va="bottom", fontsize=11, color="white")
    return fig
