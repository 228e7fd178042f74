"""How is it drawn? What the parts of the unit share; each part adds a module of its own, `figures_*`.

A function that takes axes draws into them; every other returns a matplotlib figure, and `display.show` gives
it its alt text. The style is set by `display.style()`.
"""

import matplotlib.pyplot as plt
import torch

from asr_losses.alignment import true_boundaries, word_boundaries
from asr_losses.features import FRAME_SHIFT

BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#009e73"
PINK = "#cc79a7"
DARK_ORANGE = "#b34c00"  # for text
SKY = "#56b4e9"
BROWN = "#8a5a00"
COLOURS = {
    "uniform split": "0.5", "frame labels": BLUE, "reader": ORANGE, "CTC reader": ORANGE, "aligner": GREEN,
    "CTC aligner": GREEN, "attention": PINK,
}


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


def alignment(utterance, log_mel, views, frame_shift):
    """When is each written character said? The unit's one picture of an alignment, for every loss.

    `views`: {title: (weights, blank, path)}, a column for each. `weights (U, T)`: how much of each frame belongs to
    each character, shaded from 0 to the largest; `blank (T,)`: the same for CTC's blank, a row of its own, or None.
    `path`: as `alignment.label_times` takes it, or None; its word boundaries minus the true ones stand above
    it, in ms. Time runs to the right, the text upwards; above lies the log-mel `(T', 40)` with the true word edges.
    """
    fig, axes = plt.subplots(2, len(views), figsize=(10.8, 5.3), sharex=True, sharey="row", height_ratios=(1, 4.6),
                             squeeze=False, layout="constrained")
    has_blank = any(blank is not None for _, blank, _ in views.values())
    for (title, (weights, blank, path)), (top, bottom) in zip(views.items(), axes.T):
        draw_log_mel(top, log_mel)
        mark_words(top, utterance, color="white")
        top.set(xlim=(0, utterance.seconds), ylabel="", yticks=[])
        top.set_title(title, pad=30)
        U, T = weights.shape
        most = weights.max().item()
        style = {"origin": "lower", "aspect": "auto", "cmap": "Blues", "vmin": 0, "vmax": most}
        left, right = -frame_shift / 2, (T - 0.5) * frame_shift
        picture = bottom.imshow(weights, extent=(left, right, -0.5, U - 0.5), **style)
        if blank is not None:
            bottom.imshow(blank[None], extent=(left, right, -2.3, -1.2), **style)
        bar = fig.colorbar(picture, ax=bottom, ticks=[0, most], pad=0.01, aspect=40)
        bar.ax.set_yticklabels(["0", f"{most:.2g}"])
        mark_words(bottom, utterance, height=None, color="black", alpha=0.35)
        if path is not None:
            _draw_path(bottom, path, utterance, frame_shift)
        bottom.grid(False)
        bottom.set(xlabel="time (s)", ylim=(-2.3 if has_blank else -0.5, U - 0.5))
    # Two columns of characters in turn: rows are lower than print.
    rows = {u: character + "   " * (u % 2) for u, character in enumerate(utterance.text) if character != " "}
    rows |= {-1.75: "blank"} if has_blank else {}
    axes[1, 0].set_yticks(list(rows), rows.values())
    for ax in axes[1]:
        ax.tick_params(axis="y", length=0, labelsize=14)
    return fig


