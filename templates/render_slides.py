"""Renders a lesson as slides: render_slides.py NOTEBOOK DECK.html

The deck is one file that loads nothing from anywhere. Code cells of more than 12 lines show
only their outputs, unless they carry the tag `show-source`; so do cells with the tag `hide-source`
and cells that draw a figure (tag `figure:NAME`). The output of a cell with the tag `wait` comes at the next key.
"""

import base64
import io
import mimetypes
import re
import sys
import sysconfig
from pathlib import Path

import matplotlib
import nbformat
from fontTools import subset
from fontTools.ttLib import TTFont
from nbconvert import SlidesExporter

MOST_LINES = 12
TEMPLATES = Path(__file__).resolve().parent
PACKAGES = Path(sysconfig.get_path("purelib"))
REVEAL = PACKAGES / "sphinx_revealjs/_static/revealjs"
MATHJAX = PACKAGES / "sphinx-mathjax-offline/static/mathjax/tex-svg.js"
FONTS = Path(matplotlib.get_data_path(), "fonts/ttf")
FACES = (
    ("Deck Sans", "normal", "DejaVuSans.ttf"),
    ("Deck Sans", "bold", "DejaVuSans-Bold.ttf"),
    ("Deck Mono", "normal", "DejaVuSansMono.ttf"),
    ("Deck Mono", "bold", "DejaVuSansMono-Bold.ttf"),
)


def script(path):
    """A JavaScript file that can stand inside an HTML page."""
    return path.read_text(encoding="utf-8").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def data_address(content, kind):
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def fonts_css(characters):
    """The figures' fonts with only the given characters: lines break alike on every computer."""
    rules = []
    for family, weight, name in FACES:
        font = TTFont(FONTS / name, recalcTimestamp=False)
        options = subset.Options(flavor="woff", notdef_outline=True, drop_tables=["FFTM"])
        subsetter = subset.Subsetter(options)
        subsetter.populate(text=characters)
        subsetter.subset(font)
        font.flavor = "woff"
        file = io.BytesIO()
        font.save(file)
        address = data_address(file.getvalue(), "font/woff")
        rules.append(f'@font-face {{ font-family: "{family}"; font-weight: {weight}; src: url("{address}"); }}')
    return "\n".join(rules)


def title(notebook):
    headings = re.findall(r"^# (.+)$", "\n".join(cell.source for cell in notebook.cells), flags=re.MULTILINE)
    return headings[0] if headings else "Slides"


def mark_sources(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", [])
            short = len(cell.source.splitlines()) <= MOST_LINES
            draws = any(tag == "hide-source" or tag.startswith("figure:") for tag in tags)
            cell.metadata.source_shown = "show-source" in tags or short and not draws


def mark_outputs(notebook):
    """The output of a cell with the tag `wait` waits for a key: the room commits first."""
    for cell in notebook.cells:
        cell.metadata.output_waits = "wait" in cell.metadata.get("tags", [])


def embed(page, folder):
    """Puts pictures that are files into the page, and leads links between lessons to their decks."""

    def picture(match):
        path = folder / match[2]
        return match[1] + data_address(path.read_bytes(), mimetypes.guess_type(path.name)[0]) + match[3]

    def link(match):
        deck = re.fullmatch(r"(\d\d_\w+)\.ipynb", match[1])
        if deck and not deck[1].endswith("_solutions"):
            return f'<a href="{deck[1]}.html">{match[2]}</a>'
        return match[2]  # a link out of the deck's folder would break when the deck is moved

    page = re.sub(r'(<img [^>]*?src=")(?![a-z]+:)([^"]+)(")', picture, page)
    return re.sub(r'<a href="(?![a-z]+:|#)([^"]+)"[^>]*>(.*?)</a>', link, page)


def render(notebook_path):
    """The deck of one lesson, as HTML."""
    notebook = nbformat.read(notebook_path, as_version=4)
    mark_sources(notebook)
    mark_outputs(notebook)
    deck = {
        "title": title(notebook),
        "style_css": (TEMPLATES / "slides/style.css").read_text(encoding="utf-8"),
    }
    parts = {"reveal_css": "", "fonts_css": "", "reveal_js": "", "notes_js": "", "mathjax_js": ""}
    exporter = SlidesExporter(template_name="slides", extra_template_basedirs=[str(TEMPLATES)])
    marks = {name: f"@@{name}@@" for name in parts}
    page, _ = exporter.from_notebook_node(notebook, resources={"deck": deck | marks})
    page = embed(page, notebook_path.parent)
    # The libraries enter last, so that nothing above rewrites them.
    parts = {
        "reveal_css": (REVEAL / "dist/reveal.css").read_text(encoding="utf-8"),
        "fonts_css": fonts_css("".join(sorted(set(page) | set(map(chr, range(32, 127)))))),
        "reveal_js": script(REVEAL / "dist/reveal.js"),
        "notes_js": script(REVEAL / "plugin/notes/notes.js"),
        "mathjax_js": script(MATHJAX),
    }
    for name, text in parts.items():
        page = page.replace(marks[name], text)
    return page


def main():
    notebook, deck = map(Path, sys.argv[1:])
    page = render(notebook)
    deck.parent.mkdir(parents=True, exist_ok=True)
    deck.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
