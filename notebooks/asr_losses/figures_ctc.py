"""How is it drawn, in part 1: the lattice of CTC, its occupancy, its gradient, and what it hears?"""

import matplotlib.pyplot as plt
import torch

from asr_losses.figures import BLUE, ORANGE, draw_log_mel, mark_words
from asr_losses.speech import ALPHABET


def collapse(path, kept, wrong):
    """Frame labels in boxes, and the two texts that are left of them."""
    fig, ax = plt.subplots(figsize=(10, 2.6))
    box = {"boxstyle": "square,pad=0.6", "fc": "white", "ec": "0.4"}
    for t, label in enumerate(path):
        ax.text(t, 2, label, ha="center", va="center", bbox=box)
    ax.text(-0.4, 1, f"merge equal neighbours, then drop blanks: {kept}", color=BLUE, va="center")
    ax.text(-0.4, 0.3, f"drop blanks, then merge: {wrong}", va="center")
    ax.set(xlim=(-0.8, max(len(path), 10)), ylim=(0, 2.6))
    ax.axis("off")
    return fig


def cuts(path, begins, ends):
    """Why there are so many paths: where each character begins and ends, as posts between frames.

    `path`: a string of frame labels; character u lasts from post `begins[u]` to post `ends[u]`. Below, each character
    has moved by one post more than the one before it.
    """
    fig, axes = plt.subplots(2, 1, figsize=(12, 4.8), layout="constrained")
    for ax, step in zip(axes, (0, 1)):
        posts = len(path) + 1 + step * (len(begins) - 1)
        ax.plot(range(posts), [0] * posts, "o-", ms=9, lw=2, color="0.7")
        for u, (begin, end) in enumerate(zip(begins, ends)):
            ax.plot([begin + step * u + 0.05] * 2, [0, 1.3], "-", color=BLUE, lw=5)
            ax.plot([end + step * u - 0.05] * 2, [0, 1.3], "-", color=ORANGE, lw=5)
        for t, label in enumerate(path):
            before = sum(begin <= t for begin in begins[1:])
            ax.text(t + 0.5 + step * before, 0.5, label, ha="center", va="center")
        ax.set(xlim=(-0.5, len(path) + len(begins) - 0.5), ylim=(-0.3, 1.5))
        ax.set_title(f"{posts} posts", loc="left")
        ax.axis("off")
    axes[0].plot([], [], "-", color=BLUE, lw=5, label="a character begins")
    axes[0].plot([], [], "-", color=ORANGE, lw=5, label="it ends")
    axes[0].legend(loc="upper right")
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
    ax.set(xlabel="frame t", ylabel="state s", xticks=range(frames), yticks=range(S))
    ax.set(xlim=(-0.5, frames + 1.4), title="Between equal letters the blank cannot be jumped")
    ax.legend(loc="center right")
    return fig


def occupied_lattice(gamma, labels, best):
    """The occupancy `gamma (T, 2U+1)` of the states `labels`, and the best path `(T,)` through it."""
    fig, ax = plt.subplots(figsize=(12, 4.6))
    t, s = torch.meshgrid(*map(torch.arange, gamma.shape), indexing="ij")
    ax.plot(best, color=ORANGE, lw=4, zorder=1, label="best path")
    ax.scatter(t, s, s=170, c=gamma.sqrt(), cmap="Blues", vmin=0, vmax=1, edgecolor="0.4", zorder=2)
    ax.set(xlabel="frame t", yticks=range(len(labels)), yticklabels=labels)
    ax.set(title="γ: where the path goes, given the text")
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
        ax.set(xlabel="frame", title=name, xticks=range(0, len(values), 2))
        ax.set(yticks=range(len(labels)), yticklabels=list(labels))
        fig.colorbar(picture, ax=ax)
    axes[0].set(ylabel="label")
    return fig


