"""Can every lesson be read as a web page, by everybody, at any width, without a network?"""

import re
import subprocess
import sys

import pytest
from axe_playwright_python.sync_playwright import Axe

from notebook_checks import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS] + ["index"]
WIDTHS = 390, 1280
# What a reader would miss: text beside the screen, pictures without alt text, formulas that are none.
LOOK = """() => {
  const found = [], inside = node => node.closest("pre, .code, .scroll, .wide, .text > table, mjx-container, svg");
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page is wider than the screen");
  for (const node of document.querySelectorAll("main *, nav *"))
    if (!inside(node) && node.checkVisibility() && node.getBoundingClientRect().right > innerWidth + 1) found.push("beside the screen: " + node.outerHTML.slice(0, 80));
  for (const node of document.querySelectorAll("img")) {
    if (!(node.alt || "").trim() || /no description has been provided/i.test(node.alt)) found.push("no alt text: " + node.outerHTML.slice(0, 80));
    if (!node.complete || !node.naturalWidth) found.push("no picture: " + node.alt);
  }
  for (const node of document.querySelectorAll("[data-mml-node=merror]")) found.push("formula: " + node.textContent);
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!node.closest("pre, code, svg, script, style, mjx-container") && /\\$[^$]+\\$/.test(texts.currentNode.data)) found.push("raw formula: " + texts.currentNode.data);
    if (node.checkVisibility() && parseFloat(getComputedStyle(node).fontSize) < 15 && !node.closest("mjx-container, svg")) found.push("small: " + texts.currentNode.data);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "pages"
    subprocess.run([sys.executable, ROOT / "templates/render_pages.py", folder, *NOTEBOOKS], check=True)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_page(name, folder, browser):
    requests = []
    for width in WIDTHS:
        page = browser.new_page(viewport={"width": width, "height": 844})
        address = (folder / f"{name}.html").as_uri()
        page.on("request", lambda request, own=address: None if request.url.startswith((own, "data:", "blob:")) else requests.append(request.url))
        page.goto(address)
        if name != "index":
            page.wait_for_function("window.MathJax?.startup?.promise")
            page.evaluate("MathJax.startup.promise.then(() => true)")
        assert page.evaluate(LOOK) == []
        violations = Axe().run(page).response["violations"]
        assert [(rule["id"], node["html"][:90]) for rule in violations for node in rule["nodes"]] == []
        page.close()
    assert requests == []


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name, folder):
    text = re.sub(r"<script.*?</script>", "", (folder / f"{name}.html").read_text(encoding="utf-8"), flags=re.DOTALL)
    for address in re.findall(r'<a [^>]*?href="([^"#]+)', text):
        deck = re.fullmatch(r"\.\./slides/(\w+)\.html", address)
        assert re.match(r"https?:|mailto:", address) or (folder / address).is_file() or deck and ROOT / f"notebooks/{deck[1]}.ipynb" in NOTEBOOKS, address


def test_a_lesson_does_not_hold_its_solutions(folder):
    for path in NOTEBOOKS:
        if path.stem.endswith("_solutions"):
            lesson = (folder / f"{path.stem.removesuffix('_solutions')}.html").read_text(encoding="utf-8")
            assert f'href="{path.stem}.html"' in lesson
            assert "raise NotImplementedError" in re.sub(r"<[^>]+>", "", lesson)