def _draw_path(ax, path, utterance, frame_shift):
    """The path through the rows of an alignment, between them where it says blank, and its boundary errors in ms."""
    if path.ndim == 2:  # one point for each label
        ax.plot(path[0] * frame_shift, range(path.shape[1]), "o-", ms=5, lw=2, color=ORANGE)
    else:
        seconds = torch.arange(len(path)) * frame_shift
        ax.plot(seconds, (path - 1) / 2, color=ORANGE, lw=2)
        said = path % 2 == 1
        ax.plot(seconds[said], path[said] // 2, "o", ms=5, color=ORANGE)
    truth = true_boundaries(utterance)
    for true, found in zip(truth.tolist(), word_boundaries(path, utterance.text, frame_shift).tolist()):
        ax.text(true, 1.01, f"{1000 * (found - true):+.0f}".replace("-", "−"), transform=ax.get_xaxis_transform(), ha="center",
                color=DARK_ORANGE, weight="bold")
    ax.text(1, 1.01, "error (ms)", transform=ax.transAxes, ha="right", color=DARK_ORANGE)


def level_lines(ax, lines):
    """Horizontal lines at up to four losses, `{label: nats}`, each with its label and number."""
    for (label, level), colour, style in zip(lines.items(), (ORANGE, PINK, GREEN, BLUE), ("--", "-.", ":", (0, (6, 2)))):
        ax.axhline(level, color=colour, ls=style, lw=2.5, label=f"{label}: {level:.2f}")


def grid(ax, matrix, title, xlabel, ylabel):
    """A matrix of True and False, a tick for True; the first row is on top."""
    ax.imshow(matrix, cmap="cividis", vmin=0, vmax=1)
    for row, column in matrix.nonzero().tolist():
        ax.text(column, row, "✓", ha="center", va="center")
    ax.grid(False)
    ax.set(xticks=range(matrix.shape[1]), yticks=range(matrix.shape[0]))
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)


def loss_with_lines(curves, lines, title, legend="upper right", mean_of=1):
    """Loss curves `{label: losses by step}` with labelled horizontal lines `{label: nats}`, up to four of each.

    Each point is the mean of `mean_of` steps.
    """
    fig, ax = plt.subplots()
    styles = zip((BLUE, "black", "0.5", PINK), ("-", (0, (4, 1)), (0, (1, 1)), (0, (6, 1, 1, 1))))
    for (label, losses), (colour, style) in zip(curves.items(), styles):
        means = [sum(losses[i : i + mean_of]) / mean_of for i in range(0, len(losses) - mean_of + 1, mean_of)]
        steps = [mean_of * (i + 1) for i in range(len(means))]
        ax.plot(steps, means, color=colour, ls=style, lw=1.5, label=label)
    level_lines(ax, lines)
    ax.set(xlabel="step", ylabel="loss (nats)" if mean_of == 1 else f"loss, mean of {mean_of} steps", title=title)
    ax.legend(loc=legend)
    return fig


def training(histories, lines, rates, steps_a_row, per):
    """Loss above, rates in per cent below, over the steps of the training; one column for each model, on one axis.

    `histories`: {model name: list of dicts, one after every `steps_a_row` steps, with train, validation (nats per
    `per`) and the keys of `rates`}; `rates`: {key: label}, up to three; `lines`: {label: nats}, of which the
    logarithmic axis leaves out what is 0. Rates above 100 are cut off, and the axis says so.
    """
    fig, axes = plt.subplots(2, len(histories), figsize=(10.8, 5.6), sharex=True, sharey="row", squeeze=False,
                             layout="constrained")
    least = min(row[key] for rows in histories.values() for row in rows for key in ("train", "validation") if key in row)
    foot = 0.7 * least
    for (name, history), (top, bottom) in zip(histories.items(), axes.T):
        steps = [steps_a_row * i for i in range(len(history))]
        top.plot(steps[1:], [row["train"] for row in history[1:]], "-", color=BLUE, label="training (augmented, dropout)")
        top.plot(steps, [row["validation"] for row in history], "--", color=GREEN, label="validation")
        level_lines(top, {label: level for label, level in lines.items() if level > foot})
        top.set(title=f"{name}: loss, logarithmic", yscale="log", ylim=(foot, None))
        fine = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
        ticks = [tick for tick in (fine if foot > 0.02 else (0.1, 1, 10)) if foot < tick]
        top.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        top.yaxis.set_minor_formatter("")
        for (key, label), style, colour in zip(rates.items(), (":", "-", "--"), ("black", SKY, BROWN)):
            bottom.plot(steps, [row[key] for row in history], style, color=colour, label=label)
        bottom.set(xlabel="step", ylim=(0, 102))
    most = max(row[key] for history in histories.values() for row in history for key in rates)
    axes[0, 0].set(ylabel=f"nats per {per}")
    axes[1, 0].set(ylabel="per cent" if most <= 102 else "%, above\n100 cut off")
    handles = [handle for row in axes for handle in row[0].get_legend_handles_labels()[0]]
    fig.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=14)
    return fig