def page_histogram(measured, predicted, page):
    """What the source page's code prints over many seeds, and how well lengths alone predict it."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
    left.hist(measured, bins=30, color=BLUE)
    left.axvline(page, color=ORANGE, ls="--", lw=2.5, label=f"the page: {page:.3f}")
    left.set(xlabel="CTC loss after no training (nats)", ylabel="seeds")
    left.set(title="The page's number is one draw")
    left.legend()
    right.scatter(predicted, measured, s=14, color=BLUE)
    ends = [float(predicted.min()), float(predicted.max())]
    right.plot(ends, ends, color="black", ls="--", label="measured = predicted")
    right.set(xlabel="predicted from T, U, C alone (nats)", ylabel="measured (nats)")
    right.set(title="and the lengths predict it")
    right.legend()
    return fig


def scored_alignment(utterance, log_mel, log_probs, gamma, path, frame_shift):
    """What the model heard against the truth: log-mel, posteriors, occupancy and best path.

    `log_mel (T', 40)`; `log_probs`, `gamma (T, C)`; `path (T,)` states as from alignment.best_path;
    `frame_shift` of the last three in seconds.
    """
    fig, (top, middle, bottom) = plt.subplots(
        3, 1, figsize=(12, 8.6), sharex=True, height_ratios=(1, 1, 1.5), layout="constrained"
    )
    seconds = torch.arange(len(log_probs)) * frame_shift
    draw_log_mel(top, log_mel)
    mark_words(top, utterance, color="white")
    _draw_posteriors(middle, seconds, log_probs.exp())
    mark_words(middle, utterance, height=None, color="black", alpha=0.4)
    letters = list(dict.fromkeys(utterance.text))
    rows = gamma[:, [ALPHABET.index(letter) for letter in letters]].T
    edges = (-frame_shift / 2, (len(gamma) - 0.5) * frame_shift, -0.5, len(letters) - 0.5)
    bottom.imshow(rows, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=1, extent=edges)
    circles = {"marker": "o", "ms": 9, "mfc": "none", "mec": ORANGE, "mew": 2, "ls": "none"}
    for u, character in enumerate(utterance.text):
        times = seconds[path == 2 * u + 1]
        bottom.plot(times, [letters.index(character)] * len(times), **circles)
        middle.text(times.mean(), 1.06, _visible(character), ha="center", fontsize=12, color=ORANGE)
    mark_words(bottom, utterance, height=None, color="black", alpha=0.4)
    bottom.plot([], [], **circles, label="best path")
    bottom.grid(False)
    bottom.set(xlabel="time (s)", ylabel="γ")
    bottom.set(yticks=range(len(letters)), yticklabels=map(_visible, letters))
    bottom.legend(loc="lower right", fontsize=11)
    return fig


def _draw_posteriors(ax, seconds, probs):
    """`probs (T, C)`: that of the blank, and those of all labels that get more than 0.1 in some frame."""
    ax.plot(seconds, probs[:, 0], color="0.6", ls="--", label="blank")
    for c in range(1, probs.shape[1]):
        if probs[:, c].max() > 0.1:
            ax.plot(seconds, probs[:, c], lw=2)
    ax.set(ylabel="posterior p", ylim=(0, 1.25), yticks=(0, 0.5, 1))
    ax.legend(loc="upper right", fontsize=11)


def _visible(character):
    return character.replace(" ", "␣")


def text_probabilities(columns):
    """Bars of text probabilities side by side; `columns`: {model name: {text: probability}}."""
    fig, axes = plt.subplots(1, len(columns), figsize=(10, 3.8), sharey=True, layout="constrained")
    for ax, (name, probabilities) in zip(axes, columns.items()):
        bars = ax.bar(list(probabilities), list(probabilities.values()), color=BLUE)
        ax.bar_label(bars, fmt="%.2f")
        ax.set(title=name, ylim=(0, 0.62), xlabel="text")
    axes[0].set(ylabel="probability")
    return fig
