"""How is it drawn? Every function returns a matplotlib figure; `display.show` gives it its alt text."""

import matplotlib.pyplot as plt
import torch

from asr_losses.features import FRAME_SHIFT
from asr_losses.speech import ALPHABET, SAMPLE_RATE

BLUE, ORANGE, GREEN, PINK = "#0072b2", "#d55e00", "#009e73", "#cc79a7"


def _mark_words(ax, utterance, height=1.03, **style):
    """Lines at the true word edges (full: start, dotted: end) and the words above the axes."""
    for word, start, end in zip(utterance.words, utterance.starts, utterance.ends):
        ax.axvline(start, lw=2, ls="-", **style)
        ax.axvline(end, lw=2, ls=":", **style)
        if height:
            ax.text((start + end) / 2, height, word, transform=ax.get_xaxis_transform(), ha="center")


def _draw_log_mel(ax, log_mel, frame_shift=FRAME_SHIFT):
    """Frame t stands for the moment t * frame_shift: its pixel is centred there."""
    right = (len(log_mel) - 0.5) * frame_shift
    ax.imshow(
        log_mel.T, origin="lower", aspect="auto", extent=(-frame_shift / 2, right, 0, log_mel.shape[1])
    )
    ax.grid(False)
    ax.set(ylabel="mel band")


def utterance(utterance, log_mel):
    """Waveform above log-mel `(T, 40)`, on one time axis, with the true word edges."""
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(10, 4.8), sharex=True, height_ratios=(1, 1.4))
    seconds = torch.arange(len(utterance.samples)) / SAMPLE_RATE
    top.plot(seconds, utterance.samples, lw=0.6, color=BLUE)
    top.set(ylabel="amplitude", xlim=(0, utterance.seconds))
    top.grid(False)
    _mark_words(top, utterance, color="black")
    _draw_log_mel(bottom, log_mel)
    bottom.set(xlabel="time (s)")
    _mark_words(bottom, utterance, height=None, color="white")
    return fig


def frames_against_characters(utterances, frames, characters, fast, slow):
    """Scatter plot of frames against characters; two voices stand out."""
    fig, ax = plt.subplots(figsize=(10, 4.5))
    ax.scatter(characters, frames, s=8, color="0.75", label="all voices")
    for voice, colour, marker in ((slow, ORANGE, "^"), (fast, BLUE, "o")):
        chosen = [i for i, utterance in enumerate(utterances) if utterance.speaker == voice]
        ax.scatter(characters[chosen], frames[chosen], s=60, color=colour, marker=marker, label=voice)
    ax.set(xlabel="characters", ylabel="frames of 10 ms", title="The number of characters does not tell the number of frames")
    ax.legend()
    return fig


def loss_with_lines(curves, lines, title, legend="upper right"):
    """Loss curves `{label: losses by step}` with labelled horizontal lines `{label: nats}`."""
    fig, ax = plt.subplots(figsize=(10, 4.2))
    for (label, losses), colour, style in zip(curves.items(), (BLUE, "black", "0.5"), ("-", (0, (4, 1)), (0, (1, 1)))):
        ax.plot(range(1, len(losses) + 1), losses, color=colour, ls=style, lw=1.5, label=label)
    _level_lines(ax, lines)
    ax.set(xlabel="step", ylabel="loss (nats)", title=title)
    ax.legend(loc=legend)
    return fig


def _level_lines(ax, lines):
    for (label, level), colour, style in zip(lines.items(), (ORANGE, PINK, GREEN), ("--", "-.", ":")):
        ax.axhline(level, color=colour, ls=style, lw=2.5, label=f"{label}: {level:.2f}")


def alignment_counts(log10_counts, limit):
    """Histogram of how many alignments the utterances have, and what a computer could list."""
    fig, ax = plt.subplots(figsize=(10, 4.2))
    ax.hist(log10_counts, bins=40, color=BLUE)
    ax.axvline(limit, color=ORANGE, ls="--", lw=2.5, label="listable since the universe began")
    ax.set(xlabel="log10 of the number of alignments", ylabel="utterances",
           title="Most utterances have too many alignments to list")
    ax.legend()
    return fig


