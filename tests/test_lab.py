"""JupyterLab for real: every lesson is opened in Chromium, first untrusted, then Run All.

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
DONE = """() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === "idle"
  && [...jupyterapp.shell.currentWidget.content.model.cells].every(
    cell => cell.type !== "code" || !cell.sharedModel.source.trim() || (cell.executionCount && cell.executionState !== "running"))"""
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
    """The address of a JupyterLab on a copy of the notebooks, as in a fresh clone: nothing is trusted yet."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns("slides", "__pycache__", ".ipynb_checkpoints"))
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
        yield address
    finally:
        server.terminate()
        server.wait(timeout=60)


@pytest.mark.parametrize("lesson", LESSONS)
def test_run_all(lesson, browser, lab, tmp_path):
    stored = nbformat.read(ROOT / "notebooks" / lesson, as_version=4)
    pictures = [i for i, cell in enumerate(stored.cells) if any("image/png" in o.get("data", {}) for o in cell.get("outputs", []))]
    interactive = figures_of(stored)
    where = {name: i for i, cell in enumerate(stored.cells) for name in interactive if f"interactive.{name}(" in cell.source}
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    page = context.new_page()
    page.goto(f"{lab}/lab/tree/{lesson}?reset", wait_until="domcontentloaded")
    page.wait_for_function(READY, timeout=120_000)

    # A fresh clone is not trusted: scripts do not run, and the static pictures stand in.
    assert not page.evaluate("() => jupyterapp.shell.currentWidget.content.model.cells.get(1).trusted")
    for i in pictures + list(where.values()):
        assert any(kind == "img" and width > 300 for kind, _, width in page.evaluate(LOOK, i)), f"cell {i}"
    for name, i in where.items():
        assert page.evaluate(LOOK, i)[0][1] in interactive[name][0].replace("&#x27;", "'")
    assert page.locator(".asr-figure .bar").count() == 0

    page.wait_for_function("() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'", timeout=120_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(DONE, timeout=3_600_000, polling=500)
    cells = page.evaluate(MODEL)
    written = [cell for cell in cells if "".join(cell["source"]).strip()]
    assert [cell["execution_count"] for cell in written] == list(range(1, len(written) + 1))
    for cell in cells:
        demanded = "raises-exception" in cell["metadata"].get("tags", [])
        kinds = {output["output_type"] for output in cell["outputs"]} | {output.get("name") for output in cell["outputs"]}
        assert ("error" in kinds) == demanded and "stderr" not in kinds, (cell["source"], cell["outputs"])

    for i in pictures:
        assert any(kind == "img" and width > 300 for kind, _, width in page.evaluate(LOOK, i)), f"cell {i}"
    artifacts = Path(os.environ.get("ARTIFACTS") or tmp_path)
    artifacts.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=artifacts / f"lab-{lesson.removesuffix('.ipynb')}.png")
    for name, i in where.items():
        page.evaluate(LOOK, i)
        PLAY[name](page.locator(f'.asr-figure[data-figure="{name}"]'), interactive[name][1])
        page.screenshot(path=artifacts / f"lab-{lesson.removesuffix('.ipynb')}-{name}.png")
    context.close()
