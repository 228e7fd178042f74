"""How is it drawn, in lesson 30: the transducer, its lattice, its gradient and its memory?"""

import itertools

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle

from asr_losses.drawings import arrow, box, canvas, token
from asr_losses.figures import BLUE, DARK_ORANGE, ORANGE


def walks(lattices):
    """Lattices of the transducer, their nodes shaded by occupancy, and on top the best walk of each.

    `lattices`: {title: (text, gamma, frames)}, `gamma (T, U + 1)` of the nodes and `frames (U,)`, in which the best
    walk emits each label.
    """
    widths = [6 + len(gamma) for _, gamma, _ in lattices.values()]
    fig, axes = plt.subplots(1, len(lattices), figsize=(10.8, 3.8), width_ratios=widths, squeeze=False,
                             layout="constrained")
    for ax, (title, (text, gamma, frames)) in zip(axes[0], lattices.items()):
        T, W = gamma.shape
        t, u = torch.meshgrid(torch.arange(T), torch.arange(W), indexing="ij")
        for across in (t, u), (t.T, u.T):
            ax.plot(*across, color="0.6", ls="-", lw=1, zorder=1)
        time = torch.arange(T)[:, None]
        said = torch.stack([(frames < time).sum(1), (frames <= time).sum(1)], 1)  # before and after each frame's labels
        ax.plot([*time.repeat(1, 2).flatten(), T], [*said.flatten(), W - 1], color=ORANGE, ls="-", lw=5, zorder=2)
        style = {"cmap": "Blues", "vmin": 0, "vmax": gamma.max(), "edgecolor": "0.35", "zorder": 3}
        picture = ax.scatter(t, u, s=420 if T < 8 else 90, c=gamma.flatten(), **style)
        ax.set(xlabel="frame t", title=title, xlim=(-0.5, T + 0.2), ylim=(-0.4, W - 0.6))
        ax.set_xticks(range(0, T, 1 if T < 8 else 5))
        ax.set_yticks(range(W), ["“”", *(text[: u + 1] for u in range(W - 1))])
        ax.grid(False)
    fig.colorbar(picture, ax=axes, label="γ, occupancy")
    return fig


def two_networks(text, written):
    """Which numbers meet in the joint: a frame of the encoder, and the text so far, its first `written` characters."""
    fig, ax = canvas(5.0)
    for i in range(9):
        colour = BLUE if i == 4 else "0.8"
        ax.add_patch(Rectangle((0.3 + 0.42 * i, 1.9), 0.3, 0.55, color=colour))
    ax.text(2.15, 0.4, "speech", ha="center", va="center")
    arrow(ax, (2.15, 0.6), (2.15, 0.95))
    box(ax, 0.3, 1.0, 3.7, 0.7, "encoder", BLUE)
    ax.text(0.3, 2.65, "frame t", color=BLUE, size=18)
    width = 0.55
    for u, character in enumerate(text):
        token(ax, 6.9 + width * u, 0.4, character if u < written else "·", width, ORANGE if u < written else "0.8")
    ax.text(6.5, 0.4, "written so far:", ha="right", va="center")
    arrow(ax, (8.3, 0.7), (8.3, 0.95))
    box(ax, 6.6, 1.0, 3.7, 0.7, "prediction network", ORANGE)
    ax.add_patch(Rectangle((8.15, 1.9), 0.3, 0.55, color=ORANGE))
    ax.text(8.65, 2.05, f"u = {written} characters", color=DARK_ORANGE, size=18)
    box(ax, 3.6, 3.0, 3.7, 0.7, "joint", "black")
    arrow(ax, (2.2, 2.5), (4.2, 2.95))
    arrow(ax, (8.3, 2.5), (6.7, 2.95))
    arrow(ax, (4.6, 3.75), (3.2, 4.25))
    arrow(ax, (6.3, 3.75), (7.7, 4.25))
    ax.text(3.0, 4.55, "blank: move on to frame t + 1", ha="center", color=BLUE, size=18)
    ax.text(8.0, 4.55, f"a label, such as “{text[written]}”: emit it", ha="center", color=DARK_ORANGE, size=18)
    return fig


def _node(ax, x, y, colour="white"):
    ax.scatter(x, y, s=260, color=colour, edgecolor="black", lw=1.5, zorder=3)


def _arrow(ax, start, end, colour, width):
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": width})