def lattice(labels, jump, frames):
    """The states `labels` (one character each, bottom to top) over frames, with all permitted moves.

    Nodes that no complete path visits are pale and have no arrows.
    """
    fig, ax = plt.subplots(figsize=(10, 5))
    S = len(labels)
    moves = [(r, s) for s in range(S) for r in (s, s - 1, s - 2) if r >= 0 and (r > s - 2 or jump[s])]
    visited = torch.zeros(2, frames, S, dtype=torch.bool)  # [0]: can be reached, [1]: can finish
    visited[0, 0, :2] = visited[1, -1, -2:] = True
    for t in range(1, frames):
        for r, s in moves:
            visited[0, t, s] |= visited[0, t - 1, r]
            visited[1, -1 - t, r] |= visited[1, -t, s]
    visited = visited.all(0)
    styles = {0: ("0.6", "-", "stay"), 1: (BLUE, "-", "step"), 2: (ORANGE, "--", "jump over a blank")}
    for t in range(frames):
        for r, s in moves:
            if t and visited[t - 1, r] and visited[t, s]:
                colour, dashes, _ = styles[s - r]
                arrow = {"arrowstyle": "->", "lw": 1.8, "color": colour, "ls": dashes}
                ax.annotate("", (t - 0.16, s), (t - 0.84, r), zorder=1, arrowprops=arrow)
        for s, label in enumerate(labels):
            face, ink = ("white", "black") if visited[t, s] else ("0.95", "0.6")
            ax.scatter(t, s, s=520, color=face, edgecolor=ink, zorder=2)
            ax.text(t, s, label, ha="center", va="center", zorder=3, color=ink)
    for colour, dashes, name in styles.values():
        ax.plot([], [], color=colour, ls=dashes, label=name)
    ax.grid(False)
    ax.set(xlabel="frame t", ylabel="state s", xticks=range(frames), yticks=range(S), xlim=(-0.5, frames + 1.4),
           title="Between equal letters the blank cannot be jumped")
    ax.legend(loc="center right")
    return fig


def collapse(path, kept, wrong):
    """Frame labels in boxes, and the two texts that are left of them."""
    fig, ax = plt.subplots(figsize=(10, 2.6))
    for t, label in enumerate(path):
        ax.text(t, 2, label, ha="center", va="center", bbox={"boxstyle": "square,pad=0.6", "fc": "white", "ec": "0.4"})
    ax.text(-0.4, 1, f"merge equal neighbours, then drop blanks: {kept}", color=BLUE, va="center")
    ax.text(-0.4, 0.3, f"drop blanks, then merge: {wrong}", va="center")
    ax.set(xlim=(-0.8, max(len(path), 10)), ylim=(0, 2.6))
    ax.axis("off")
    return fig


def occupied_lattice(gamma, labels, best):
    """The occupancy `gamma (T, 2U+1)` of the states `labels`, and the best path `(T,)` through it."""
    fig, ax = plt.subplots(figsize=(12, 4.6))
    t, s = torch.meshgrid(*map(torch.arange, gamma.shape), indexing="ij")
    ax.plot(best, color=ORANGE, lw=4, zorder=1, label="best path")
    ax.scatter(t, s, s=170, c=gamma.sqrt(), cmap="Blues", vmin=0, vmax=1, edgecolor="0.4", zorder=2)
    ax.set(xlabel="frame t", yticks=range(len(labels)), yticklabels=labels, title="γ: where the path goes, given the text")
    ax.legend(loc="lower right")
    ax.grid(False)
    return fig


