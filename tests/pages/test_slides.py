"""Can every slide be read, by everybody, without a network?"""

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from notebook_checks import ROOT
from slide_checks import BARS, check_deck, keep, number_of_slides

LESSONS = sorted(path for path in (ROOT / "notebooks").glob("*.ipynb") if not path.stem.endswith("_solutions"))
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def render(notebook, deck):
    subprocess.run([sys.executable, ROOT / "templates/render_slides.py", notebook, deck], check=True)
    return deck


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_deck(lesson, browser, tmp_path):
    deck = render(lesson, tmp_path / f"{lesson.stem}.html")
    assert deck.stat().st_size <= 6e6
    if "ARTIFACTS" in os.environ:
        keep(browser, deck, Path(os.environ["ARTIFACTS"]) / "decks")
    assert check_deck(browser, deck) == []
    fewest, most = BARS["slides"]
    assert fewest <= number_of_slides(browser, deck) <= most


def slide(source, **metadata):
    return new_markdown_cell(source, metadata={"slideshow": {"slide_type": "slide"}, **metadata})


def subslide(source):
    return new_markdown_cell(source, metadata={"slideshow": {"slide_type": "subslide"}, "speaker_note": NOTE})


def code(source):
    return new_code_cell(source, execution_count=1, metadata={"tags": ["show-source"]})


def figure(picture=PIXEL, **metadata):
    output = new_output("display_data", data={"image/png": picture, "text/plain": "a dot"}, metadata=metadata)
    return new_code_cell("show(fig)", execution_count=1, outputs=[output])


def drawn(width, height, size):
    """A figure with one word in it, as `display.show` stores it."""
    fig = plt.figure(figsize=(width, height), dpi=110)
    fig.text(0.1, 0.5, "word", fontsize=size)
    file = io.BytesIO()
    fig.savefig(file, format="png")
    plt.close(fig)
    picture = base64.b64encode(file.getvalue()).decode()
    return figure(picture, **{"image/png": {"alt": "A word, and nothing beside it", "print": size * 110 / 72}})


NOTE = "Tell: all is well. Ask: what is missing?"
WORDS = "a bee sees " * 12
# Each defect on a slide of its own, with the kind of finding it must give.
DEFECTS = {
    "below the window": ("overflow", [slide("## Lines\n\n" + "\n".join(f"- line {i}" for i in range(30)))]),
    "right of the window": ("overflow", [slide('<p style="white-space: nowrap">' + "far and " * 40 + "</p>")]),
    "cut by an ancestor": ("overflow", [slide('<div style="height: 50px; overflow: hidden">one<br>two<br>three</div>')]),
    "a fragment that does not fit": ("overflow", [
        slide("- so\n" * 12),
        new_markdown_cell("- much\n" * 12, metadata={"slideshow": {"slide_type": "fragment"}}),
    ]),
    "small text": ("small text", [slide('## Small\n\n<p style="font-size: 26px">can you read this?</p>')]),
    "small code": ("small text", [slide('## Small\n\n<pre style="font-size: 18px">x = 1</pre>')]),
    "small print in a drawing": ("small print", [slide('## Small\n\n<svg viewBox="0 0 2000 400"><text y="50" font-size="20">word</text></svg>')]),
    "small print in a figure": ("small print", [slide("## Small"), drawn(10.8, 5, 9)]),
    "a figure of unknown print": ("small print", [slide("## Unknown"), figure(**{"image/png": {"alt": "A dot, and nothing beside it"}})]),
    "a small figure": ("small figure", [slide("## Small\n\n" + "- so\n" * 7), drawn(10.8, 5, 60)]),
    "no heading": ("heading", [slide("- a point")]),
    "two headings": ("heading", [slide("## One\n\n### Two")]),
    "a heading at the foot": ("heading", [slide("- a point\n- a point\n- a point\n- a point\n- a point\n\n## Finding")]),
    "much to read": ("prose", [slide(f"## Much\n\n> {WORDS}")]),
    "a table full of words": ("words", [slide("## Table\n\n| a | b |\n|---|---|\n" + "| one and two | three and four |\n" * 11)]),
    "long code": ("code", [slide("## Code"), code("\n".join(f"x{i} = {i}" for i in range(11)))]),
    "wide code": ("code", [slide("## Code"), code("x = " + " + ".join("1" * 20))]),
    "code that prints": ("code", [slide("## Code"), code("for i in range(3):\n    print(i)")]),
    "code that asserts": ("code", [slide("## Code"), code("if True:\n    assert True")]),
    "nothing at a click": ("empty click", [
        slide("## Click"), new_markdown_cell("only said", metadata={"slideshow": {"slide_type": "fragment"}}),
    ]),
    "no alternative text": ("alt", [slide("## Figure"), figure()]),
    "a broken picture": ("picture", [slide('<img alt="nothing to be seen here" src="data:image/png;base64,AAAA">')]),
    "raw mathematics": ("math", [slide("> so $$ x = 1 was forgotten")]),
    "wrong mathematics": ("math", [slide(r"> $\frac{1}$")]),
    "pale text": ("axe", [slide('<p style="color: #bbbbbb">pale</p>')]),
    "nothing for the lecturer to say": ("notes", [slide("## A slide without notes")]),
    "a network request": ("request", [slide('<img alt="a picture from far away" src="http://192.0.2.1/far.png">')]),
    "a script that fails": ("console", [slide("## Script\n\n<script>nowhere.to.be.found</script>")]),
}
GOOD = [
    slide("# A good slide\n\nWhat is only said.\n\n$$x^2$$\n\n> a question\n\n| a | b |\n|---|---|\n| 1 | 2 |", speaker_note=NOTE),
    subslide("### Code"),
    code('x = 1\nprint(x, "which is long")\nassert x == 1'),
    subslide("### A figure"),
    drawn(10.8, 5.1, 15),
]