def lattices(text, T):
    """CTC's lattice of `text`, a state for each label and blank, beside the transducer's; both over T frames."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10.8, 5.1), layout="constrained")
    states = "-" + "".join(f"{character}-" for character in text)
    for t, s in itertools.product(range(T), range(len(states))):
        _node(left, t, s)
        jumps = s % 2 == 1 and s > 1 and states[s] != states[s - 2]
        for before in range(s, s - 2 - jumps, -1):
            if t and before >= 0:
                _arrow(left, (t - 0.87, before), (t - 0.13, s), "0.45", 1.5)
    left.set(title=f"CTC: {len(states)} states, a step a frame", yticks=range(len(states)), yticklabels=list(states))
    U = len(text)
    for t, u in itertools.product(range(T), range(U + 1)):
        _node(right, t, u)
        if u < U:
            _arrow(right, (t, u + 0.13), (t, u + 0.87), ORANGE, 2.5)
        if t < T - 1 or u == U:
            _arrow(right, (t + 0.13, u), (t + 0.87, u), BLUE, 2.5)
    right.set(title="transducer: up emits, right moves on", yticks=range(U + 1), xlim=(-0.4, T + 0.1))
    right.set_yticklabels(["nothing", *(f"“{text[:u]}”" for u in range(1, U + 1))])
    for ax in (left, right):
        ax.set(xlabel="frame", xticks=range(T))
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    return fig


def two_arrows():
    """A node of the lattice and the two arrows that reach it."""
    fig, ax = plt.subplots(figsize=(10.8, 3.6), layout="constrained")
    places = {(0.0, 1.0): "α(t − 1, u)", (2.4, 1.0): "α(t, u)", (2.4, 0.0): "α(t, u − 1)"}
    for (x, y), name in places.items():
        ax.scatter(x, y, s=900, color="white", edgecolor="black", lw=2, zorder=3)
        ax.text(x, y + 0.24 if y else y - 0.34, name, ha="center", size=20)
    _arrow(ax, (0.13, 1), (2.27, 1), BLUE, 4)
    _arrow(ax, (2.4, 0.14), (2.4, 0.85), ORANGE, 4)
    ax.text(1.2, 1.08, "moves on: + move(t − 1, u)", ha="center", color=BLUE, size=18)
    ax.text(2.5, 0.45, "emits: + emit(t, u − 1)", color=DARK_ORANGE, size=18)
    ax.set(xlim=(-0.6, 4.4), ylim=(-0.5, 1.5))
    ax.axis("off")
    return fig


def strips(walks, text, columns=2):
    """Each of the walks, strings of "e" and "m", as a strip of boxes: the letter that is emitted, or an arrow."""
    fig, ax = plt.subplots(figsize=(10.8, 3.6))
    rows = -(-len(walks) // columns)
    width = len(walks[0]) + 1.5
    for n, walk in enumerate(walks):
        x, y = n // rows * width, n % rows * 1.3
        for i, step in enumerate(walk):
            said, colour = (text[walk[:i].count("e")], "#f6c9a6") if step == "e" else ("→", "#b3d3e8")
            ax.add_patch(Rectangle((x + i, y), 1, 1, fc=colour, ec="white", lw=2))
            ax.text(x + i + 0.5, y + 0.5, said, ha="center", va="center", size=18)
    ax.set(xlim=(-0.1, columns * width - 1.4), ylim=(rows * 1.3 - 0.2, -0.1))
    ax.axis("off")
    return fig


def node_gradient(nodes, labels):
    """What the gradient at a node is made of: `{title: (p, arcs)}`, both `(C,)`; `arcs`: occupancy of each way out."""
    fig, axes = plt.subplots(1, len(nodes), figsize=(10.8, 4.9), sharey=True, layout="constrained")
    place = torch.arange(len(labels))
    for ax, (title, (p, arcs)) in zip(axes, nodes.items()):
        ax.bar(place - 0.27, p * arcs.sum(), 0.25, color="0.6", label="γ p: share it would give")
        ax.bar(place, arcs, 0.25, color=BLUE, hatch="//", edgecolor="white", label="share that leaves by it")
        ax.bar(place + 0.27, p * arcs.sum() - arcs, 0.25, color=ORANGE, label="gradient: the difference")
        ax.set(title=title, xticks=place, xticklabels=labels)
        ax.grid(False, axis="x")
        ax.axhline(0, color="black", lw=1)
    axes[0].set(ylabel="share of the sum")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(labels))
    return fig


def memory(rows):
    """Peak memory, predicted and measured: `{size: {form: (predicted, measured)}}`, in MB."""
    fig, axes = plt.subplots(1, len(rows), figsize=(10.8, 4.9), sharey=True, layout="constrained")
    for ax, (size, forms) in zip(axes, rows.items()):
        for shift, colour, name, which in ((-0.2, "0.6", "predicted", 0), (0.2, BLUE, "measured", 1)):
            heights = [both[which] for both in forms.values()]
            bars = ax.bar([i + shift for i in range(len(forms))], heights, 0.38, color=colour, label=name)
            ax.bar_label(bars, fmt="%.0f")
        ax.set(title=size, xticks=range(len(forms)), xticklabels=list(forms))
        ax.grid(False, axis="x")
    axes[0].set(ylabel="peak memory (MB)")
    axes[0].legend()
    return fig