def snapshots(p, gamma, labels, frame_shift):
    """Posteriors above, occupancy below, at the first, a middle and the last of {steps: (T, labels)}."""
    steps = list(p)
    chosen = steps[0], steps[len(steps) // 3], steps[-1]
    fig, axes = plt.subplots(2, 3, figsize=(12, 5), sharex=True, sharey=True, layout="constrained")
    for row, name, tables in zip(axes, ("posterior p", "γ"), (p, gamma)):
        row[0].set(ylabel=name)
        for ax, number in zip(row, chosen):
            seconds = torch.arange(len(tables[number])) * frame_shift
            ax.plot(seconds, tables[number][:, 0], color="0.6", ls="--")
            ax.plot(seconds, tables[number][:, 1:], ls="-")
    for ax, number in zip(axes[0], chosen):
        ax.set(title=f"after {number} steps")
    for ax in axes[1]:
        ax.set(xlabel="time (s)")
    return fig


def gradient(p, gamma, labels):
    """Heat maps of p, gamma and p - gamma, all `(T, C)`."""
    fig, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True, layout="constrained")
    scale = (p - gamma).abs().max()
    for ax, values, name, style in (
        (axes[0], p, "p: what the model says", {"vmin": 0, "vmax": 1}),
        (axes[1], gamma, "γ: what the text allows", {"vmin": 0, "vmax": 1}),
        (axes[2], p - gamma, "p − γ: the gradient", {"vmin": -scale, "vmax": scale, "cmap": "PuOr"}),
    ):
        picture = ax.imshow(values.T, origin="lower", aspect="auto", **style)
        ax.grid(False)
        ax.set(xlabel="frame", title=name, xticks=range(0, len(values), 2), yticks=range(len(labels)), yticklabels=list(labels))
        fig.colorbar(picture, ax=ax)
    axes[0].set(ylabel="label")
    return fig


