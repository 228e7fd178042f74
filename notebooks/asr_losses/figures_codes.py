"""How is it drawn, in lesson 23: speech as codes, and both in one sequence?"""

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from asr_losses.drawings import arrow, canvas, token
from asr_losses.features import FRAME_SHIFT
from asr_losses.figures import BLUE, DARK_ORANGE, GREEN, ORANGE, draw_log_mel


def nearest_codes(piece, centres, numbers, distances):
    """A piece of log-mel `(160,)` and its nearest `centres (n, 160)`, with their numbers and distances."""
    fig, axes = plt.subplots(1, 1 + len(centres), sharey=True, width_ratios=[1.35, *[1] * len(centres)])
    most = max(piece.abs().max(), centres.abs().max()).item()
    titles = ["the piece", *(f"code {k}\nat {d:.1f}" for k, d in zip(numbers, distances))]
    for ax, picture, title in zip(axes, (piece, *centres), titles):
        shown = ax.imshow(picture.reshape(-1, 40).T, origin="lower", aspect="auto", vmin=-most, vmax=most)
        ax.grid(False)
        ax.set(xticks=[])
        ax.set_title(title, color=DARK_ORANGE if ax is axes[1] else "black")
        ax.set_xlabel("40 ms")
    for side in axes[1].spines.values():
        side.set(visible=True, color=ORANGE, lw=4)
    axes[0].set_ylabel("mel band")
    fig.colorbar(shown, ax=axes, pad=0.01, aspect=30, label="log-mel, normalised")
    return fig


def codes(utterance, log_mel, coded, numbers):
    """A log-mel `(T, 40)`, and the same made of the centres of its codes, `numbers (T / 4,)`, which stand above it."""
    frames = len(coded) // len(numbers)
    fig, (top, bottom) = plt.subplots(2, 1, figsize=(10.8, 5.2), sharex=True, sharey=True, layout="constrained")
    for ax, picture in ((top, log_mel), (bottom, coded)):
        draw_log_mel(ax, picture)
    top.set(title="what is said", xlim=(0, utterance.seconds))
    bottom.set(xlabel="time (s)")
    bottom.set_title("what the codes keep", pad=36)
    for i, number in enumerate(numbers.tolist()):
        place = ((i + 0.5) * frames - 0.5) * FRAME_SHIFT
        bottom.text(place, 41, number, rotation=90, ha="center", va="bottom", fontsize=13, color=DARK_ORANGE)
    return fig


def vocabulary(names, K):
    """The tokens of the text by `names`, and behind them `K` codes, to scale."""
    fig, ax = canvas(4.6)
    V, left, wide = len(names), 0.1, 10.6
    step, large = wide / (V + K), wide / V
    for i, name in enumerate(names):
        token(ax, left + (i + 0.5) * large, 3.7, name, large, BLUE)
        ax.text(left + (i + 0.5) * large, 4.15, i, ha="center", size=13)
    for corner in (0, 1):
        ax.plot([left + corner * wide, left + corner * V * step], [3.35, 2.3], color="0.6", lw=1.5, ls="-")
    for i in range(V + K):
        ax.add_patch(Rectangle((left + i * step, 1.6), 0.75 * step, 0.7, color=BLUE if i < V else ORANGE))
    ax.text(left, 1.15, f"0 to {V - 1}: text", color=BLUE)
    ax.text(left + V * step + 1.2, 1.15, f"{V} to {V + K - 1}: speech; code k is token {V} + k", color=DARK_ORANGE)
    ax.text(left, 0.4, f"one softmax over {V + K} tokens, one loss", size=18)
    return fig


def one_sequence(inputs, labels, names, stage):
    """A training sequence of codes and text, `inputs (L,)` and `labels (L,)`; `names`: {token: text}.

    Of the codes only the first and the last three are drawn; `stage`: "question", or "answer" with the labels.
    """
    fig, ax = canvas(4.6)
    V, tokens = len(names), inputs.tolist()
    begin = next(i for i, token in enumerate(tokens) if token < V)
    shown = [0, 1, 2, None, begin - 3, begin - 2, begin - 1, *range(begin, len(tokens))]
    left, width = 1.75, 9.0 / len(shown)
    for text, y in {"label": 3.5, "code, letter": 2.6, "token": 1.75, "position": 1.05}.items():
        ax.text(0.05, y, text, va="center")
    for place, i in enumerate(shown):
        x = left + (place + 0.5) * width
        if i is None:
            ax.text(x, 2.6, "…", ha="center", va="center", size=18)
            continue
        is_code = i < begin
        token(ax, x, 2.6, str(tokens[i] - V) if is_code else names[tokens[i]], width, ORANGE if is_code else BLUE)
        ax.text(x, 1.75, tokens[i], ha="center", va="center", size=14)
        ax.text(x, 1.05, i if is_code else i - begin, ha="center", va="center", size=14)
        if stage == "question":
            ax.text(x, 3.5, "?", ha="center", va="center", size=18)
        elif labels[i]:
            token(ax, x, 3.5, names[labels[i].item()], width, GREEN)
            arrow(ax, (x, 2.9), (x, 3.2))
        else:
            ax.text(x, 3.5, "–", ha="center", va="center", size=18)
    split = left + 7 * width
    ax.plot([split, split], [0.75, 4.0], color="0.6", lw=1.5, ls="--")
    ax.text((left + split) / 2, 4.2, f"{begin} codes of 40 ms", ha="center", color=DARK_ORANGE)
    ax.text((split + 10.75) / 2, 4.2, "the text", ha="center", color=BLUE)
    ax.text(left, 0.3, f"code k is token {V} + k; positions start again at BOS")
    return fig


def kept_close(before, after):
    """Distances of all pairs of codes: of their centres, `before (n,)`, and of their vectors, `after (n,)`."""
    fig, ax = plt.subplots()
    ax.plot(before, after, ".", color=BLUE, ms=4, alpha=0.3)
    ax.set(xlabel="distance of two typical pieces", ylabel="distance of the codes' first vectors", xlim=(0, None), ylim=(0, None))
    return fig
