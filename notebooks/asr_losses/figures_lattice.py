"""How is it drawn, in lesson 10: frame labels, the lattice of CTC and its gradient?"""


import matplotlib.pyplot as plt
import torch

from asr_losses.figures import BLUE, ORANGE

# How a walk gets from one frame to the next: colour, line style, name; the key says over how many states.
WAYS = {0: ("0.45", "-", "stay"), 1: (BLUE, "-", "step"), 2: (ORANGE, "--", "jump over a blank")}


def collapse(path, kept, wrong):
    """Frame labels in boxes, and the two texts that are left of them."""
    fig, ax = plt.subplots(figsize=(10.8, 2.8))
    box = {"boxstyle": "square,pad=0.6", "fc": "white", "ec": "0.4"}
    for t, label in enumerate(path):
        ax.text(t, 2, label, ha="center", va="center", bbox=box)
    ax.text(-0.4, 1, f"merge equal neighbours, then drop blanks: {kept}", color=BLUE, va="center")
    ax.text(-0.4, 0.3, f"drop blanks, then merge: {wrong}", va="center")
    ax.set(xlim=(-0.8, max(len(path), 10)), ylim=(0, 2.6))
    ax.axis("off")
    return fig


def cuts(path, begins, ends, apart=False):
    """Where each character of a path begins and ends, as cuts on the posts between its frames.

    `path`: a string of frame labels; character u lasts from post `begins[u]` to post `ends[u]`. `apart`: each character
    has moved by one post more than the one before it, so that no two cuts meet.
    """
    step = int(apart)
    posts = len(path) + 1 + step * (len(begins) - 1)
    fig, ax = plt.subplots(figsize=(10.8, 3.0))
    ax.plot(range(posts), [0] * posts, "o-", ms=11, lw=2, color="0.6")
    for u, (begin, end) in enumerate(zip(begins, ends)):
        ax.plot([begin + step * u + 0.04] * 2, [0, 1.3], "-", color=BLUE, lw=6)
        ax.plot([end + step * u - 0.04] * 2, [0, 1.3], "--", color=ORANGE, lw=6, dashes=(1.5, 0.6))
    for t, label in enumerate(path):
        before = sum(begin <= t for begin in begins[1:])
        ax.text(t + 0.5 + step * before, 0.6, label, ha="center", va="center", size=24)
    ax.plot([], [], "-", color=BLUE, lw=6, label="a character begins")
    ax.plot([], [], "--", color=ORANGE, lw=6, dashes=(1.5, 0.6), label="it ends")
    ax.legend(loc="upper right")
    ax.set(xlim=(-0.3, len(path) + 3), ylim=(-0.3, 1.4))
    ax.set_title(f"{len(path)} frames, {posts} posts", loc="left")
    ax.axis("off")
    return fig


def arrows(arriving, here):
    """The three ways into one node of the lattice, one more in each panel.

    `arriving`: {way: probability of all walks that come by it}, stay, step and jump; `here`: p of the node's label.
    """
    fig, axes = plt.subplots(1, len(arriving), figsize=(10.8, 4.3), sharex=True, sharey=True)
    nodes = {"b": "state s", "-": "s − 1", "a": "s − 2"}
    for shown, (ax, title) in enumerate(zip(axes, ("stay", "… or step", "… or jump over a blank")), 1):
        for n, (label, probability) in enumerate(zip(nodes, arriving.values())):
            colour, dashes, _ = WAYS[n]
            ink = "black" if n < shown else "0.7"
            ax.scatter(0, -n, s=1300, color="white", edgecolor=ink, lw=1.5, zorder=2)
            ax.text(0, -n, label, ha="center", va="center", size=20, color=ink, zorder=3)
            ax.text(-0.22, -n, f"{probability:.2f}", ha="right", va="center", size=20, color=ink)
            if n < shown:
                arrow = {"arrowstyle": "-|>", "lw": 3, "color": colour, "ls": dashes, "mutation_scale": 22}
                ax.annotate("", (0.86, -0.15 * n), (0.14, 0.2 * (n > 0) - n), arrowprops=arrow)
        ax.scatter(1, 0, s=1300, color="white", edgecolor="black", lw=1.5, zorder=2)
        ax.text(1, 0, "b", ha="center", va="center", size=20, zorder=3)
        ax.text(1, 0.48, f"p = {here}", ha="center", va="center", size=18)
        ax.set(xticks=[0, 1], xlim=(-0.75, 1.3), ylim=(-2.4, 0.7))
        ax.set_title(title, pad=12)
        ax.set_xticklabels(["frame t − 1", "t"])
        ax.set_yticks([0, -1, -2], nodes.values())
        ax.tick_params(length=0)
        ax.grid(False)
        ax.spines[:].set_visible(False)
    return fig


def lattice(labels, jump, frames):
    """The states `labels` (one character each, bottom to top) over frames, with all permitted moves.

    Nodes that no complete path visits are pale and have no arrows.
    """
    fig, ax = plt.subplots()
    S = len(labels)
    moves = [(r, s) for s in range(S) for r in (s, s - 1, s - 2) if r >= 0 and (r > s - 2 or jump[s])]
    visited = torch.zeros(2, frames, S, dtype=torch.bool)  # [0]: can be reached, [1]: can finish
    visited[0, 0, :2] = visited[1, -1, -2:] = True
    for t in range(1, frames):
        for r, s in moves:
            visited[0, t, s] |= visited[0, t - 1, r]
            visited[1, -1 - t, r] |= visited[1, -t, s]
    visited = visited.all(0)
    for t in range(frames):
        for r, s in moves:
            if t and visited[t - 1, r] and visited[t, s]:
                colour, dashes, _ = WAYS[s - r]
                arrow = {"arrowstyle": "->", "lw": 1.8, "color": colour, "ls": dashes}
                ax.annotate("", (t - 0.16, s), (t - 0.84, r), zorder=1, arrowprops=arrow)
        for s, label in enumerate(labels):
            face, ink = ("white", "black") if visited[t, s] else ("0.95", "0.6")
            ax.scatter(t, s, s=520, color=face, edgecolor=ink, zorder=2)
            ax.text(t, s, label, ha="center", va="center", zorder=3, color=ink)
    for colour, dashes, name in WAYS.values():
        ax.plot([], [], color=colour, ls=dashes, label=name)
    ax.grid(False)
    ax.set(xlabel="frame t", ylabel="state s", xticks=range(frames), yticks=range(S))
    ax.set(xlim=(-0.5, frames + 1.8))
    ax.legend(loc="center right")
    return fig


def occupied_lattice(gamma, labels, best):
    """The occupancy of the states `labels` at some stages of a training, `{steps: (T, 2U+1)}`, and at each the best
    path `{steps: (T,)}`; the darker, the nearer to 1.
    """
    fig, axes = plt.subplots(1, len(gamma), figsize=(10.8, 3.6), sharey=True, layout="constrained")
    for ax, (steps, table) in zip(axes, gamma.items()):
        picture = ax.imshow(table.T, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=1)
        ax.plot(best[steps], color=ORANGE, lw=3)
        ax.set(xlabel="frame t", yticks=range(len(labels)), yticklabels=labels, title=f"after {steps} steps")
        ax.grid(False)
    fig.colorbar(picture, ax=axes, label="γ")
    return fig


def gradient(p, gamma, labels):
    """Heat maps of p, gamma and p - gamma, all `(T, C)`."""
    fig, axes = plt.subplots(1, 3, figsize=(10.8, 4.4), sharey=True, layout="constrained")
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
