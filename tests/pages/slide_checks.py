"""Walks through a deck in Chromium and lists what an audience, or the lecturer, would stumble over."""

import base64
import shutil
from collections import namedtuple
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe

SIZES = (1280, 720), (1920, 1080)
# What can be read from the back row, while somebody speaks: words, lines, and pixels of a window of 1280 x 720.
BARS = {
    "slides": [15, 30], "prose": 30, "words": 60, "body": 32, "code": 24, "table": 32, "print": 18, "least": 18,
    "lines": 10, "columns": 75,
}
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
LOOK = """bars => {
  const slide = Reveal.getCurrentSlide(), found = [];
  const add = (kind, detail) => found.push([kind, detail.trim().slice(0, 90)]);
  const inside = (rect, box) => rect.left >= box.left - 1 && rect.top >= box.top - 1
    && rect.right <= box.right + 1 && rect.bottom <= box.bottom + 1;
  const foot = [...slide.querySelectorAll(".where"), ...document.querySelectorAll(".slide-number")].filter(node => node.textContent.trim() && node.checkVisibility());
  const window_box = {left: 0, top: 0, right: innerWidth, bottom: Math.min(innerHeight, ...foot.map(node => node.getBoundingClientRect().top))};
  const is_cut = (rect, box) => {
    if (!inside(rect, window_box)) return true;
    for (; box && box !== document.body; box = box.parentElement)
      if (getComputedStyle(box).overflow !== "visible" && !inside(rect, box.getBoundingClientRect())) return true;
    return false;
  };
  const hidden = node => node.closest("mjx-assistive-mml, .notes, script, style, .where") || !node.checkVisibility();

  const small = (text, node) => {
    const size = parseFloat(getComputedStyle(node).fontSize);
    if (node.closest("svg")) {
      const shown = node.closest("svg"), scale = shown.getBoundingClientRect().width / (shown.viewBox.baseVal.width || shown.clientWidth) / Reveal.getScale();
      if (size * scale < bars.print - 0.05) add("small print", `${(size * scale).toFixed(1)} pixels: ${text.data}`);
    } else {
      const kind = node.closest(".asr-figure") ? "print" : node.closest("pre, code") ? "code" : node.closest("td, th") ? "table"
        : node.closest(".where, figcaption") ? "least" : "body";
      if (size < bars[kind] - 0.01) add("small text", `${size} pixels: ${text.data}`);
    }
  };

  const measure = () => {
    const words = nodes => [...nodes].map(node => {
      const copy = node.cloneNode(true);
      copy.querySelectorAll("mjx-container, .notes, .asr-figure, pre, svg, script, style, .where").forEach(part => part.remove());
      return copy.textContent;
    }).join(" ").split(/\\s+/).filter(word => /[\\w\\p{L}]/u.test(word)).length;
    const prose = words([...slide.querySelectorAll("p, li, blockquote")].filter(node => !node.closest(".notes, .asr-figure, table") && !node.parentElement.closest("p, li, blockquote")));
    if (prose > bars.prose) add("prose", `${prose} words`);
    if (words([slide]) > bars.words) add("words", `${words([slide])} words`);
    const headings = [...slide.querySelectorAll("h1, h2, h3")].filter(node => !node.closest(".notes")), heading = headings[0];
    if (!heading || headings.length > 1 || heading.getBoundingClientRect().top > innerHeight / 3)
      add("heading", `${headings.length} headings: ${slide.textContent}`);
    for (const node of slide.querySelectorAll(".code pre, .text pre")) {
      const lines = node.textContent.replace(/\\n+$/, "").split("\\n"), filled = lines.filter(line => line.trim());
      if (filled.length > bars.lines) add("code", `${filled.length} lines: ${lines[0]}`);
      for (const line of lines) if (line.length > bars.columns) add("code", `${line.length} columns: ${line}`);
      for (const line of lines) if (/^\\s*(print|assert)\\b/.test(line)) add("code", line);
    }
    for (const node of slide.querySelectorAll(".fragment")) if (!node.innerText.trim() && !node.querySelector("img, svg, audio, table, .asr-figure")) add("empty click", slide.textContent);
    for (const node of slide.querySelectorAll(".output > img")) {
      const box = node.getBoundingClientRect(), scale = Math.min(box.width / node.naturalWidth, box.height / node.naturalHeight) / Reveal.getScale();
      const print = parseFloat(node.dataset.print) * scale;
      if (!(print >= bars.print - 0.05)) add("small print", `${print.toFixed(1)} pixels: ${node.alt}`);
      if (scale * node.naturalWidth < 1000 && scale * node.naturalHeight < 480) add("small figure", `${(scale * node.naturalWidth).toFixed()} x ${(scale * node.naturalHeight).toFixed()}: ${node.alt}`);
    }
  };

  const texts = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, node = text.parentElement;
    if (!text.data.trim() || hidden(node)) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    if ([...range.getClientRects()].some(rect => is_cut(rect, node))) add("overflow", text.data);
    if (bars && !node.closest("mjx-container")) small(text, node);
    if (!node.closest("pre, code, svg") && /\\$\\$|\\$[^$]+\\$|\\\\[(\\[]|\\\\begin/.test(text.data)) add("math", text.data);
  }
  for (const node of slide.querySelectorAll("img, svg, canvas, audio, video, iframe, button, input, select, mjx-container")) {
    if (hidden(node)) continue;
    if (is_cut(node.getBoundingClientRect(), node.parentElement)) add("overflow", `<${node.localName}> ${node.getAttribute("alt") || ""}`);
  }
  if (bars) measure();
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


def keep(browser, deck, folder):
    """Writes the deck as a PDF, one slide a page, and its contact sheet, all slides in one picture, into `folder`."""
    deck, folder = Path(deck), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(deck.resolve().as_uri() + "?print-pdf")
    page.wait_for_selector(".pdf-page")
    page.pdf(path=folder / f"{deck.stem}.pdf", prefer_css_page_size=True, print_background=True)
    page.goto(deck.resolve().as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    slides = []
    for place in page.evaluate("Reveal.getSlides().map(slide => { const at = Reveal.getIndices(slide); return [at.h, at.v]; })"):
        page.evaluate("([h, v]) => Reveal.slide(h, v, 999)", place)
        slides.append(base64.b64encode(page.screenshot(type="jpeg", quality=80)).decode())
    pictures = "".join(f'<img width="640" src="data:image/jpeg;base64,{slide}">' for slide in slides)
    page.set_viewport_size({"width": 1940, "height": 400})
    page.set_content(f'<body style="margin: 0; display: grid; grid-template-columns: repeat(3, 640px); gap: 10px; background: #595959">{pictures}')
    page.screenshot(path=folder / f"{deck.stem}.jpeg", type="jpeg", quality=80, full_page=True)
    page.close()


def number_of_slides(browser, deck):
    page = browser.new_page()
    page.goto(Path(deck).resolve().as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    count = page.evaluate("Reveal.getTotalSlides()")
    page.close()
    return count


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
        findings += [Finding(kind, number, detail) for kind, detail in page.evaluate(LOOK, BARS if size == SIZES[0] else None)]
        if size == SIZES[0]:
            for violation in Axe().run(page, options=AXE_OPTIONS).response["violations"]:
                findings += [Finding("axe", number, f"{violation['id']}: {node['html'][:90]}") for node in violation["nodes"]]
    context.close()
    return findings
