"""Renders notebooks as web pages: render_pages.py FOLDER NOTEBOOK...

Each page is one file that loads nothing from anywhere, and works without a server. FOLDER/index.html lists the
lessons, each with its question, its solutions and its slides (FOLDER/../slides).
"""

import html
import re
import sys
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from render_slides import MATHJAX, TEMPLATES, embed, script, title

NAME = "Loss functions for ASR"


def link(address, text):
    return f'<a href="{address}">{html.escape(text)}</a>'


def navigation(path, lessons):
    """Links to the overview, to the lessons before and after, and to the slides or, from solutions, to their lesson."""
    links = [link("index.html", NAME)]
    if path in lessons:
        i = lessons.index(path)
        links += [link(f"{lesson.stem}.html", f"{arrow} {lesson.stem[:2]}") for arrow, lesson in (
            ("← lesson", lessons[i - 1] if i else None), ("→ lesson", lessons[i + 1] if i + 1 < len(lessons) else None)) if lesson]
        links += [link(f"{path.stem}_solutions.html", "solutions"), link(f"../slides/{path.stem}.html", "slides")]
    else:
        links += [link(f"{path.stem.removesuffix('_solutions')}.html", "the lesson")]
    return f"<nav aria-label=\"lessons\">{' '.join(links)}</nav>"


def page(path, lessons):
    """One notebook as HTML."""
    notebook = nbformat.read(path, as_version=4)
    about = {"title": title(notebook), "style_css": style(), "navigation": "@@navigation@@", "mathjax_js": "@@mathjax@@"}
    exporter = HTMLExporter(template_name="pages", extra_template_basedirs=[str(TEMPLATES)])
    text, _ = exporter.from_notebook_node(notebook, resources={"page": about})
    text = embed(text, path.parent, "solutions")
    menu = navigation(path, lessons)
    text = text.replace("@@navigation@@", menu, 1).replace("@@navigation@@", menu.replace('"lessons"', '"lessons, again"'))
    return text.replace("@@mathjax@@", script(MATHJAX))


def style():
    return (TEMPLATES / "pages/style.css").read_text(encoding="utf-8")


def question(path):
    """A lesson's question: the quotation in its first cell."""
    first = nbformat.read(path, as_version=4).cells[0].source
    return re.search(r"^> (?:\*\*.*?\*\* )?(.+)", first, flags=re.MULTILINE)[1]


def index(lessons):
    """The page that lists the lessons."""
    rows = []
    for path in lessons:
        name = title(nbformat.read(path, as_version=4))
        links = link(f"{path.stem}_solutions.html", "solutions") + ", " + link(f"../slides/{path.stem}.html", "slides")
        rows.append(f"<tr><td>{link(f'{path.stem}.html', name)}</td><td>{html.escape(question(path))}</td><td>{links}</td></tr>")
    head = "<tr><th>lesson</th><th>question</th><th>more</th></tr>"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{NAME}</title>\n<style>{style()}</style>\n</head>\n<body>\n<main>\n<h1>{NAME}</h1>\n"
        f"<p>The loss functions that train speech recognisers: enumerated, derived, proved equal to the library, trained on speech "
        f"that can be heard, and scored against the true alignment. Every page works without a network.</p>\n"
        f'<div class="scroll" tabindex="0"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>\n</main>\n</body>\n</html>\n'
    )


def main():
    folder, *notebooks = map(Path, sys.argv[1:])
    lessons = [path for path in notebooks if not path.stem.endswith("_solutions")]
    folder.mkdir(parents=True, exist_ok=True)
    for path in notebooks:
        (folder / f"{path.stem}.html").write_text(page(path, lessons), encoding="utf-8")
    (folder / "index.html").write_text(index(lessons), encoding="utf-8")


if __name__ == "__main__":
    main()
