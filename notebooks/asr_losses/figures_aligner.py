"""How is it drawn, in lesson 12: what the reader says when, remedies for its peaks, and a beam?"""

import math

import matplotlib.pyplot as plt
import torch

from asr_losses.features import log_mel
from asr_losses.figures import BLUE, ORANGE, alignment, draw_log_mel
from asr_losses.speech import ALPHABET, BLANK, encode


def posteriors_and_occupancy(model, utterance):
    """What a CTC model says about an utterance without knowing its text, and with it: see `figures.alignment`."""
    (log_probs,), tokens = model.listen([utterance]), encode(utterance.text)
    p = log_probs.exp()
    views = {"posteriors": (p[:, tokens].T, p[:, BLANK], None), "occupancy and best path": model.view(utterance)}
    return alignment(utterance, log_mel(utterance.samples), views, model.frame_shift)


def log_mels(panels, moment=None):
    """Two or more log-mels side by side, `{title: (log-mel (T, 40), view)}`.

    Of each only what lies within `view` seconds of `moment` (a line) is bright; all of it where the view is None.
    """
    fig, axes = plt.subplots(1, len(panels), figsize=(10.8, 1.72), sharey=True, layout="constrained")
    for ax, (title, (picture, view)) in zip(axes, panels.items()):
        draw_log_mel(ax, picture)
        left, right = ax.get_xlim()
        if view is not None:
            for begin, end in ((left, moment - view), (moment + view, right)):
                ax.axvspan(min(max(begin, left), right), min(max(end, left), right), color="white", alpha=0.8, lw=0)
            ax.axvline(moment, color=ORANGE, lw=3)
        seconds = range(int(right) + 1)
        ax.set_xticks(seconds, [f"{second} s" for second in seconds])
        ax.set(xlim=(left, right), ylabel="", yticks=[])
        ax.set_title(title, loc="left")
    return fig


def prior(p, mean, weight):
    """Bars of one frame's posteriors `p (C,)` with the `mean` of each label, and of p / mean ** weight beside them."""
    labels = ["-", "␣", *ALPHABET[2:]]
    fig, axes = plt.subplots(1, 2, figsize=(10.8, 1.72), layout="constrained")
    titles = "3. one frame's p (lines: p̄)", f"divided by p̄ to the {weight}"
    for ax, heights, title in zip(axes, (p, p / mean**weight), titles):
        best = heights.argmax().item()
        ax.bar(range(len(labels)), heights, color=[ORANGE if i == best else BLUE for i in range(len(labels))])
        ax.set_xticks(range(len(labels)), labels)
        ax.tick_params(axis="x", length=0)
        ax.grid(axis="x", visible=False)
        ax.set_title(f"{title}: {labels[best] if best else 'the blank'} wins", loc="left")
    places = torch.arange(len(labels))
    axes[0].hlines(mean, places - 0.45, places + 0.45, color="black", lw=3)
    return fig


MOVES = {
    "blank": {"color": "0.5", "ls": "-", "lw": 2},
    "the same letter goes on": {"color": BLUE, "ls": "--", "lw": 2},
    "a new letter": {"color": ORANGE, "ls": "-", "lw": 3},
}


def beam_trace(beams, frames, until):
    """Where the two probabilities of each prefix come from, frame by frame, for the labels blank and one letter.

    `beams`: one {prefix: (ln P of its paths that end in a blank, in its last letter)} after each frame, the first
    before any; `frames`: the probabilities of both labels in each. What comes behind frame `until` is left out.
    """
    fig, ax = plt.subplots()
    beams = [{text: [math.exp(number) for number in numbers] for text, numbers in beam.items()} for beam in beams]
    prefixes = [text for text, numbers in beams[-1].items() if sum(numbers)]
    letter = prefixes[1]
    for t, beam in enumerate(beams[: until + 1]):
        heading = "before" if t == 0 else f"frame {t}\n" + ", ".join(f"p({c}) = {p:.1f}" for c, p in frames[t - 1].items())
        ax.text(t, 0.75, heading, ha="center", va="center")
        for y, prefix in enumerate(prefixes):
            for x, value in zip((t - 0.14, t + 0.14), beam.get(prefix, (0.0, 0.0))):
                box = plt.Rectangle((x - 0.14, -y - 0.17), 0.28, 0.34, fc="white" if value else "0.93", ec="0.4", zorder=2)
                ax.add_patch(box)
                ax.text(x, -y, f"{value:.2f}" if value else "", ha="center", va="center", zorder=3, size=17)
        if t:
            _draw_moves(ax, t, beams[t - 1], prefixes)
    for label, style in MOVES.items():
        ax.plot([], [], **style, label=label)
    for y, prefix in enumerate(prefixes):
        ax.text(-0.42, -y, f'"{prefix}"', ha="right", va="center", weight="bold")
    for x, text in ((-0.14, "ends\nin -"), (0.14, f"ends\nin {letter}")):
        ax.text(x, -len(prefixes) + 0.62, text, ha="center", va="center", color="0.35", size=14)
    ax.set(xlim=(-0.75, len(beams) - 0.6), ylim=(-len(prefixes) + 0.4, 1))
    ax.axis("off")
    fig.legend(loc="outside lower center", ncols=3)
    return fig


def _draw_moves(ax, t, before, prefixes):
    """The arrows from the beam `before` into that of frame t."""
    blank, same, new = MOVES.values()
    for y, prefix in enumerate(prefixes):
        ends_blank, ends_letter = before.get(prefix, (0.0, 0.0))
        starts = [x for x, value in ((t - 1.14, ends_blank), (t - 0.86, ends_letter)) if value]
        moves = [(max(starts) + 0.14, t - 0.28, y, blank)] if starts else []
        if ends_letter:
            moves.append((t - 0.72, t, y, same))
        if y + 1 < len(prefixes):
            grows = starts if not prefix else [x for x in starts if x < t - 1]  # an equal letter needs a blank
            moves += [(x, t + 0.14, y + 1, new) for x in grows]
        for x, to, row, style in moves:
            begin, end = ((x, -y), (to, -row)) if style is blank else ((x, -y - 0.17), (to, -row + 0.17))
            if style is same:
                begin, end = (t - 0.86, -y + 0.17), (t + 0.14, -y + 0.17)
            arrow = {"arrowstyle": "->", "color": style["color"], "ls": style["ls"], "lw": style["lw"], "shrinkA": 0, "shrinkB": 0}
            if style is same:
                arrow["connectionstyle"] = "arc3,rad=-0.25"
            ax.annotate("", end, begin, arrowprops=arrow, zorder=1)


def text_probabilities(columns):
    """Bars of text probabilities side by side; `columns`: {model name: {text: probability}}, 0 where a text is missing."""
    fig, axes = plt.subplots(1, len(columns), figsize=(10.8, 5.1), sharey=True, layout="constrained")
    texts = list(dict.fromkeys(text for probabilities in columns.values() for text in probabilities))
    for ax, (name, probabilities) in zip(axes, columns.items()):
        bars = ax.bar(texts, [probabilities.get(text, 0.0) for text in texts], color=BLUE)
        ax.bar_label(bars, fmt="%.2f")
        ax.set(title=name, ylim=(0, 0.62), xlabel="text")
    axes[0].set(ylabel="probability")
    return fig
