"""Which figures answer? Each function displays one that works without a server, by mouse and by keyboard.

The output is HTML: a static picture with alt text, and a script (`js/`) that puts the interactive figure in
its place. Where scripts are not run, as in a notebook that is not trusted, the picture stays.
"""

import base64
import html
import io
import json
import math
import re
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from IPython.display import display

from asr_losses import (
    alignment,
    figures_encoder_decoder,
    figures_lattice,
    figures_reader,
    figures_transducer,
    recursion,
    speech,
)
from asr_losses.ctc import ctc_loss
from asr_losses.display import sound_address
from asr_losses.transducer import arc_loss, best_frames, occupancies

SCRIPTS = Path(__file__).with_name("js")


def _show(name, data, fig, alt):
    source = "data:image/svg+xml;base64," + base64.b64encode(_small_svg(fig).encode()).decode()
    values = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    script = "".join((SCRIPTS / f"{part}.js").read_text(encoding="utf-8") for part in ("common", name))
    page = (
        f'<div class="asr-figure" data-figure="{name}">\n'
        f'<img alt="{html.escape(alt)}" style="max-width: 100%" src="{source}">\n'
        f"<script>(function (root, data) {{\n{script}}})(document.currentScript.parentElement, {values});"
        "</script>\n</div>"
    )
    display({"text/html": page, "text/plain": alt}, raw=True)


def _small_svg(fig):
    """The figure as SVG, with text as text and numbers of one decimal."""
    picture = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # the same bytes everywhere
    with plt.rc_context({"svg.fonttype": "none"}):
        fig.savefig(picture, format="svg", metadata=nothing)
    plt.close(fig)
    text = picture.getvalue().replace("'DejaVu Sans'", "'DejaVu Sans', sans-serif")
    return re.sub(r"\s+", " ", re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}", text))


def _rounded(values, digits):
    """Nested lists; texts stay, and None stands for what is not finite."""
    if isinstance(values, torch.Tensor):
        values = values.tolist()
    if isinstance(values, list):
        return [_rounded(value, digits) for value in values]
    if isinstance(values, str):
        return values
    return round(values, digits) if math.isfinite(values) else None


def _thousandths(table):
    """Nested lists of whole numbers, which are shorter than fractions."""
    return (1000 * table).round().int().tolist()


def collapse(path, kept, wrong, examples):
    """Frame labels to type or click, and what is left when merging comes first and when dropping does.

    `path`: letters a to z and "-", the blank; `kept`, `wrong`: what merge-then-drop and drop-then-merge leave
    of it; `examples`: other paths, on buttons.
    """
    data = {"blank": "-", "goal": kept, "path": path, "examples": examples}
    alt = (
        f"The frame labels {path}. Merge equal neighbours, then drop the blanks: {kept}. "
        f"Drop first, then merge: {wrong}."
    )
    _show("collapse", data, figures_lattice.collapse(path, kept, wrong), alt)


