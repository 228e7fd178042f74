"""How is it drawn, in lesson 11: two encoders, what is predicted of a training, and what comes?"""


import matplotlib.pyplot as plt
import torch

from asr_losses.features import FRAME_SHIFT
from asr_losses.figures import BLUE, GREEN, ORANGE, PINK, histogram
from asr_losses.models import C


def page_histogram(measured, predicted, page):
    """What the source page's code prints over many seeds, and how well lengths alone predict it."""
    fig, (left, right) = plt.subplots(1, 2, layout="constrained")
    histogram(left, measured, bins=30)
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


def encoders(convolutional, recurrent, seconds=3.2):
    """From the log-mel to the labels, layer by layer, and what one output in the middle hears: shaded.

    `convolutional`, `recurrent`: an `encoders.ConvEncoder` and a `RecurrentEncoder`. Each tick is a vector.
    """
    shift, layers = FRAME_SHIFT, [(f"log-mel, {1000 * FRAME_SHIFT:.0f} ms", FRAME_SHIFT, 0.0)]  # (name, seconds a vector, how far one sees below)
    for conv in convolutional.convs:
        reach = 2 * conv.dilation[0] * shift
        shift *= conv.stride[0]
        name = f"dilation {conv.dilation[0]}" if conv.stride[0] == 1 else f"to {1000 * shift:.0f} ms"
        layers.append((f"convolution, {name}", shift, reach))
    layers.append((f"{C} labels", shift, 0.0))
    step = recurrent.context.stride[0] * FRAME_SHIFT
    width = recurrent.context.kernel_size[0]
    ours = [layers[0], (f"{width} frames, to {1000 * step:.0f} ms", step, width // 2 * FRAME_SHIFT)]
    ours += [("each alone", step, 0.0) for _ in recurrent.layers]
    ours += [("GRU, both ways", step, seconds), ("each alone", step, 0.0), (f"{C} labels", step, 0.0)]
    fig, axes = plt.subplots(1, 2, figsize=(10.8, 5.1))
    for ax, stack, title in zip(axes, (layers, ours), ("convolutions (gates aside)", "recurrent")):
        _draw_layers(ax, stack, seconds)
        ax.set_title(title)
    return fig


def _draw_layers(ax, layers, seconds):
    """Rows of ticks, the first at the foot, and the cone of what the middle of the last one hears."""
    seen = 0.0
    for row in reversed(range(len(layers))):
        name, shift, reach = layers[row]
        times = torch.arange(0, seconds + shift / 2, shift)
        ax.vlines(times, row - 0.13, row + 0.13, color="0.35", lw=1 if shift > 2 * FRAME_SHIFT else 0.5, ls="-", snap=False)
        if row:
            below = min(seen + reach, seconds / 2)
            corners = (seconds / 2 - below, seconds / 2 - seen - 0.01, seconds / 2 + seen + 0.01, seconds / 2 + below)
            ax.fill(corners, (row - 1, row, row, row - 1), color=ORANGE, alpha=0.4, ls="-", lw=0, zorder=0)
            if reach >= seconds:
                for ends in ((0, seconds), (seconds, 0)):
                    ax.annotate("", (ends[1], row), (ends[0], row), arrowprops={"arrowstyle": "->", "color": BLUE, "lw": 2})
            seen = below
    ax.set_yticks(range(len(layers)), [name for name, *_ in layers])
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="time (s)", xlim=(-0.05, seconds + 0.05), ylim=(-0.5, len(layers) - 0.5))
    ax.grid(False)
    ax.spines["left"].set_visible(False)


def predictions(levels, texts, steps):
    """Losses that are known before the training, `{name: nats}`, each with its text, on empty axes of so many `steps`."""
    fig, ax = plt.subplots()
    for (name, level), text, colour, style in zip(levels.items(), texts, (ORANGE, PINK, GREEN), ("--", "-.", ":")):
        ax.axhline(level, color=colour, ls=style, lw=4, clip_on=False)
        ax.text(steps, level + 0.15, f"{name} {level:.2f}: {text}", ha="right", va="bottom", size=18)
    ax.set(xlabel="step", ylabel="loss (nats a character)", xlim=(0, steps), ylim=(0, 1.2 * max(levels.values())))
    ax.grid(False)
    return fig


def snapshots(p, labels, frame_shift):
    """Posteriors at the first, a middle and the last of {steps: (T, labels)}; the first label is the blank."""
    steps = list(p)
    chosen = steps[0], steps[len(steps) // 3], steps[-1]
    fig, axes = plt.subplots(1, 3, figsize=(10.8, 4.2), sharex=True, sharey=True, layout="constrained")
    for ax, number in zip(axes, chosen):
        edges = (-frame_shift / 2, (len(p[number]) - 0.5) * frame_shift, -0.5, len(labels) - 0.5)
        picture = ax.imshow(p[number].T, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=1, extent=edges)
        ax.grid(False)
        ax.set(title=f"after {number} steps", xlabel="time (s)", yticks=range(len(labels)), yticklabels=labels.replace(" ", "␣"))
    fig.colorbar(picture, ax=axes, label="posterior p")
    return fig


def entropies(nats):
    """Bars of the entropy of an alignment, `{text below the bar: nats}`."""
    fig, ax = plt.subplots(figsize=(10.8, 3.7))
    bars = ax.bar(list(nats), list(nats.values()), color=BLUE)
    ax.bar_label(bars, fmt="%.1f")
    ax.grid(axis="x", visible=False)
    ax.set(xlabel="after so many steps of the training (not to scale)", ylabel="H (nats)", ylim=(0, 1.15 * max(nats.values())))
    return fig
