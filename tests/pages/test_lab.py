"""JupyterLab for real: every lesson is opened in Chromium, first untrusted, then run.

A lesson that trains is run up to the first cell that trains for minutes (tag `trains`; nbval runs all of it). What it
draws behind that cell is played as it is stored, in a notebook that is trusted.

Screenshots are kept in the folder that the variable ARTIFACTS names (else in pytest's temporary one).
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

from interactive_checks import PLAY, figures_of
from notebook_checks import ROOT

LESSONS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb") if not path.stem.endswith("_solutions"))
# In the page: what JupyterLab holds of the notebook. Cells out of sight are not in the page, but in this model.
MODEL = """() => [...jupyterapp.shell.currentWidget.content.model.cells].filter(cell => cell.type === "code").map(cell => cell.toJSON())"""
READY = """() => window.jupyterapp && jupyterapp.shell.currentWidget?.content?.model?.cells.length > 1
  && jupyterapp.shell.currentWidget.context.isReady"""
# In the page: are the cells above number `end` run?
DONE = """end => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === "idle"
  && [...jupyterapp.shell.currentWidget.content.model.cells].slice(0, end).every(
    cell => cell.type !== "code" || !cell.sharedModel.source.trim() || (cell.executionCount && cell.executionState !== "running"))"""
RUN_ABOVE = """end => { jupyterapp.shell.currentWidget.content.activeCellIndex = end;
  jupyterapp.commands.execute("notebook:run-all-above"); }"""
# Brings cell number i into view and waits until each picture in it is there.
LOOK = """async i => {
  const notebook = jupyterapp.shell.currentWidget.content;
  await notebook.scrollToItem(i, "start");
  const node = notebook.widgets[i].node;
  const seen = () => [...node.querySelectorAll(".jp-OutputArea-output img, .jp-OutputArea-output svg")];
  for (let n = 0; n < 100 && !(seen().length && seen().every(p => p.localName === "svg" || p.naturalWidth)); n++)
    await new Promise(resolve => setTimeout(resolve, 50));
  return seen().map(p => [p.localName, p.getAttribute("alt") || "", Math.round(p.getBoundingClientRect().width)]);
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on a copy of the notebooks, as in a fresh clone, where nothing is trusted yet: its address, and a
    function that makes it trust a lesson.
    """
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns("slides", "pages", "__pycache__", ".ipynb_checkpoints"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "ip": "127.0.0.1", "port": port, "ServerApp.port_retries": 0, "IdentityProvider.token": "", "ServerApp.password": "",
        "ServerApp.root_dir": folder / "notebooks", "LabApp.news_url": "", "LabApp.expose_app_in_browser": True,
        "LabApp.extension_manager": "readonly",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *(f"--{key}={value}" for key, value in options.items())]
    own = {f"JUPYTER_{kind}_DIR": str(folder / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces")}
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api/status", timeout=5)
                break
            except OSError:
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.5)
        yield address, lambda lesson: subprocess.run(
            [sys.executable, "-m", "nbformat.sign", folder / "notebooks" / lesson], env=os.environ | own, check=True
        )
    finally:
        server.terminate()
        server.wait(timeout=60)


def figures_in(stored):
    """`{name: number of the cell}` of the interactive figures."""
    return {name: i for i, cell in enumerate(stored.cells) for name in figures_of(stored) if f"interactive.{name}(" in cell.source}


def open_lesson(browser, address, lesson):
    page = browser.new_context(viewport={"width": 1600, "height": 1000}).new_page()
    page.goto(f"{address}/lab/tree/{lesson}?reset", wait_until="domcontentloaded")
    page.wait_for_function(READY, timeout=120_000)
    return page


def has_pictures(page, numbers):
    return all(any(kind == "img" and width > 300 for kind, _, width in page.evaluate(LOOK, i)) for i in numbers)


def play(page, stored, names, folder, lesson):
    """Plays with the interactive figures `names`, and keeps a picture of each."""
    artifacts = Path(os.environ.get("ARTIFACTS") or folder)
    artifacts.mkdir(parents=True, exist_ok=True)
    for name in names:
        page.evaluate(LOOK, figures_in(stored)[name])
        PLAY[name](page.locator(f'.asr-figure[data-figure="{name}"]'), figures_of(stored)[name][1])
        page.screenshot(path=artifacts / f"lab-{lesson.removesuffix('.ipynb')}-{name}.png")


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_in_jupyterlab(lesson, browser, lab, tmp_path):
    address, trust = lab
    stored = nbformat.read(ROOT / "notebooks" / lesson, as_version=4)
    training = [i for i, cell in enumerate(stored.cells) if "trains" in cell.metadata.get("tags", [])]
    end = training[0] if training else len(stored.cells)
    pictures = [i for i, cell in enumerate(stored.cells) if any("image/png" in o.get("data", {}) for o in cell.get("outputs", []))]
    where = figures_in(stored)
    page = open_lesson(browser, address, lesson)

    # A fresh clone is not trusted: scripts do not run, and the static pictures stand in.
    assert not page.evaluate("() => jupyterapp.shell.currentWidget.content.model.cells.get(1).trusted")
    assert has_pictures(page, pictures + list(where.values()))
    for name, i in where.items():
        assert page.evaluate(LOOK, i)[0][1] in figures_of(stored)[name][0].replace("&#x27;", "'")
    assert page.locator(".asr-figure .bar").count() == 0

    page.wait_for_function("() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'", timeout=120_000)
    if training:
        page.evaluate(RUN_ABOVE, end)
    else:
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(DONE, arg=end, timeout=600_000, polling=500)
    cells = [cell for cell in page.evaluate(MODEL) if "".join(cell["source"]).strip()]
    cells = cells[: sum(cell.cell_type == "code" for cell in stored.cells[:end])]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        demanded = "raises-exception" in cell["metadata"].get("tags", [])
        kinds = {output["output_type"] for output in cell["outputs"]} | {output.get("name") for output in cell["outputs"]}
        assert ("error" in kinds) == demanded and "stderr" not in kinds, (cell["source"], cell["outputs"])
    assert has_pictures(page, [i for i in pictures if i < end])
    play(page, stored, [name for name, i in where.items() if i < end], tmp_path, lesson)
    page.context.close()

    behind = [name for name, i in where.items() if i > end]
    if behind:
        trust(lesson)
        page = open_lesson(browser, address, lesson)
        play(page, stored, behind, tmp_path, lesson)
        page.context.close()