def error_distributions(errors, title):
    """Cumulative distribution of absolute boundary errors; `errors`: {name: ms}.

    A model has its colour in every lesson (`COLOURS`, by the name before a comma); its second curve is dashed.
    """
    fig, ax = plt.subplots()
    seen = []
    for name, values in errors.items():
        colour = COLOURS[name.split(",")[0]]
        ordered = values.abs().sort().values
        share = torch.arange(1, len(ordered) + 1) / len(ordered) * 100
        label = f"{name}: median {ordered.median():.0f} ms"
        ax.plot(ordered, share, color=colour, ls="--" if colour in seen else "-", lw=2.5, label=label)
        seen.append(colour)
    longest = max(values.abs().max().item() for values in errors.values())
    ax.set(xlabel=f"distance from the true boundary (ms; the farthest {longest:.0f})", ylabel=f"per cent of {len(ordered)} boundaries")
    ax.set(xlim=(0, 400), ylim=(0, 101), title=title)
    ax.legend(loc="lower right")
    return fig


def histogram(ax, values, bins):
    """Counts, told apart by white edges, on an axis of whole numbers."""
    ax.hist(values, bins=bins, color=BLUE, edgecolor="white")
    ax.yaxis.set_major_locator(plt.MaxNLocator(integer=True))


def dumbbells(panels, names):
    """From one number to another, row by row: a circle, a line and a diamond, each with its number beside it.

    `panels`: {axis label: {row: (first, second)}}, the same rows in each; `names`: what first and second are.
    """
    fig, axes = plt.subplots(1, len(panels), figsize=(10.8, 5.1), sharey=True, squeeze=False, layout="constrained")
    for ax, (label, rows) in zip(axes[0], panels.items()):
        for y, pair in enumerate(rows.values()):
            ax.plot(pair, [y, y], "-", color="0.6", lw=3, zorder=1)
            for value, side in ((min(pair), "right"), (max(pair), "left"))[min(pair) == max(pair) :]:
                ax.annotate(f"{value:.0f}", (value, y), (-11 if side == "right" else 11, 0), ha=side, va="center",
                            textcoords="offset points")
        for i, (marker, face, size) in enumerate((("o", "white", 11), ("D", BLUE, 8))):
            values = [pair[i] for pair in rows.values()]
            ax.plot(values, range(len(rows)), marker, ms=size, mfc=face, mec="black" if i == 0 else BLUE, label=names[i])
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
        ax.margins(x=0.45 if len(panels) > 1 else 0.08)
        ax.xaxis.set_major_locator(plt.MaxNLocator(4 if len(panels) > 1 else 8, integer=True, prune="both" if len(panels) > 1 else None))
        ax.set(xlabel=label, ylim=(len(rows) - 0.5, -0.5))
        ax.set_yticks(range(len(rows)), rows)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return fig


def bars(heights, xlabel, ylabel, line=None):
    """Bars `{label: height}` with their numbers; `line`: (label, height) of a dashed line, for comparison."""
    fig, ax = plt.subplots()
    drawn = ax.bar(list(heights), list(heights.values()), color=BLUE)
    ax.bar_label(drawn, fmt="%.0f", padding=6)
    if line:
        ax.axhline(line[1], color=ORANGE, ls="--", lw=2.5, label=f"{line[0]}: {line[1]:.1f}")
        ax.legend(loc="upper right")
    ax.grid(axis="x", visible=False)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return fig


def rates_by_length(rates, longest):
    """WER over the number of words, `{model: {words: per cent}}`; `longest`: the most words in training, a dashed line."""
    fig, ax = plt.subplots()
    for (name, values), colour, marker, style in zip(rates.items(), (PINK, ORANGE, GREEN), "osD", ("-", "--", "-.")):
        words = range(min(values), max(values) + 1)  # where nothing was measured the line is broken
        measured = [values.get(number, float("nan")) for number in words]
        ax.plot(words, measured, marker + style, color=colour, ms=9, lw=2.5, label=name)
    ax.axvline(longest + 0.5, color="0.3", ls=":", lw=2.5, label=f"in training at most {longest} words")
    ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
    ax.set(xlabel="words said", ylabel="WER (%)", ylim=(0, None))
    ax.legend(loc="upper left")
    return fig
