"""Can every slide be read, by everybody, without a network?"""

import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from notebook_checks import ROOT
from slide_checks import check_deck

LESSONS = sorted(path for path in (ROOT / "notebooks").glob("*.ipynb") if not path.stem.endswith("_solutions"))
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def render(notebook, deck):
    subprocess.run([sys.executable, ROOT / "templates/render_slides.py", notebook, deck], check=True)
    return deck


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_deck(lesson, browser, tmp_path):
    deck = render(lesson, tmp_path / f"{lesson.stem}.html")
    assert deck.stat().st_size <= 6e6
    assert check_deck(browser, deck) == []


def slide(source, **metadata):
    return new_markdown_cell(source, metadata={"slideshow": {"slide_type": "slide"}, **metadata})


def figure(**metadata):
    output = new_output("display_data", data={"image/png": PIXEL, "text/plain": "a dot"}, metadata=metadata)
    return new_code_cell("show(fig)", execution_count=1, outputs=[output])


# Each defect on a slide of its own, with the kind of finding it must give.
DEFECTS = {
    "below the window": ("overflow", [slide("\n\n".join(f"line {i}" for i in range(30)))]),
    "right of the window": ("overflow", [slide('<p style="white-space: nowrap">' + "far and " * 40 + "</p>")]),
    "cut by an ancestor": ("overflow", [slide('<div style="height: 50px; overflow: hidden">one<br>two<br>three</div>')]),
    "a fragment that does not fit": ("overflow", [
        slide("- so\n" * 14),
        new_markdown_cell("much " * 200, metadata={"slideshow": {"slide_type": "fragment"}}),
    ]),
    "small text": ("small text", [slide('<span style="font-size: 12px">can you read this?</span>')]),
    "no alternative text": ("alt", [slide("## Figure"), figure()]),
    "a broken picture": ("picture", [slide('<img alt="nothing to be seen here" src="data:image/png;base64,AAAA">')]),
    "raw mathematics": ("math", [slide("so $$ x = 1 was forgotten")]),
    "wrong mathematics": ("math", [slide(r"$\frac{1}$")]),
    "pale text": ("axe", [slide('<span style="color: #bbbbbb">pale</span>')]),
    "nothing for the lecturer to say": ("notes", [slide("## A slide without notes")]),
    "a network request": ("request", [slide('<img alt="a picture from far away" src="http://192.0.2.1/far.png">')]),
    "a script that fails": ("console", [slide("## Script\n\n<script>nowhere.to.be.found</script>")]),
}
GOOD = [slide("# A good slide\n\n$x^2$ and `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |", speaker_note="Tell: all is well. Ask: what is missing?"), figure(**{"image/png": {"alt": "A dot, and nothing beside it"}})]


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
    number = None if kind in ("request", "console") else list(DEFECTS).index(defect) + 2
    assert (kind, number) in {(finding.kind, finding.slide) for finding in findings}


def test_a_good_slide_has_no_findings(findings):
    assert [finding for finding in findings if finding.slide == 1] == []


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
    page.close()
