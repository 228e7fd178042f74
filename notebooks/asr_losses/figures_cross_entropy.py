"""How is it drawn, in lesson 20: the cost of tokens, the shift by one, the noise control?"""

import math

import matplotlib.pyplot as plt

from asr_losses.figures import BLUE, GREEN, ORANGE, PINK, histogram


def page_losses(measured, page, lines):
    """Histogram of what the source page's code prints over many seeds; `lines`: predictions {label: nats}."""
    fig, ax = plt.subplots()
    histogram(ax, measured, bins=12)
    plt.setp(ax.patches, facecolor="#b3d3e8")  # the lines are to be seen
    ax.axvline(page, color=ORANGE, ls="--", lw=2.5, label=f"the page: {page:.3f}")
    for (label, level), colour, style in zip(lines.items(), (PINK, "black"), ("-.", ":")):
        ax.axvline(level, color=colour, ls=style, lw=2.5, label=f"{label}: {level:.3f}")
    ax.set(xlabel="CE loss after no training (nats)", ylabel="seeds")
    ax.legend()
    return fig


def position_costs(probs, targets):
    """Probabilities `(U, V)` of the tokens at each position; above them what the right one, of `targets (U,)`, costs."""
    fig, axes = plt.subplots(1, len(probs), sharey=True)
    for u, (ax, row, right) in enumerate(zip(axes, probs.tolist(), targets.tolist())):
        bars = ax.bar(range(len(row)), row, color="0.8")
        bars[right].set(color=BLUE)
        ax.text(right, row[right] + 0.015, "right", ha="center", color=BLUE, weight="bold")
        ax.set(xlabel="token", xticks=range(len(row)), ylim=(0, 1))
        ax.set(title=f"position {u}\n−ln {row[right]:.3f} = {-math.log(row[right]):.3f} nats")
        ax.grid(False, axis="x")
    axes[0].set(ylabel="probability")
    return fig


def shift(pairs, arrows=True):
    """Inputs above their labels, both lists of texts, for each of `pairs`; arrows: what is predicted from what."""
    fig, ax = plt.subplots()
    fills = {"BOS": "#fbd9bd", "EOS": "#c5e8dc", "pad": "0.88", "?": "white"}
    for n, (inputs, labels) in enumerate(pairs):
        top = -2.6 * n
        for name, y, tokens in (("input", top, inputs), ("label", top - 1.45 if arrows else top - 1, labels)):
            ax.text(-0.7, y, name, ha="right", va="center", fontsize=20)
            for u, token in enumerate(tokens):
                box = plt.Rectangle((u - 0.42, y - 0.36), 0.84, 0.72, fc=fills.get(token, "#d8e9f5"), ec="0.3", lw=1.5)
                ax.add_patch(box)
                ax.text(u, y, token, ha="center", va="center", fontsize=22, color="0.35" if token == "pad" else "black")
        for u in range(len(inputs) if arrows else 0):
            style = {"arrowstyle": "-|>", "mutation_scale": 22, "lw": 2}
            ax.annotate("", (u, top - 1.07), (u, top - 0.38), arrowprops=style | {"color": "0.3"})
            if u + 1 < len(inputs) and labels[u] != "?":
                ends = (u + 0.72, top - 0.4), (u + 0.3, top - 1.07)
                ax.annotate("", *ends, arrowprops=style | {"color": ORANGE, "ls": (0, (3, 1.5))})
    low = -2.6 * (len(pairs) - 1) - (1.45 if arrows else 1)
    ax.set(xlim=(-1.9, len(pairs[0][0]) - 0.4), ylim=(low - 0.5, 0.5), aspect="equal")
    ax.axis("off")
    return fig


def in_sight(cases, U=10):
    """What each of U positions sees, and where its label stands; `cases`: {title: (shifted?, hidden (U, U) or None)}."""
    fig, axes = plt.subplots(1, len(cases), figsize=(10.8, 4.7), sharey=True)
    for ax, (title, (shifted, hidden)) in zip(axes, cases.items()):
        ax.imshow([[1] * U] * U if hidden is None else ~hidden, cmap="Blues", vmin=0, vmax=2.5)
        ax.plot(range(shifted, U), range(U - shifted), "o", color=ORANGE, ms=8, label="where its label stands")
        ax.set(title=title, xlabel="input", xticks=range(0, U, 3), yticks=range(0, U, 3), xlim=(-0.5, U - 0.5))
        ax.grid(False)
    axes[0].set(ylabel="position")
    seen = plt.Rectangle((0, 0), 1, 1, color=plt.get_cmap("Blues")(1 / 2.5), label="what a position sees")
    fig.legend(handles=[seen, *axes[0].get_legend_handles_labels()[0]], loc="outside lower center", ncols=2)
    return fig


def noise_control(curves, floors, ends):
    """Loss curves `{name: losses}`, a panel for each, with the predicted floor and, as text, where it ends."""
    fig, axes = plt.subplots(1, len(curves), sharey=True)
    for ax, (name, losses) in zip(axes, curves.items()):
        ax.plot(range(1, len(losses) + 1), losses, color=BLUE, lw=1.5, label="measured")
        ax.axhline(floors[name], color=ORANGE, ls="--", lw=2.5, label="predicted")
        ax.set(title=f"{name}\n{ends[name]}", xlabel="step", ylim=(-0.1, 2.7), xticks=range(0, len(losses) + 1, 200))
    axes[0].set(ylabel="loss (nats)")
    axes[0].legend(loc="upper right")
    return fig


def smoothing(p, losses):
    """Loss over the probability `p (n,)` of the right token; `losses`: {epsilon: (n,)}; dots: minima."""
    fig, ax = plt.subplots()
    for (epsilon, values), colour, style in zip(losses.items(), (BLUE, ORANGE, GREEN), ("-", "--", "-.")):
        end = ", infinite at 1" if epsilon else ""
        ax.plot(p, values, color=colour, ls=style, lw=2.5, label=f"ε = {epsilon}{end}")
        ax.plot(p[values.argmin()], values.min(), "o", color=colour, ms=10)
    ax.set(xlabel="probability of the right token (the others share the rest)", ylabel="loss (nats)", ylim=(-0.1, None))
    ax.legend(loc="upper left")
    return fig


def token_weights(texts, weights):
    """How much each token counts in a mean; `texts`: N lists of tokens, `weights`: {title: (N, U)}, one scale for all."""
    fig, axes = plt.subplots(len(weights), 1, sharex=True, figsize=(10.8, 5.3))
    most = max(weight.max().item() for weight in weights.values())
    for ax, (title, weight) in zip(axes, weights.items()):
        picture = ax.imshow(weight, cmap="Blues", vmin=0, vmax=most, aspect="auto")
        for row, tokens in enumerate(texts):
            for column, token in enumerate(tokens):
                dark = weight[row, column] > 0.6 * most
                ax.text(column, row, "␣" if token == " " else token, ha="center", va="center", fontsize=14,
                        color="white" if dark else "black")
                ax.axvline(column + 0.5, color="white", lw=1)
            ax.axhline(row + 0.5, color="white", lw=1)
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, loc="left")
        ax.grid(False)
    bar = fig.colorbar(picture, ax=axes, ticks=[0, most], pad=0.01, aspect=40, label="share of the mean")
    bar.ax.set_yticklabels(["0", f"{100 * most:.1f} %"])
    return fig
