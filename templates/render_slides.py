"""Renders a lesson as slides: render_slides.py NOTEBOOK DECK.html

The deck is one file that loads nothing from anywhere. What is said is not projected:

- of a text cell a slide shows headings, quotations, lists, tables, formulas, code and HTML; paragraphs become notes;
- of a code cell it shows pictures, tables and sounds, no printed text; its source only with the tag `show-source`,
  without the statements that print or assert;
- the outputs of a cell with the tag `wait` come at the next key.
"""

import ast
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

SHOWN = r"#|>|\||[-*] |\d+\. |\$\$|```|<|!\["  # how a block begins that a slide shows
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


def notes_script():
    """reveal.js's speaker view, which opens at the slide's present fragment: its own goes back to the first one."""
    text = script(REVEAL / "plugin/notes/notes.js")
    place = "'#/' + data.state.indexh + '/' + data.state.indexv"
    if place not in text:
        raise ValueError(f"{REVEAL}: expected {place} in the notes plugin")
    return text.replace(place, f"{place} + '/' + data.state.indexf")


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


def split(text):
    """What a slide shows of a text, and what is said: its paragraphs."""
    shown, said = [], []
    for block in re.findall(r"```.*?```|\$\$.*?\$\$|\S.*?(?=\n\s*\n|\Z)", text, flags=re.DOTALL):
        (shown if re.match(SHOWN, block) else said).append(block)
    return "\n\n".join(shown), "\n\n".join(said)


def idea(source):
    """Code without its statements that print or assert."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        call = node.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
        if isinstance(node, ast.Assert) or call and getattr(call.func, "id", "") == "print":
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def prepare(notebook):
    """Marks in each cell what a slide shows of it."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code":
            cell.metadata.shown = idea(cell.source) if "show-source" in tags else ""
            cell.metadata.output_waits = "wait" in tags
            cell.outputs = [output for output in cell.outputs if {"image/png", "text/html"} & set(output.get("data", {}))]
        elif cell.metadata.get("slideshow", {}).get("slide_type") == "notes":
            cell.metadata.shown, cell.metadata.said = cell.source, ""
        else:
            cell.metadata.shown, cell.metadata.said = split(cell.source)


def embed(page, folder, *also):
    """Puts pictures that are files into the page, and leads links between lessons to their decks or pages.

    A link that leaves the folder would break when that is moved, and becomes text; so does one to a notebook of another
    kind than a lesson, unless `also` names the kind.
    """

    def picture(match):
        path = folder / match[2]
        return match[1] + data_address(path.read_bytes(), mimetypes.guess_type(path.name)[0]) + match[3]

    def link(match):
        notebook = re.fullmatch(r"(\d\d_\w+?)(?:_(solutions))?\.ipynb", match[1])
        if notebook and (notebook[2] is None or notebook[2] in also):
            return f'<a href="{match[1].removesuffix(".ipynb")}.html">{match[2]}</a>'
        return match[2]

    page = re.sub(r'(<img [^>]*?src=")(?![a-z]+:)([^"]+)(")', picture, page)
    return re.sub(r'<a href="(?![a-z]+:|#)([^"]+)"[^>]*>(.*?)</a>', link, page)


def render(notebook_path):
    """The deck of one lesson, as HTML."""
    notebook = nbformat.read(notebook_path, as_version=4)
    prepare(notebook)
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
        "notes_js": notes_script(),
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
