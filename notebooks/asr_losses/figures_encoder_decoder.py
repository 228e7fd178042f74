"""How is it drawn, in lesson 21: attention, a model that hears, its masks?"""

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from asr_losses.drawings import arrow, box, canvas, token
from asr_losses.figures import BLUE, DARK_ORANGE, GREEN, ORANGE, grid


def attention_by_hand(queries, keys, values, stage):
    """Tokens' queries `(U, d)` against frames' keys `(T, d)` and values `(T, 1)`, as a table.

    `stage`: "question", the vectors only; "scores"; or "weights", each as high as it is large, and their means.
    """
    U, T = len(queries), len(keys)
    scores = queries @ keys.T / keys.shape[1] ** 0.5
    weights = scores.softmax(1)
    fig, ax = canvas(5.1)
    left, top, width, height = 3.0, 3.75, 1.5, 1.15
    for t in range(T):
        middle = left + (t + 0.5) * width
        ax.text(middle, top + 1.05, f"frame {t}", ha="center", weight="bold")
        ax.text(middle, top + 0.65, f"key {_vector(keys[t])}", ha="center", color=BLUE)
        ax.text(middle, top + 0.25, f"value {values[t].item():g}", ha="center", color=DARK_ORANGE)
    for u in range(U):
        bottom = top - (u + 1) * height
        ax.text(0.1, bottom + 0.62, f"token {u}", weight="bold")
        ax.text(0.1, bottom + 0.25, f"query {_vector(queries[u])}", color=BLUE)
        for t in range(T):
            x = left + t * width
            if stage == "weights":
                ax.add_patch(Rectangle((x, bottom), width, weights[u, t].item() * height, color=BLUE, alpha=0.35, lw=0))
            ax.add_patch(Rectangle((x, bottom), width, height, fill=False, ec="0.4"))
            text = {"question": "?", "scores": f"{scores[u, t]:.2f}", "weights": f"{weights[u, t]:.3f}"}[stage]
            text = text.replace("-", "−")
            ax.text(x + width / 2, bottom + height / 2, text, ha="center", va="center", size=18)
        if stage == "weights":
            ax.text(left + T * width + 0.2, bottom + height / 2, f"finds {(weights[u] @ values).item():.1f}", va="center",
                    size=18, color=DARK_ORANGE, weight="bold")
    return fig


def _vector(x):
    return f"({', '.join(f'{entry:g}' for entry in x.tolist())})".replace("-", "−")


def encoder_decoder(utterance, log_mel, vectors, stage):
    """The whole model: a log-mel `(T, 40)` becomes so many `vectors` of memory, and the text is written beside it.

    `stage`: "question", where nothing leads from one half to the other; "writes", where the decoder looks at the
    memory and reads the true text; or "alone", where it reads what it has written.
    """
    fig, ax = canvas(5.1)
    sound = ax.inset_axes([0.1, 0.45, 3.7, 1.0], transform=ax.transData)
    sound.imshow(log_mel.T, origin="lower", aspect="auto")
    sound.axis("off")
    ax.text(1.95, 0.08, f"log-mel: {len(log_mel)} frames", ha="center")
    arrow(ax, (1.95, 1.5), (1.95, 1.9))
    box(ax, 0.1, 1.95, 3.7, 0.8, "encoder", BLUE)
    arrow(ax, (1.95, 2.8), (1.95, 3.2))
    step = 3.7 / vectors
    for t in range(vectors):
        ax.add_patch(Rectangle((0.1 + t * step, 3.25), 0.7 * step, 0.6, color=BLUE))
    ax.text(1.95, 4.05, f"memory: {vectors} vectors", ha="center")
    inputs, outputs = ["BOS", *utterance.text], [*utterance.text, "EOS"]
    left, width = 5.0, 5.7 / len(inputs)
    box(ax, left, 1.95, 5.7, 1.9, "" if stage == "alone" else "decoder", ORANGE)
    if stage == "question":
        ax.text((3.8 + left) / 2, 3.55, "?", ha="center", va="center", size=40, color=DARK_ORANGE)
    else:
        arrow(ax, (3.85, 3.55), (left - 0.05, 3.55), lw=3)
        ax.text((3.8 + left) / 2, 3.05, "looks", ha="center", va="center")
    for i, (read, written) in enumerate(zip(inputs, outputs)):
        x = left + (i + 0.5) * width
        token(ax, x, 1.1, read, width)
        token(ax, x, 4.55, written, width)
        arrow(ax, (x, 1.4), (x, 1.9))
        arrow(ax, (x, 3.9), (x, 4.25))
        if stage == "alone" and i:
            arrow(ax, (x - width + 0.1, 4.25), (x - 0.06, 1.42), color=DARK_ORANGE, ls=(0, (4, 2)))
    about = "reads what it has written itself" if stage == "alone" else "reads the true text, one place to the right"
    ax.text(left + 2.85, 0.5, about, ha="center", color=DARK_ORANGE if stage == "alone" else "black")
    return fig