def page_histogram(measured, predicted, page):
    """What the source page's code prints over many seeds, and how well lengths alone predict it."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
    left.hist(measured, bins=30, color=BLUE)
    left.axvline(page, color=ORANGE, ls="--", lw=2.5, label=f"the page: {page:.3f}")
    left.set(xlabel="CTC loss after no training (nats)", ylabel="seeds", title="The page's number is one draw")
    left.legend()
    right.scatter(predicted, measured, s=14, color=BLUE)
    ends = [float(predicted.min()), float(predicted.max())]
    right.plot(ends, ends, color="black", ls="--", label="measured = predicted")
    right.set(xlabel="predicted from T, U, C alone (nats)", ylabel="measured (nats)", title="and the lengths predict it")
    right.legend()
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
        top.plot(epochs[1:], [row["train"] for row in history[1:]], "o-", color=BLUE, label="training")
        top.plot(epochs, [row["validation"] for row in history], "s--", color=GREEN, label="validation")
        _level_lines(top, lines)
        top.set(title=name, yscale="symlog", ylim=(-0.05, None))
        top.set_yticks([0, 1, 2, 5, 10], ["0", "1", "2", "5", "10"])
        for (key, label), style in zip(rates.items(), ("k:", "o-", "s--")):
            bottom.plot(epochs, [row[key] for row in history], style, label=label)
        bottom.set(xlabel="epoch", ylim=(0, 104))
    axes[0, 0].set(ylabel="loss (nats per label)")
    axes[1, 0].set(ylabel="per cent")
    axes[0, -1].legend(fontsize=11)
    axes[1, -1].legend(fontsize=11)
    return fig


def scored_alignment(utterance, log_mel, log_probs, gamma, path, frame_shift):
    """What the model heard against the truth: log-mel, posteriors, occupancy and best path.

    `log_mel (T', 40)`; `log_probs`, `gamma (T, C)`; `path (T,)` states as from alignment.best_path.
    """
    fig, (top, middle, bottom) = plt.subplots(
        3, 1, figsize=(12, 8.6), sharex=True, height_ratios=(1, 1, 1.5), layout="constrained"
    )
    seconds = torch.arange(len(log_probs)) * frame_shift
    _draw_log_mel(top, log_mel)
    _mark_words(top, utterance, color="white")
    text = utterance.text
    probs = log_probs.exp()
    middle.plot(seconds, probs[:, 0], color="0.6", ls="--", label="blank")
    for c in range(1, probs.shape[1]):
        if probs[:, c].max() > 0.1:
            middle.plot(seconds, probs[:, c], lw=2)
    _mark_words(middle, utterance, height=None, color="black", alpha=0.4)
    middle.set(ylabel="posterior p", ylim=(0, 1.25), yticks=(0, 0.5, 1))
    middle.legend(loc="upper right", fontsize=11)
    rows = torch.stack([gamma[:, ALPHABET.index(c)] for c in dict.fromkeys(text)]).clone()
    letters = list(dict.fromkeys(text))
    bottom.imshow(rows, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=1,
                  extent=(-frame_shift / 2, (len(gamma) - 0.5) * frame_shift, -0.5, len(letters) - 0.5))
    for u, character in enumerate(text):
        frames = torch.nonzero(path == 2 * u + 1).flatten()
        bottom.plot(seconds[frames], [letters.index(character)] * len(frames), "o", ms=9, mfc="none", mec=ORANGE, mew=2)
        middle.text(seconds[frames].mean(), 1.06, character.replace(" ", "␣"), ha="center", fontsize=12, color=ORANGE)
    _mark_words(bottom, utterance, height=None, color="black", alpha=0.4)
    bottom.plot([], [], "o", ms=9, mfc="none", mec=ORANGE, mew=2, ls="none", label="best path")
    bottom.grid(False)
    bottom.set(xlabel="time (s)", ylabel="γ", yticks=range(len(letters)), yticklabels=[c.replace(" ", "␣") for c in letters])
    bottom.legend(loc="lower right", fontsize=11)
    return fig


def error_distributions(errors):
    """Cumulative distribution of absolute boundary errors; `errors`: {name: ms}."""
    fig, ax = plt.subplots(figsize=(10, 4.5))
    for (name, values), style in zip(errors.items(), ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))):
        ordered = values.abs().sort().values
        share = torch.arange(1, len(ordered) + 1) / len(ordered) * 100
        ax.plot(ordered, share, ls=style, lw=2.5, label=f"{name}: median {ordered.median():.0f} ms")
    ax.set(xlabel="distance from the true boundary (ms)", ylabel="per cent of boundaries", xlim=(0, 400), ylim=(0, 101),
           title="How many boundaries lie within so many milliseconds")
    ax.legend(loc="lower right")
    return fig


def text_probabilities(columns):
    """Bars of text probabilities side by side; `columns`: {model name: {text: probability}}."""
    fig, axes = plt.subplots(1, len(columns), figsize=(10, 3.8), sharey=True, layout="constrained")
    for ax, (name, probabilities) in zip(axes, columns.items()):
        bars = ax.bar(list(probabilities), list(probabilities.values()), color=BLUE)
        ax.bar_label(bars, fmt="%.2f")
        ax.set(title=name, ylim=(0, 0.62), xlabel="text")
    axes[0].set(ylabel="probability")
    return fig


def page_losses(measured, page, lines):
    """Histogram of what the source page's code prints over many seeds; `lines`: predictions {label: nats}."""
    fig, ax = plt.subplots(figsize=(10, 4.2))
    ax.hist(measured, bins=12, color=BLUE)
    ax.yaxis.set_major_locator(plt.MaxNLocator(integer=True))
    ax.axvline(page, color=ORANGE, ls="--", lw=2.5, label=f"the page: {page:.3f}")
    for (label, level), colour, style in zip(lines.items(), (PINK, "black"), ("-.", ":")):
        ax.axvline(level, color=colour, ls=style, lw=2.5, label=f"{label}: {level:.3f}")
    ax.set(xlabel="CE loss after no training (nats)", ylabel="seeds", title="The page's number is the price of a guess")
    ax.legend()
    return fig