@pytest.fixture(scope="module")
def findings(browser, tmp_path_factory):
    """What the checker says about a deck with one good slide and one for each defect."""
    folder = tmp_path_factory.mktemp("defects")
    cells = GOOD + [cell for _, cells in DEFECTS.values() for cell in cells]
    nbformat.write(new_notebook(cells=cells), folder / "defects.ipynb")
    return check_deck(browser, render(folder / "defects.ipynb", folder / "defects.html"))


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(defect, findings):
    kind = DEFECTS[defect][0]
    number = None if kind in ("request", "console") else list(DEFECTS).index(defect) + 4
    assert (kind, number) in {(finding.kind, finding.slide) for finding in findings}


def test_good_slides_have_no_findings(findings):
    assert [finding for finding in findings if finding.slide in (1, 2, 3)] == []


def test_what_is_said_is_not_shown(browser, tmp_path):
    nbformat.write(new_notebook(cells=GOOD), tmp_path / "good.ipynb")
    page = browser.new_page()
    page.goto(render(tmp_path / "good.ipynb", tmp_path / "good.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    shown = "() => Reveal.getCurrentSlide().innerText"
    assert "a question" in page.evaluate(shown) and "only said" not in page.evaluate(shown)
    page.keyboard.press("ArrowRight")
    assert "x = 1" in page.evaluate(shown) and "print" not in page.evaluate(shown)
    page.close()


@pytest.fixture(scope="module")
def shortest_deck(tmp_path_factory):
    return render(LESSONS[0], tmp_path_factory.mktemp("deck") / "deck.html")


def test_the_speaker_view_shows_the_notes(shortest_deck, browser):
    notebook = nbformat.read(LESSONS[0], as_version=4)
    first, second = [cell.metadata.speaker_note for cell in notebook.cells if "speaker_note" in cell.metadata][:2]
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(shortest_deck.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    with context.expect_page() as opened:
        page.keyboard.press("s")
    notes = opened.value.locator(".speaker-controls-notes .value")
    notes.filter(has_text=first[-30:]).wait_for()
    page.keyboard.press("ArrowRight")
    notes.filter(has_text=second[-30:]).wait_for()
    context.close()


def test_keys_go_through_everything_in_order(shortest_deck, browser):
    """Slides and fragments, one after the other; opening the speaker view takes none back."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(shortest_deck.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    clicks = page.evaluate("Reveal.getTotalSlides() - 1 + document.querySelectorAll('.slides .fragment').length")
    places, opened = [], False
    for _ in range(clicks):
        page.keyboard.press("Space")
        places.append(page.evaluate("(() => { const at = Reveal.getIndices(); return [at.h, at.v || 0, at.f ?? -1]; })()"))
        if not opened and places[-1][2] >= 0:
            with context.expect_page() as speaker:
                page.keyboard.press("s")
            speaker.value.wait_for_timeout(1500)
            assert page.evaluate("Reveal.getIndices().f") == places[-1][2]
            speaker.value.close()
            opened = True
    assert places == sorted(places) and len(set(map(tuple, places))) == clicks and opened
    assert page.evaluate("Reveal.isLastSlide()")
    context.close()


def test_printing_gives_one_page_a_slide(shortest_deck, browser):
    page = browser.new_page()
    page.goto(shortest_deck.as_uri() + "?print-pdf")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.wait_for_selector(".pdf-page")
    page.emulate_media(media="print")
    slides = page.evaluate("Reveal.getTotalSlides()")
    cut = page.evaluate("""[...document.querySelectorAll(".pdf-page")].filter(sheet => [...sheet.querySelectorAll("p, li, pre, img, audio, td")]
      .some(node => node.checkVisibility() && node.getBoundingClientRect().bottom > sheet.getBoundingClientRect().bottom)).length""")
    pages = len(re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True)))
    assert (page.locator(".pdf-page").count(), pages, cut) == (slides, slides, 0)
    named = page.evaluate("""[...document.querySelectorAll(".pdf-page")].filter(sheet => [...sheet.querySelectorAll("h1, h2, .where")]
      .some(node => node.checkVisibility())).length""")
    assert named == slides  # each says which section it belongs to
    page.close()
