"""What can be said of a notebook without running it. Every check yields its findings as text."""

import ast
import re
from collections import Counter
from pathlib import Path
from statistics import median
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent

ALT_LENGTHS = range(30, 601)
MOST_LINES_A_CELL = 35
MOST_LINES_A_SECTION = 65  # on average over the numbered sections
MEDIAN_LINES = 8

FORBIDDEN = {
    "a memory address": r"\b0x[0-9a-fA-F]{6,}",
    "a path": r"site-packages|[A-Z]:\\|(?<![\w.])/(?:home|root|tmp|usr|opt|var|mnt|private|Users)/",
    "a progress bar": r"\d+%\|",
}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def lines(cell):
    return cell.source.splitlines()


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


def identifiers_are_unique(notebook):
    for identifier, count in Counter(cell.id for cell in notebook.cells).items():
        if count > 1:
            yield f"{count} cells have the id {identifier}"


def kernel_is_python3(notebook):
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield f"the kernel is {notebook.metadata.get('kernelspec')}, expected the name python3"
    if "version" in notebook.metadata.get("language_info", {}):
        yield "the metadata hold a Python version: make run removes it"


def sections(notebook):
    """The cells between two headings of level two, as lists."""
    found = [[]]
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"^## ", cell.source, re.M):
            found.append([])
        found[-1].append(cell)
    return found


NUMBER = r"(?<![\w.])\d+(?:[.,]\d+)*(?:e-?\d+)?(?!\w)"
# What is no result: where something stands, what it is called, what another work says (a sentence or row with a year).
NO_RESULTS = (
    r"\]\([^)]*\)", r"`[^`]*`", r"^#+ .*$", r"^\d+\. ", r"^\|.*\b(?:19|20)\d\d\b.*$", r"wav2vec 2\.0",
    r"(?:[^.!?:\n]|\.\d|et al\.)*\b(?:19|20)\d\d\b(?:[^.!?:\n]|[.:] ?\d)*",
    r"\b(?:[Ss]ections?|[Ee]quations?|[Ff]igures?|[Tt]ables?|[Ll]essons?|[Ee]xercises?) [\d.]+(?:(?:,| and| to) [\d.]+)*",
)


def numbers(text):
    """The numbers in it, one thousand as 1000 and ten to the minus three as 1e-3."""
    text = re.sub(r"(\d)\{?,\}?(\d{3})\b", r"\1\2", re.sub(r"(?:(\d)\\cdot ?)?\b10\^\{?(-?\d+)\}?", r"\g<1>e\2", text))
    return {re.sub(r"^e", "1e", number) for number in re.findall(NUMBER + r"|\be-?\d+", text)}


def quoted_numbers_are_shown(notebook):
    """A number in a text cell stands in an output or the code of its section, a decimal in any output.

    nbval compares these. Citations, exercises and the names of things are not results; the summary is of the whole notebook.
    """
    parts, outputs = [], set()
    for section in sections(notebook):
        code = [cell for cell in section if cell.cell_type == "code"]
        printed = "\n".join(text for cell in code for text in output_texts(cell))
        printed = numbers(re.sub("<script>.*?</script>", "", printed, flags=re.DOTALL))  # what a reader sees
        parts.append((section, printed | numbers("\n".join(cell.source for cell in code))))
        outputs |= printed
    everywhere = outputs.union(*(shown for _, shown in parts))
    for section, shown in parts:
        for cell in section:
            text = cell.source if cell.cell_type == "markdown" else ""
            if re.search(r"^#+ (Exercise|References)", text, re.M):
                continue
            text += "\n" + cell.metadata.get("speaker_note", "")
            for pattern in NO_RESULTS:
                text = re.sub(pattern, " ", text, flags=re.M)
            quoted = numbers(text)
            if cell.source.startswith("## Summary"):
                shown = everywhere
            if missing := {n for n in quoted - shown if n not in outputs or not re.search(r"[.e]", n)}:
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
    quoted_numbers_are_shown, alt_texts_are_computed, was_run, no_timing, demanded_errors_are_stored, pictures_have_alt_text, outputs_are_the_same_everywhere,
    cells_end_without_semicolon, cells_are_short, identifiers_are_unique, kernel_is_python3,
)


def code_is_explained(notebook):
    code, text = len(code_cells(notebook)), sum(cell.cell_type == "markdown" for cell in notebook.cells)
    if text < code:
        yield f"{code} code cells and {text} text cells, expected at least as many text cells"


def code_is_in_small_steps(notebook):
    """Exercises, which raise until the reader has done them, are not counted."""
    lengths = [
        sum(bool(line.strip()) for line in lines(cell))
        for cell in code_cells(notebook)
        if "raises-exception" not in cell.metadata.get("tags", [])
    ]
    if median(lengths) > MEDIAN_LINES:
        yield f"half of the code cells have {median(lengths)} lines or more, expected {MEDIAN_LINES}"
    sections = sum(len(re.findall(r"^## \d+\. ", cell.source, re.M)) for cell in notebook.cells) or 1
    if sum(lengths) > MOST_LINES_A_SECTION * sections:
        yield f"{sum(lengths)} lines of code in {sections} sections, at most {MOST_LINES_A_SECTION} each on average"


LESSON_CHECKS = code_is_explained, code_is_in_small_steps


def broken_links(text, folder):
    """The relative links and pictures in Markdown or HTML `text` that lead nowhere from `folder`."""
    text = re.sub(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]+\$", "", text, flags=re.DOTALL)
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(r"""(?:src|href)=["']([^"']+)""", text)
    for target in targets:
        if re.match(r"[a-z]+:|#", target):
            continue
        if not (folder / unquote(target.partition("#")[0])).exists():
            yield f"leads nowhere: {target}"
