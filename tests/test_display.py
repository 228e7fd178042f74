"""Display: sounds are what was given; progress is shown where somebody sees it."""

import base64
import io
import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import matplotlib.pyplot as plt
import nbclient
import nbformat
import numpy as np
import pytest
import torch

from asr_losses import display

PACKAGE = {"PYTHONPATH": str(Path(display.__file__).parents[1])}
CHILDREN = """
import os, multiprocessing
os.environ["ASR_LOSSES_PROGRESS"] = "1"
from asr_losses.display import progress
def work(n):
    progress("in a child")
    return n
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, range(3)))
"""


def test_progress_is_silent_outside_a_kernel():
    code = "from asr_losses.display import progress; progress('one'); progress('two')"
    environment = os.environ | {"ASR_LOSSES_PROGRESS": "1", "JPY_SESSION_NAME": "x.ipynb"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment | PACKAGE)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_progress_is_silent_in_a_child_of_a_kernel(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CHILDREN)])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=60).execute(env=os.environ | PACKAGE)
    assert [output.get("text") for output in notebook.cells[0].outputs] == ["[0, 1, 2]\n"]


def test_audio_is_what_was_given(monkeypatch):
    shown = []
    monkeypatch.setattr(display, "display", lambda data, **_: shown.append(data))
    display.audio(torch.tensor([0.0, 0.5, -1.0], requires_grad=True), 8000, "three samples")
    sound = base64.b64decode(re.search("base64,([^\"]+)", shown[0]["text/html"])[1])
    with wave.open(io.BytesIO(sound)) as file:
        assert np.frombuffer(file.readframes(3), "<i2").tolist() == [0, 16384, -32767]
    assert shown[0]["text/plain"] == "three samples (0.00 s)"


def test_a_table_for_the_eye_and_for_the_test(monkeypatch):
    shown = []
    monkeypatch.setattr(display, "display", lambda data, **_: shown.append(data))
    display.table(["voice", "WER"], [["anna <b>", "1.5"], ["ben", "−12 %"]])
    assert shown[0]["text/plain"] == "voice       WER\nanna <b>    1.5\nben       −12 %"
    assert "<td>anna &lt;b&gt;</td><td class=number>1.5</td>" in shown[0]["text/html"]
    with pytest.raises(ValueError, match="rows: one with 1 entries came for 2 columns"):
        display.table(["voice", "WER"], [["anna"]])


def test_a_figure_says_how_small_its_smallest_print_is(monkeypatch):
    about = []
    monkeypatch.setattr(display, "display", lambda data, metadata, **_: about.append(metadata["image/png"]))
    fig, ax = plt.subplots(dpi=144)
    ax.set_axis_off()
    ax.text(0, 0, "small", fontsize=9)
    ax.text(0, 1, "hidden", fontsize=4, visible=False)
    display.show(fig, "a word")
    assert about == [{"alt": "a word", "print": 18.0}]