def masks(readable, audible):
    """Two masks, a tick for True: `readable (U, U)` and `audible (N, T)`."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    _grid(left, readable, "readable: the text so far", "text position", "seen by position")
    _grid(right, audible, "audible: real frames", "frame", "utterance")
    return fig


def dependency(matrices):
    """Which output moves when one row of the input is disturbed; `matrices`: {title: (U, L) bool}."""
    fig, axes = plt.subplots(1, len(matrices), figsize=(13, 3.6), layout="constrained")
    for ax, (title, matrix) in zip(axes, matrices.items()):
        _grid(ax, matrix, title, f"disturbed {title.split(',')[0][:-1]}", "output that moves")
    return fig


def _grid(ax, matrix, title, xlabel, ylabel):
    ax.imshow(matrix, cmap="cividis", vmin=0, vmax=1)
    for row, column in matrix.nonzero().tolist():
        ax.text(column, row, "✓", ha="center", va="center", fontsize=12)
    ax.grid(False)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel, xticks=range(matrix.shape[1]), yticks=range(matrix.shape[0]))
    ax.title.set_fontsize(13)


def attention(utterance, log_mel, views, frame_shift):
    """Log-mel above, attention below; `views`: {title: (weights (U, T), path (T,) of states 2u+1)}."""
    fig, axes = plt.subplots(1 + len(views), 1, figsize=(12, 2.6 + 3.4 * len(views)), sharex=True,
                             height_ratios=(1, *[2] * len(views)), layout="constrained")
    _draw_log_mel(axes[0], log_mel)
    _mark_words(axes[0], utterance, color="white")
    U = len(utterance.text) + 1  # with EOS
    spaces = [u for u, character in enumerate(utterance.text) if character == " "]
    middles = [(a + b) / 2 for a, b in zip([-1, *spaces], [*spaces, U - 1])]
    for ax, (title, (weights, path)) in zip(axes[1:], views.items()):
        seconds = torch.arange(weights.shape[1]) * frame_shift
        ax.imshow(weights.sqrt(), origin="upper", aspect="auto", cmap="Blues", vmin=0, vmax=1,
                  extent=(-frame_shift / 2, seconds[-1] + frame_shift / 2, U - 0.5, -0.5))
        ax.plot(seconds, path // 2, color=ORANGE, lw=2.5, drawstyle="steps-mid", label="best path in order")
        _mark_words(ax, utterance, height=None, color="black", alpha=0.4)
        for u in spaces:
            ax.axhline(u, color="black", lw=1, alpha=0.4)
        ax.grid(False)
        ax.set(title=title, yticks=middles, yticklabels=utterance.words, ylabel="written")
        ax.tick_params(axis="y", length=0)
        ax.legend(loc="upper right", fontsize=11)
    axes[-1].set(xlabel="time (s)")
    return fig


def sharpening(entropy, boundary, uniform):
    """Entropy of the attention (nats) and median boundary error (ms), by epoch; `uniform`: that of the uniform split."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 3.8), layout="constrained")
    left.plot(entropy, "o-", color=BLUE)
    left.set(xlabel="epoch", ylabel="entropy of the attention (nats)", title="Attention sharpens", ylim=(0, None))
    right.plot(boundary, "s--", color=ORANGE, label="path through the attention")
    right.axhline(uniform, color="black", ls=":", label=f"uniform split: {uniform:.0f}")
    right.legend()
    right.set(xlabel="epoch", ylabel="median boundary error (ms)", title="and finds the words", ylim=(0, None))
    return fig


def smoothing(p, losses):
    """Loss against the probability `p (n,)` of the right token; `losses`: {epsilon: (n,)}; dots at the minima."""
    fig, ax = plt.subplots(figsize=(10, 4.2))
    for (epsilon, values), colour, style in zip(losses.items(), (BLUE, ORANGE, GREEN), ("-", "--", "-.")):
        ax.plot(p, values, color=colour, ls=style, lw=2.5, label=f"ε = {epsilon}")
        ax.plot(p[values.argmin()], values.min(), "o", color=colour, ms=10)
    ax.set(xlabel="probability of the right token", ylabel="loss (nats)", title="Smoothing puts a price on certainty", ylim=(-0.1, 3))
    ax.legend(loc="lower left")
    return fig


def codes(utterance, log_mel, coded, numbers):
    """A log-mel `(T, 40)`, and the same made of the centres of its codes, `numbers (T / 4,)`."""
    frames = len(coded) // len(numbers)
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(12, 5.4), sharex=True, sharey=True, layout="constrained")
    for ax, picture in ((top, log_mel), (bottom, coded)):
        _draw_log_mel(ax, picture)
    top.set(title="what is said", xlim=(0, utterance.seconds))
    bottom.set(title="what the codes keep", xlabel="time (s)")
    for i, number in enumerate(numbers.tolist()):
        place = ((i + 0.5) * frames - 0.5) * FRAME_SHIFT
        bottom.text(place, 1.5, number, rotation=90, ha="center", va="bottom", fontsize=11, color="white")
    return fig