def place_patterns(patterns):
    """What is added at each place, `patterns (length, width)`, from -1 to 1."""
    fig, ax = plt.subplots(figsize=(10.8, 4.4))
    picture = ax.imshow(patterns.T, aspect="auto", vmin=-1, vmax=1)
    ax.grid(False)
    ax.set(xlabel="place", ylabel="entry of the vector")
    fig.colorbar(picture, ax=ax, ticks=[-1, 0, 1], pad=0.01, label="added to the entry")
    return fig


def decoder_layer(steps):
    """One layer of the decoder: the first so many `steps` of read, hear and think, each added to what is there."""
    fig, ax = canvas(5.1)
    y, width = 0.75, 2.5
    arrow(ax, (0.1, y), (10.7, y), lw=3)
    ax.text(0.1, 0.2, "the tokens' vectors")
    ax.text(10.7, 0.2, "one layer on", ha="right")
    names = "read\nthe text so far", "hear\nthe memory", "think\n(each place alone)"
    inside = "queries, keys, values", "queries", ""
    for i in range(3):
        x = 0.75 + 3.2 * i
        if i >= steps:
            ax.add_patch(Rectangle((x, 2.45), width, 1.2, fill=False, ec="0.6", lw=2, ls="--"))
            ax.text(x + width / 2, 3.05, "?", ha="center", va="center", size=30)
            continue
        box(ax, x, 2.45, width, 1.2, names[i], (BLUE, ORANGE, GREEN)[i])
        arrow(ax, (x + 0.4, y), (x + 0.4, 2.4))
        box(ax, x, 1.25, 0.85, 0.45, "norm", "black", size=13)
        ax.text(x + 0.5, 2.02, inside[i], va="center", size=13)
        ax.plot([x + width, x + width + 0.35], [3.05, 3.05], color="black", ls="-")
        arrow(ax, (x + width + 0.35, 3.05), (x + width + 0.35, y + 0.2))
        ax.plot(x + width + 0.35, y, "o", ms=24, mfc="white", mec="black", mew=2)
        ax.text(x + width + 0.35, y, "+", ha="center", va="center", size=20)
    ax.text(2.0, 3.85, "mask: readable", ha="center", color=BLUE)
    if steps > 1:
        box(ax, 3.95, 4.45, width, 0.6, "memory", BLUE)
        arrow(ax, (5.2, 4.42), (5.2, 3.7))
        ax.text(5.35, 4.05, "keys, values", va="center", size=13)
        ax.text(5.05, 4.05, "mask:\naudible", ha="right", va="center", color=DARK_ORANGE)
    return fig


def masks(readable, audible):
    """Two masks, a tick for True: `readable (U, U)` and `audible (N, T)`."""
    fig, (left, right) = plt.subplots(1, 2, layout="constrained")
    grid(left, readable, "readable: the text so far", "text position", "seen by position")
    grid(right, audible, "audible: real frames", "frame", "utterance")
    return fig


def dependency(matrices):
    """Which output moves when one row of the input is disturbed; `matrices`: {title: (U, L) bool}."""
    ratios = [matrix.shape[1] for matrix in matrices.values()]  # the same size for every entry
    fig, axes = plt.subplots(1, len(matrices), figsize=(10.8, 3.8), width_ratios=ratios, layout="constrained")
    for ax, (title, matrix) in zip(axes, matrices.items()):
        grid(ax, matrix, title.replace(", ", ",\n"), f"disturbed {title.split(',')[0][:-1]}", "")
    axes[0].set(ylabel="output that moves")
    return fig


def sharpening(entropy, boundary, uniform):
    """Entropy of the attention (nats), median boundary error (ms) by epoch; `uniform`: of a uniform split."""
    fig, (left, right) = plt.subplots(1, 2, layout="constrained")
    left.plot(entropy, "o-", color=BLUE)
    left.set(xlabel="epoch", ylabel="entropy of the attention (nats)", ylim=(0, None))
    left.set(title="How far is it spread?")
    right.plot(boundary, "s--", color=ORANGE, label="path through the attention")
    right.axhline(uniform, color="black", ls=":", label=f"uniform split: {uniform:.0f}")
    right.legend()
    right.set(xlabel="epoch", ylabel="median boundary error (ms)", ylim=(0, None))
    right.set(title="How far off are the words?")
    return fig
