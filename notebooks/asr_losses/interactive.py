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
from IPython.display import display

from asr_losses import alignment, figures_cross_entropy, figures_ctc, speech
from asr_losses.ctc import ctc_loss

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
    """Nested lists; None for what is not finite."""
    if isinstance(values, torch.Tensor):
        values = values.tolist()
    if isinstance(values, list):
        return [_rounded(value, digits) for value in values]
    return round(values, digits) if math.isfinite(values) else None


def _thousandths(table):
    """Nested lists of whole numbers, which are shorter than fractions."""
    return (1000 * table).round().int().tolist()


def collapse(path, kept, wrong, examples):
    """Frame labels to type or click, and what is left when merging comes first and when dropping does.

    `path`: letters a to z and "-", the blank; `kept`, `wrong`: what merge-then-drop and drop-then-merge leave
    of it; `examples`: other paths, on buttons.
    """
    data = {"blank": "-", "labels": "".join(dict.fromkeys("-" + path)), "path": path, "examples": examples}
    alt = (
        f"The frame labels {path}. Merge equal neighbours, then drop the blanks: {kept}. "
        f"Drop first, then merge: {wrong}."
    )
    _show("collapse", data, figures_ctc.collapse(path, kept, wrong), alt)


def lattice(log_probs, text, alpha, beta, jump, frame_shift):
    """The lattice of `text` under `log_probs (T, C)`: alpha, beta and gamma of every node, and paths to draw.

    `alpha`, `beta (T, 2U+1)`: ln of the forward and backward sums, frame t in both; `jump (2U+1,)`: may the
    state be entered over a blank? `frame_shift` in seconds.
    """
    target = speech.encode(text)
    states = [speech.BLANK, *(label for c in target for label in (c, speech.BLANK))]
    labels = "-" + "".join(f"{character}-" for character in text)
    emission = log_probs[:, states]  # (T, 2U+1)
    gamma = (alpha + beta - emission).softmax(1)
    best = alignment.best_path(log_probs, target)
    total = alpha[-1, -2:].logsumexp(0)
    share = (emission.gather(1, best[:, None]).sum() - total).exp()
    alpha, beta = (table.masked_fill(table < -1e9, -math.inf) for table in (alpha, beta))
    data = {"text": text, "labels": labels, "jump": jump.tolist(), "seconds": frame_shift}
    data["best"] = best.tolist()
    tables = {"log_p": emission, "alpha": alpha, "beta": beta, "gamma": gamma, "total": total}
    data |= {name: _rounded(table, 3) for name, table in tables.items()}
    alt = (
        f"The lattice of '{text}': {len(labels)} states over {len(gamma)} frames, shaded by occupancy. "
        f"The best path, a line through the dark nodes, has {share:.0%} of the probability of all paths "
        "together."
    )
    _show("lattice", data, figures_ctc.occupied_lattice(gamma, labels, best), alt)


def training(snapshots, says, text, frame_shift):
    """Posteriors and occupancy of one utterance during the training, with a slider.

    `snapshots`: {steps: log_probs (T, C)}; `says`: the transcript at each; `text`: the truth; `frame_shift`
    in seconds.
    """
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
    data["loss"] = _rounded(loss, 2)
    data["p"] = [_thousandths(table) for table in p.values()]
    data["gamma"] = [_thousandths(table) for table in gamma.values()]
    first, *_, last = snapshots
    alt = (
        f"Posteriors and occupancy of '{text}' at {len(snapshots)} steps of the training. "
        f"Without training the loss is {loss[0]:.0f} nats; after {last} steps it is "
        f"{loss[-1]:.2f}, and the posteriors are narrow peaks."
    )
    _show("training", data, figures_ctc.snapshots(p, gamma, names, frame_shift), alt)


def masks(dependencies, labels):
    """The dependency matrices of a decoder, with each mask switched on and off.

    `dependencies`: {title: matrix} of tokens `(U, U)` with and without the causal mask, then of frames
    `(U, T)` with and without the padding mask; `labels`: what each of the U outputs is to say.
    """
    names = "tokens_causal", "tokens_none", "frames_masked", "frames_none"
    data = {"labels": labels}
    data |= {name: matrix.int().tolist() for name, matrix in zip(names, dependencies.values())}
    moved = (f"{title} {matrix.sum()} of {matrix.numel()}" for title, matrix in dependencies.items())
    alt = "Grids of which output moves when a token or a frame is disturbed. Pairs that move: "
    alt += ", ".join(moved) + "."
    _show("masks", data, figures_cross_entropy.dependency(dependencies), alt)
