"""How is it drawn? What the parts of the unit share; each part adds a module of its own, `figures_*`.

A function that takes axes draws into them; every other returns a matplotlib figure, and `display.show` gives
it its alt text. The style is set by `display.style()`.
"""

import matplotlib.pyplot as plt
import torch

from asr_losses.features import FRAME_SHIFT

BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#009e73"
PINK = "#cc79a7"


def mark_words(ax, utterance, height=1.03, **style):
    """Lines at the true word edges (full: start, dotted: end) and the words above the axes."""
    for word, start, end in zip(utterance.words, utterance.starts, utterance.ends):
        ax.axvline(start, lw=2, ls="-", **style)
        ax.axvline(end, lw=2, ls=":", **style)
        if height:
            ax.text((start + end) / 2, height, word, transform=ax.get_xaxis_transform(), ha="center")


def draw_log_mel(ax, log_mel, frame_shift=FRAME_SHIFT):
    """A log-mel `(T, 40)`; frame t stands for t * frame_shift (seconds): its pixel is centred there."""
    right = (len(log_mel) - 0.5) * frame_shift
    extent = (-frame_shift / 2, right, 0, log_mel.shape[1])
    ax.imshow(log_mel.T, origin="lower", aspect="auto", extent=extent)
    ax.grid(False)
    ax.set(ylabel="mel band")


def level_lines(ax, lines):
    """Horizontal lines at up to four losses, `{label: nats}`, each with its label and number."""
    for (label, level), colour, style in zip(lines.items(), (ORANGE, PINK, GREEN, BLUE), ("--", "-.", ":", (0, (6, 2)))):
        ax.axhline(level, color=colour, ls=style, lw=2.5, label=f"{label}: {level:.2f}")


def grid(ax, matrix, title, xlabel, ylabel):
    """A matrix of True and False, a tick for True; the first row is on top."""
    ax.imshow(matrix, cmap="cividis", vmin=0, vmax=1)
    for row, column in matrix.nonzero().tolist():
        ax.text(column, row, "✓", ha="center", va="center", fontsize=12)
    ax.grid(False)
    ax.set(xticks=range(matrix.shape[1]), yticks=range(matrix.shape[0]))
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.title.set_fontsize(13)


def loss_with_lines(curves, lines, title, legend="upper right", mean_of=1):
    """Loss curves `{label: losses by step}` with labelled horizontal lines `{label: nats}`, up to four of each.

    Each point is the mean of `mean_of` steps.
    """
    fig, ax = plt.subplots(figsize=(10, 4.2))
    styles = zip((BLUE, "black", "0.5", PINK), ("-", (0, (4, 1)), (0, (1, 1)), (0, (6, 1, 1, 1))))
    for (label, losses), (colour, style) in zip(curves.items(), styles):
        means = [sum(losses[i : i + mean_of]) / mean_of for i in range(0, len(losses) - mean_of + 1, mean_of)]
        steps = [mean_of * (i + 1) for i in range(len(means))]
        ax.plot(steps, means, color=colour, ls=style, lw=1.5, label=label)
    level_lines(ax, lines)
    ax.set(xlabel="step", ylabel="loss (nats)" if mean_of == 1 else f"loss, mean of {mean_of} steps", title=title)
    ax.legend(loc=legend)
    return fig


def training(histories, lines, rates):
    """Loss by epoch above, rates in per cent below; one column for each model.

    `histories`: {model name: list of dicts with train, validation (nats per label) and the keys of
    `rates`}; `rates`: {key: label}, up to three; `lines`: {label: nats}.
    """
    fig, axes = plt.subplots(2, len(histories), figsize=(12, 7), sharex="col", sharey="row",
                             squeeze=False, layout="constrained")
    for (name, history), (top, bottom) in zip(histories.items(), axes.T):
        epochs = range(len(history))
        top.plot(epochs[1:], [row["train"] for row in history[1:]], "o-", color=BLUE, label="training, augmented")
        top.plot(epochs, [row["validation"] for row in history], "s--", color=GREEN, label="validation")
        level_lines(top, lines)
        top.set(title=name, yscale="symlog", ylim=(-0.05, None))
        top.set_yticks([0, 1, 2, 5, 10], ["0", "1", "2", "5", "10"])
        for (key, label), style in zip(rates.items(), ("k:", "o-", "s--")):
            bottom.plot(epochs, [row[key] for row in history], style, label=label)
        bottom.set(xlabel="epoch", ylim=(0, 104))
    highest = max(row[key] for history in histories.values() for row in history for key in rates)
    axes[0, 0].set(ylabel="loss (nats per label),\nlogarithmic above 2")
    axes[1, 0].set(ylabel="per cent" if highest <= 104 else "per cent (above 104 cut off)")
    axes[0, -1].legend(fontsize=11)
    axes[1, -1].legend(fontsize=11)
    return fig


def error_distributions(errors):
    """Cumulative distribution of absolute boundary errors; `errors`: {name: ms}."""
    fig, ax = plt.subplots(figsize=(10, 4.5))
    styles = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
    for (name, values), style in zip(errors.items(), styles):
        ordered = values.abs().sort().values
        share = torch.arange(1, len(ordered) + 1) / len(ordered) * 100
        ax.plot(ordered, share, ls=style, lw=2.5, label=f"{name}: median {ordered.median():.0f} ms")
    ax.set(xlabel="distance from the true boundary (ms)", ylabel="per cent of boundaries")
    ax.set(xlim=(0, 400), ylim=(0, 101), title="How many boundaries lie within so many milliseconds")
    ax.legend(loc="lower right")
    return fig
