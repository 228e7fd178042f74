"""Walks through a deck in Chromium and lists what an audience, or the lecturer, would stumble over."""

import shutil
from collections import namedtuple
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe

SIZES = (1280, 720), (1920, 1080)
SMALLEST_TEXT = 14  # pixels
MOST_SLIDES = 30  # a deck is a talk, not the notebook scrolled
BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# A deck is one page for axe, whatever slide is shown; its heading of level one is on the title slide.
AXE_OPTIONS = {"rules": {"page-has-heading-one": {"enabled": False}}}
ARGUMENTS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()

Finding = namedtuple("Finding", "kind slide detail")  # slide: counted from 1, or None for the page

# Everything that can be read, seen or pressed on the current slide, against the window and
# against every ancestor that cuts off what leaves it.
LOOK = """([smallest]) => {
  const slide = Reveal.getCurrentSlide(), found = [];
  const add = (kind, detail) => found.push([kind, detail.trim().slice(0, 90)]);
  const inside = (rect, box) => rect.left >= box.left - 1 && rect.top >= box.top - 1
    && rect.right <= box.right + 1 && rect.bottom <= box.bottom + 1;
  const foot = [...document.querySelectorAll(".where, .slide-number")].filter(node => node.textContent.trim() && node.checkVisibility());
  const window_box = {left: 0, top: 0, right: innerWidth, bottom: Math.min(innerHeight, ...foot.map(node => node.getBoundingClientRect().top))};
  const is_cut = (rect, box) => {
    if (!inside(rect, window_box)) return true;
    for (; box && box !== document.body; box = box.parentElement)
      if (getComputedStyle(box).overflow !== "visible" && !inside(rect, box.getBoundingClientRect())) return true;
    return false;
  };
  const hidden = node => node.closest("mjx-assistive-mml, .notes, script, style") || !node.checkVisibility();

  const texts = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, node = text.parentElement;
    if (!text.data.trim() || hidden(node)) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    if ([...range.getClientRects()].some(rect => is_cut(rect, node))) add("overflow", text.data);
    const scale = node.getBoundingClientRect().width / (node.offsetWidth || 1) || 1;
    if (parseFloat(getComputedStyle(node).fontSize) * (node.offsetWidth ? scale : Reveal.getScale()) < smallest - 0.01)
      add("small text", text.data);
    if (!node.closest("pre, code, svg") && /\\$\\$|\\$[^$]+\\$|\\\\[(\\[]|\\\\begin/.test(text.data)) add("math", text.data);
  }
  for (const node of slide.querySelectorAll("img, svg, canvas, audio, video, iframe, button, input, select, mjx-container")) {
    if (hidden(node)) continue;
    if (is_cut(node.getBoundingClientRect(), node.parentElement)) add("overflow", `<${node.localName}> ${node.getAttribute("alt") || ""}`);
  }
  for (const node of slide.querySelectorAll("img")) {
    const alt = node.getAttribute("alt") || "";
    if (!alt.trim() || /no description has been provided/i.test(alt)) add("alt", node.src);
    if (!node.complete || !node.naturalWidth) add("picture", node.src);
  }
  for (const node of slide.querySelectorAll("[data-mml-node=merror]")) add("math", node.textContent);
  if ([...slide.querySelectorAll("aside.notes")].map(node => node.textContent.trim()).join("").length < 20) add("notes", slide.textContent);
  return found;
}"""


def browser_path():
    """Where Chromium or Chrome is installed, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def launch(playwright):
    return playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)


def check_deck(browser, deck):
    """All findings in the deck (a path), at both window sizes, with all fragments shown."""
    findings = []
    for size in SIZES:
        findings += _check_at(browser, Path(deck), size)
    return list(dict.fromkeys(findings))


def _check_at(browser, deck, size):
    findings = []
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, offline=True)
    page = context.new_page()
    address = deck.resolve().as_uri()
    page.on("request", lambda request: None if request.url.startswith(("data:", "blob:", address))
            else findings.append(Finding("request", None, request.url)))
    page.on("console", lambda message: findings.append(Finding("console", None, message.text)) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: findings.append(Finding("console", None, str(error))))
    page.goto(address)
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.evaluate("document.fonts.ready.then(() => true)")
    places = page.evaluate("Reveal.getSlides().map(slide => { const at = Reveal.getIndices(slide); return [at.h, at.v]; })")
    for number, place in enumerate(places, 1):
        page.evaluate("([h, v]) => Reveal.slide(h, v, 999)", place)
        findings += [Finding(kind, number, detail) for kind, detail in page.evaluate(LOOK, [SMALLEST_TEXT])]
        if size == SIZES[0]:
            for violation in Axe().run(page, options=AXE_OPTIONS).response["violations"]:
                findings += [Finding("axe", number, f"{violation['id']}: {node['html'][:90]}") for node in violation["nodes"]]
    if not 1 <= len(places) <= MOST_SLIDES:
        findings.append(Finding("slides", None, f"{len(places)} slides, expected 1 to {MOST_SLIDES}"))
    context.close()
    return findings
