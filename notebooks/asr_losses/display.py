"""How does a cell show a figure, a sound or its progress?"""

import base64
import html
import io
import os
import re
import wave
from numbers import Integral
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython import get_ipython
from IPython.display import display
from matplotlib.text import Text


def style():
    """Sets matplotlib's style of all figures drawn from now on (`lesson.mplstyle`); importing does not."""
    plt.style.use(Path(__file__).with_name("lesson.mplstyle"))


def show(fig, alt):
    """Displays the figure as PNG with `alt`, one or two sentences that say what can be seen in it.

    `alt` is also the output's plain text. Compute its numbers: the tests then compare them, too. How small the
    smallest print is, in pixels, becomes part of the output's metadata.
    """
    if not alt.strip():
        raise ValueError("alt: nothing came, expected a sentence that says what can be seen")
    picture = io.BytesIO()
    fig.savefig(picture, format="png", metadata={"Software": None})  # no version: the same bytes everywhere
    printed = [text.get_fontsize() for text in fig.findobj(Text) if text.get_visible() and text.get_text().strip()]
    plt.close(fig)
    data = {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": alt}
    about = {"alt": alt, "print": round(min(printed, default=0) * fig.dpi / 72, 1)}
    display(data, metadata={"image/png": about}, raw=True)


def table(columns, rows):
    """Displays a table: `columns`, its headings, and `rows`, each with one text for each of them.

    Numbers are given as the texts that are to be read; columns that hold nothing else are set flush right.
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"rows: one with {len(row)} entries came for {len(columns)} columns: {row}")
    cells = [list(map(str, row)) for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    right = [bool(rows) and all(re.fullmatch(r"[-+−]?([\d.,]+|inf) ?%?|", entry) for entry in column[1:]) for column in zip(*cells)]
    lines = ["  ".join(entry.rjust(w) if r else entry.ljust(w) for entry, w, r in zip(row, widths, right)).rstrip() for row in cells]
    tags = [[f"<t{kind}{' class=number' * r}>{html.escape(entry)}</t{kind}>" for entry, r in zip(row, right)]
            for row, kind in zip(cells, "h" + "d" * len(rows))]
    head, *body = (f"<tr>{''.join(row)}</tr>" for row in tags)
    page = f"<table><thead>{head}</thead><tbody>{''.join(body)}</tbody></table>"
    display({"text/html": page, "text/plain": "\n".join(lines)}, raw=True)


def sound_address(samples, rate):
    """`samples (L,)`, floats from -1 to 1, `rate` a second, as the address of a WAV that stands in itself."""
    if isinstance(samples, torch.Tensor):
        samples = samples.detach().cpu()
        samples = samples.double() if samples.is_floating_point() else samples  # numpy has no bfloat16
    samples = np.asarray(samples)
    if samples.dtype.kind != "f":
        raise ValueError(
            f"samples: {samples.dtype} came, expected floats from -1 to 1; divide 16-bit integers by 32768"
        )
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"samples: shape {samples.shape} came, expected (L,) with L > 0")
    if not np.abs(samples).max() <= 1:  # nor for nan
        raise ValueError(f"samples: up to {np.abs(samples).max():.4g} came, expected floats from -1 to 1")
    if not isinstance(rate, Integral) or not 1 < rate < 2**31:
        raise ValueError(f"rate: {rate!r} came, expected samples a second, a whole number")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(int(rate))
        sound.writeframes(np.rint(samples.astype(np.float64) * 32767).astype("<i2").tobytes())
    return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()


def audio(samples, rate, label):
    """Displays a player for `samples (L,)`, floats from -1 to 1, `rate` a second; `label` says what it is."""
    source = sound_address(samples, rate)
    name = html.escape(label)
    player = f'<audio controls aria-label="{name}" src="{source}"></audio>'
    player = f"<figure><figcaption>{name}</figcaption>{player}</figure>"
    display({"text/html": player, "text/plain": f"{label} ({len(samples) / rate:.2f} s)"}, raw=True)


_line = None  # the output that shows the progress of the running cell


def progress(text):
    """Shows one line of `text` while a long cell runs; it is gone when the cell ends.

    It is seen in JupyterLab and by `make run`, and never becomes a stored output. Elsewhere
    nothing happens, nor in processes that a notebook's kernel has started.
    """
    global _line
    if not {"JPY_SESSION_NAME", "ASR_LOSSES_PROGRESS"} & set(os.environ) or not _in_kernel():
        return
    data, mark = {"text/plain": text}, {"progress": True}
    if _line is None:
        _line = display(data, metadata=mark, raw=True, display_id=True)
        get_ipython().events.register("post_run_cell", _end_progress)
    else:
        _line.update(data, metadata=mark, raw=True)


def _in_kernel():
    """Is this process itself the kernel of a notebook?"""
    kernel = getattr(get_ipython(), "kernel", None)
    return kernel is not None and kernel.session.pid == os.getpid()  # a forked child inherits the kernel, too


def _end_progress(result):
    global _line
    get_ipython().events.unregister("post_run_cell", _end_progress)
    _line.update({}, metadata={"progress": True}, raw=True)
    _line = None
