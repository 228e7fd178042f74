"""What can be said of a notebook without running it. Every check yields its findings as text."""

import ast
import re
from collections import Counter
from pathlib import Path
from statistics import median
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]

ALT_LENGTHS = range(30, 601)
MOST_LINES_A_CELL = 25
MOST_COLUMNS = 110
# What one sitting holds.
MOST_CELLS = 70
MOST_LINES = 250
MOST_WORDS = 2600
MEDIAN_LINES = 8

# What is no result: code, addresses, and where another work says it.
NO_RESULT = r"`[^`]*`|\]\([^)]*\)|wav2vec 2\.0|arXiv [\d.]+|[Ss]ections? [\d.]+(?:(?:,| and| to) [\d.]+)*"
DECIMAL = r"(?<![\w.])\d+\.\d+(?![\w.]*\d)"

FORBIDDEN = {
    "a memory address": r"\b0x[0-9a-fA-F]{6,}",
    "a path": r"site-packages|[A-Z]:\\|(?<![\w.])/(?:home|root|tmp|usr|opt|var|mnt|private|Users)/",
    "a progress bar": r"\d+%\|",
}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def lines(cell):
    """The lines of a cell that are not empty."""
    return [line for line in cell.source.splitlines() if line.strip()]


def was_run(notebook):
    cells = [cell for cell in code_cells(notebook) if cell.source.strip()]
    counts = [cell.execution_count for cell in cells]
    if counts != list(range(1, len(cells) + 1)):
        yield f"execution counts are {counts}, expected 1 to {len(cells)}: make run"


def no_timing(notebook):
    for cell in code_cells(notebook):
        if "execution" in cell.metadata:
            yield f"[{cell.execution_count}] stores when it was run"


def demanded_errors_are_stored(notebook):
    for cell in code_cells(notebook):
        demanded = "raises-exception" in cell.metadata.get("tags", [])
        stored = any(output.output_type == "error" for output in cell.outputs)
        if demanded != stored:
            yield f"[{cell.execution_count}] has the tag raises-exception: {demanded}; stores an error: {stored}"


def pictures_have_alt_text(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if "image/png" not in output.get("data", {}):
                continue
            alt = output.metadata.get("image/png", {}).get("alt", "")
            if len(alt) not in ALT_LENGTHS:
                yield f"[{cell.execution_count}] alt text of {len(alt)} characters, expected 30 to 600: {alt!r}"
            if output.data.get("text/plain") != alt:
                yield f"[{cell.execution_count}] the figure's plain text is not its alt text: asr_losses.display.show"


def output_texts(cell):
    for output in cell.outputs:
        yield from filter(None, [output.get("text"), output.get("evalue"), "\n".join(output.get("traceback", []))])
        for kind, text in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield re.sub(r"data:[\w/]+;base64,[\w+/=]+", "", text)


def outputs_are_the_same_everywhere(notebook):
    forbidden = FORBIDDEN | {"this folder": re.escape(str(ROOT))}
    for cell in code_cells(notebook):
        if any(output.get("name") == "stderr" for output in cell.outputs):
            yield f"[{cell.execution_count}] stores a warning or another message on stderr"
        for text in output_texts(cell):
            for what, pattern in forbidden.items():
                if found := re.search(pattern, text):
                    yield f"[{cell.execution_count}] stores {what}: {found[0]!r}"


def cells_end_without_semicolon(notebook):
    for cell in code_cells(notebook):
        if cell.source.rstrip().endswith(";"):
            yield f"[{cell.execution_count}] ends with a semicolon, which hides an output"


def cells_are_short(notebook):
    for cell in code_cells(notebook):
        if len(lines(cell)) > MOST_LINES_A_CELL:
            yield f"[{cell.execution_count}] has {len(lines(cell))} lines, at most {MOST_LINES_A_CELL}"
        if (longest := max(map(len, lines(cell)), default=0)) > MOST_COLUMNS:
            yield f"[{cell.execution_count}] has a line of {longest} columns, at most {MOST_COLUMNS}"


def identifiers_are_unique(notebook):
    for identifier, count in Counter(cell.id for cell in notebook.cells).items():
        if count > 1:
            yield f"{count} cells have the id {identifier}"


def kernel_is_python3(notebook):
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield f"the kernel is {notebook.metadata.get('kernelspec')}, expected the name python3"
    if "version" in notebook.metadata.get("language_info", {}):
        yield "the metadata hold a Python version: make run removes it"


def quoted_decimals_are_shown(notebook):
    """A decimal number in a text stands in an output, which nbval compares, or in the code that makes it."""
    code = [text for cell in code_cells(notebook) for text in (cell.source, *output_texts(cell))]
    shown = set(re.findall(DECIMAL, "\n".join(code)))
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not re.match("## (Exercises|References)|### Exercise", cell.source):
            prose = re.sub(NO_RESULT, " ", cell.source)
            if missing := set(re.findall(DECIMAL, prose)) - shown:
                yield f"no cell shows {', '.join(sorted(missing))}: {cell.source[:60]!r}"


def alt_texts_are_computed(notebook):
    """A number in an alt text comes from the data: no digit stands in the text given to `show`."""
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "show":
                specs = {id(part) for f in ast.walk(node.args[1]) if isinstance(f, ast.FormattedValue) and f.format_spec for part in ast.walk(f.format_spec)}
                for part in ast.walk(node.args[1]):
                    if id(part) not in specs and isinstance(part, ast.Constant) and isinstance(part.value, str):
                        if re.search(r"\d", re.sub(r"\bln \d+", "", part.value)):
                            yield f"[{cell.execution_count}] a number is written into the alt text: {part.value!r}"


NOTEBOOK_CHECKS = (
    quoted_decimals_are_shown, alt_texts_are_computed, was_run, no_timing, demanded_errors_are_stored, pictures_have_alt_text, outputs_are_the_same_everywhere,
    cells_end_without_semicolon, cells_are_short, identifiers_are_unique, kernel_is_python3,
)


def code_is_explained(notebook):
    code, text = len(code_cells(notebook)), sum(cell.cell_type == "markdown" for cell in notebook.cells)
    if text < code:
        yield f"{code} code cells and {text} text cells, expected at least as many text cells"


def one_sitting(notebook):
    code = [len(lines(cell)) for cell in code_cells(notebook)]
    words = sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown")
    counted = {
        "cells": (len(notebook.cells), MOST_CELLS),
        "lines of code": (sum(code), MOST_LINES),
        "words": (words, MOST_WORDS),
        "lines in half of the code cells": (median(code), MEDIAN_LINES),
    }
    for what, (count, most) in counted.items():
        if count > most:
            yield f"{count} {what}, at most {most}"


def ends_as_every_lesson(notebook):
    headings = re.findall(r"^## (Summary|Exercises|References)$", "\n".join(c.source for c in notebook.cells), re.M)
    if headings != ["Summary", "Exercises", "References"]:
        yield f"the lesson ends with {headings}, expected summary, exercises, references"


LESSON_CHECKS = code_is_explained, one_sitting, ends_as_every_lesson


def broken_links(text, folder):
    """The relative links and pictures in Markdown or HTML `text` that lead nowhere from `folder`."""
    text = re.sub(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]+\$", "", text, flags=re.DOTALL)
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(r"""(?:src|href)=["']([^"']+)""", text)
    for target in targets:
        if re.match(r"[a-z]+:|#", target):
            continue
        if not (folder / unquote(target.partition("#")[0])).exists():
            yield f"leads nowhere: {target}"
