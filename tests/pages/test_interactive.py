"""Do the interactive figures answer, by mouse and keyboard, in slides and in an HTML page, with Python's numbers?"""

import re
import subprocess
import sys

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook, new_output

from asr_losses import interactive
from interactive_checks import PLAY, figures_of, touch
from notebook_checks import ROOT

MOST_BYTES = 100_000
LESSON_OF = {
    "collapse": "10_ctc_loss", "training": "11_ctc_training", "lattice": "10_ctc_loss", "masks": "21_encoder_decoder",
    "transducer": "30_transducer_loss",
}


def notebook_of(name):
    return ROOT / f"notebooks/{LESSON_OF[name]}.ipynb"


@pytest.fixture(scope="module", params=PLAY)
def figure(request):
    """(name, HTML, values) of one interactive figure as the notebook stores it."""
    html, data = figures_of(nbformat.read(notebook_of(request.param), as_version=4))[request.param]
    return request.param, html, data


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder with the lessons as slides, LESSON-slides.html, and as web pages, LESSON-page.html."""
    folder = tmp_path_factory.mktemp("pages")
    notebooks = [ROOT / f"notebooks/{lesson}.ipynb" for lesson in set(LESSON_OF.values())]
    subprocess.run([sys.executable, ROOT / "templates/render_pages.py", folder, *notebooks], check=True)
    for notebook in notebooks:
        (folder / f"{notebook.stem}.html").rename(folder / f"{notebook.stem}-page.html")
        slides = folder / f"{notebook.stem}-slides.html"
        subprocess.run([sys.executable, ROOT / "templates/render_slides.py", notebook, slides], check=True)
    return folder


def test_small_and_self_contained(figure):
    name, html, _ = figure
    assert len(re.sub(r"data:audio[^\"]+", "", html).encode()) < MOST_BYTES
    assert not re.search(r"\b(?:src|href)=\"(?!data:)|\bfetch\(|\bimport\(|XMLHttpRequest", html)
    assert not re.search(r"https?://(?!www\.w3\.org)", html)


def test_the_static_picture_says_what_it_shows(figure):
    _, html, _ = figure
    assert len(re.search(r'<img alt="([^"]+)"', html)[1]) in range(30, 601)


@pytest.mark.parametrize("kind", ["slides", "page"])
def test_answers(figure, kind, pages, browser):
    name, _, data = figure
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((pages / f"{LESSON_OF[name]}-{kind}.html").as_uri(), wait_until="domcontentloaded")
    shown = page.locator(f'.asr-figure[data-figure="{name}"]')
    if kind == "slides":
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        place = shown.evaluate("node => { const at = Reveal.getIndices(node.closest('section')); Reveal.slide(at.h, at.v, 999); return at; }")
    PLAY[name](shown, data)
    if kind == "slides":  # the keys that were pressed were the figure's, not the deck's
        assert page.evaluate("Reveal.getIndices().h") == place["h"] and page.evaluate("Reveal.getIndices().v") == place["v"]
        assert errors == []
        page.keyboard.press("Escape")  # gives the keyboard back to the slides
        page.keyboard.press("ArrowRight")
        assert page.evaluate("[Reveal.getIndices().h, Reveal.getIndices().v]") != [place["h"], place["v"]]
    context.close()


def test_on_a_phone(figure, pages, browser):
    name, _, data = figure
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, offline=True)
    page = context.new_page()
    page.goto((pages / f"{LESSON_OF[name]}-page.html").as_uri(), wait_until="domcontentloaded")
    shown = page.locator(f'.asr-figure[data-figure="{name}"]')
    assert shown.bounding_box()["width"] <= 390
    assert shown.evaluate("node => [...node.querySelectorAll('button, input, output')].every(part => part.getBoundingClientRect().right <= 391)")
    touch(shown, data, name)
    context.close()


def test_without_scripts_the_picture_stays(figure, pages, browser):
    name, _, _ = figure
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto((pages / f"{LESSON_OF[name]}-page.html").as_uri(), wait_until="domcontentloaded")
    picture = page.locator(f'.asr-figure[data-figure="{name}"] > img')
    assert picture.is_visible() and picture.bounding_box()["width"] > 400
    context.close()


def test_transducers_of_random_lattices(browser, monkeypatch, float64):
    """One frame and several, more labels than frames, an arc that nobody takes, a space in the text."""
    lattices = {}
    for T, text in ((1, "a"), (1, "abc"), (4, "a"), (3, "a b"), (9, "three"), (30, "seven")):
        p = (2 * torch.randn(T, len(text) + 1, 4)).log_softmax(2)
        lattices[f"{text}, {T}"] = text, p[..., 0], p[:, :-1, 1].clone()
    lattices["three, 9"][2][:2, 0] = -torch.inf
    shown = []
    monkeypatch.setattr(interactive, "display", lambda data, raw: shown.append(new_output("display_data", data)))
    interactive.transducer(lattices)
    html, data = figures_of(new_notebook(cells=[new_code_cell(outputs=shown)]))["transducer"]
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.set_content(html)
    PLAY["transducer"](page.locator(".asr-figure"), data)
    page.close()