def lattice(stages, text, frame_shift):
    """The lattice of `text` in the course of a training: how the sum over all paths gathers into one.

    `stages`: {steps: log-probabilities `(T, C)`}; `frame_shift` in seconds. The reader moves through the stages, sees
    alpha, beta and gamma of every node, and draws a path of their own.
    """
    target = speech.encode(text)
    states, jump = recursion.lattice(target)
    used = [speech.BLANK, *dict.fromkeys(target)]
    names = "-" + "".join(speech.ALPHABET[c] for c in used[1:])
    T = len(next(iter(stages.values())))
    repeats = sum(a == b for a, b in zip(target, target[1:]))
    data = {"text": text, "labels": names, "states": [used.index(c) for c in states.tolist()], "jump": jump.tolist()}
    data |= {"seconds": frame_shift, "steps": list(stages), "paths": math.comb(T + len(target) - repeats, 2 * len(target))}
    data["log_p"] = [_rounded(log_probs[:, used], 4) for log_probs in stages.values()]
    shown = [list(stages)[i] for i in (0, len(stages) // 2, -1)]
    gamma = {steps: recursion.state_occupancy(stages[steps], target) for steps in shown}
    best = {steps: alignment.best_path(stages[steps], target) for steps in shown}
    share = []
    for steps in (shown[0], shown[-1]):
        path = recursion.path_log_prob(stages[steps], states[best[steps]])
        share.append((path + recursion.recursion_loss(stages[steps], target)).exp())
    alt = (
        f"The lattice of '{text}' at {len(stages)} stages of a training: {len(states)} states over {T} frames, shaded "
        f"by occupancy. {data['paths']:,} paths say the text. Before the training the best of them has {share[0]:.3%} "
        f"of the probability of all together, after {shown[-1]} steps {share[1]:.0%}."
    )
    labels = [names[c] for c in data["states"]]
    _show("lattice", data, figures_lattice.occupied_lattice(gamma, labels, best), alt)


def training(snapshots, says, utterance, losses, frame_shift):
    """What a model says about one utterance in the course of its training, under the loss curve, with a slider.

    `snapshots`: {steps: log_probs (T, C)}; `says`: the transcript at each; `losses`: that of every step of the
    training; `frame_shift` in seconds.
    """
    text = utterance.text
    target = torch.tensor(speech.encode(text))
    labels = [speech.BLANK, *dict.fromkeys(target.tolist())]
    p = {}
    gamma = {}
    loss = []
    for steps, log_probs in snapshots.items():
        p[steps] = log_probs.exp()[:, labels]
        gamma[steps] = alignment.occupancy(log_probs, target)[:, labels]
        loss.append(ctc_loss(log_probs, target, (len(log_probs),), (len(target),), reduction="sum").item())
    names = "-" + "".join(speech.ALPHABET[c] for c in labels[1:])
    data = {"text": text, "labels": names, "seconds": frame_shift, "steps": list(snapshots), "says": says}
    data |= {"duration": utterance.seconds, "words": _rounded(list(map(list, zip(utterance.words, utterance.starts, utterance.ends))), 3)}
    data["loss"] = _rounded(loss, 2)
    data["p"] = [_thousandths(table) for table in p.values()]
    data["gamma"] = [_thousandths(table) for table in gamma.values()]
    data["curve"] = _rounded(_thinned(losses), 4)
    data["sound"] = sound_address(utterance.samples, speech.SAMPLE_RATE)
    first, *_, last = snapshots
    alt = (
        f"Posteriors and occupancy of '{text}' at {len(snapshots)} steps of the training. "
        f"Without training the loss is {loss[0]:.0f} nats; after {last} steps it is "
        f"{loss[-1]:.2f}, and the posteriors are narrow peaks."
    )
    _show("training", data, figures_reader.snapshots(p, names, frame_shift), alt)


def _thinned(losses):
    """`[[step, loss], ...]`: each of the first 40 steps, then means over 4 % of the steps so far."""
    points, begin = [], 0
    while begin < len(losses):
        end = min(len(losses), begin + max(1, begin // 25))
        points.append([(begin + 1 + end) / 2, sum(losses[begin:end]) / (end - begin)])
        begin = end
    return points


def masks(dependencies, labels, tokens):
    """The dependency matrices of a decoder, with each mask switched on and off, and the loss that it leads to.

    `dependencies`: {title: matrix} of tokens `(U, U)` with and without the causal mask, then of frames
    `(U, T)` with and without the padding mask; `labels`: what each of the U outputs is to say; `tokens`: how many there
    are to choose from.
    """
    names = "tokens_causal", "tokens_none", "frames_masked", "frames_none"
    data = {"labels": labels, "tokens": tokens}
    data |= {name: matrix.int().tolist() for name, matrix in zip(names, dependencies.values())}
    moved = (f"{title} {matrix.sum()} of {matrix.numel()}" for title, matrix in dependencies.items())
    alt = "Grids of which output moves when a token or a frame is disturbed. Pairs that move: "
    alt += ", ".join(moved) + "."
    _show("masks", data, figures_encoder_decoder.dependency(dependencies), alt)


def transducer(lattices):
    """Emit or move on: the reader walks through the lattice of a transducer, and finds the walks that make the sum.

    `lattices`: {title: (text, move (T, U + 1), emit (T, U))}, log-probabilities of the arcs; U is not 0. The first is
    shown first, the others come on buttons.
    """
    shown, figured, said = [], {}, []
    for title, (text, move, emit) in lattices.items():
        T, U = emit.shape
        by_blank, by_label = occupancies(move, emit)
        frames = best_frames(move, emit)
        written = (frames <= torch.arange(T)[:, None]).sum(1)  # when the best walk leaves each frame
        best = move[torch.arange(T), written].sum() + emit[frames, torch.arange(U)].sum()
        share = (best + arc_loss(move[None], emit[None], [T], [U], reduction="sum")).exp()
        walks = math.comb(T + U - 1, U)
        figured[title] = text, by_blank + F.pad(by_label, (0, 1)), frames
        shown.append({"title": title, "text": text, "walks": walks})
        shown[-1] |= {"move": _rounded(move, 4), "emit": _rounded(emit, 4)}
        said.append(f"'{text}' on {T} frames: {walks:,} walks, the best has {share:.0%} of the sum over all.")
    alt = "Lattices of a transducer, shaded by occupancy, each with its best walk. " + " ".join(said)
    _show("transducer", {"lattices": shown}, figures_transducer.walks(figured), alt)
