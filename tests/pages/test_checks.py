"""Do the checks of the notebooks find what they are to find? Each defect is planted alone in a small notebook."""

import base64
import copy
import io
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree

import matplotlib.image
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import notebook_checks
from notebook_checks import LESSON_CHECKS, NOTEBOOK_CHECKS, ROOT, broken_links

FIGURE = """from asr_losses.display import show
import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(4, 3))
heights = [0, 1, 4, 9]
ax.plot(heights)
show(fig, f"A curve that climbs to {max(heights)}, faster and faster.")"""


def cells():
    return [
        new_markdown_cell("# A notebook", id="title"),
        new_code_cell("print(6 * 7, 42 / 4)", id="number"),
        new_markdown_cell("Forty-two, a quarter of it 10.5.", id="answer"),
        new_code_cell(FIGURE, id="figure"),
        new_markdown_cell("A division:", id="division"),
        new_code_cell("1 / 0", id="error", metadata={"tags": ["raises-exception"]}),
        new_markdown_cell("## Summary\n\n## Exercises\n\n## References", id="end"),
    ]


def run(path):
    command = [sys.executable, ROOT / "templates/run_notebooks.py", path]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """An executed notebook without defects."""
    folder = tmp_path_factory.mktemp("good")
    shutil.copytree(ROOT / "notebooks/asr_losses", folder / "asr_losses")
    notebook = new_notebook(cells=cells())
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "good.ipynb")
    result = run(folder / "good.ipynb")
    assert result.returncode == 0, result.stderr
    return nbformat.read(folder / "good.ipynb", as_version=4)


def by_id(notebook, identifier):
    return next(cell for cell in notebook.cells if cell.id == identifier)


# What only a run can tell.


def change_digit(notebook):
    by_id(notebook, "number").outputs[0].text = "43\n"


def strip_everything(notebook):
    for cell in notebook_checks.code_cells(notebook):
        cell.update(outputs=[], execution_count=None)


def strip_one_output(notebook):
    by_id(notebook, "number").outputs = []


def strip_picture(notebook):
    del by_id(notebook, "figure").outputs[0].data["image/png"]


def change_picture(notebook):
    data = by_id(notebook, "figure").outputs[0].data
    picture = matplotlib.image.imread(io.BytesIO(base64.b64decode(data["image/png"])), format="png")
    picture[100:120, 100:200] = (1, 0, 0, 1)
    file = io.BytesIO()
    matplotlib.image.imsave(file, picture, format="png")
    data["image/png"] = base64.b64encode(file.getvalue()).decode()


def resize_picture(notebook):
    data = by_id(notebook, "figure").outputs[0].data
    picture = matplotlib.image.imread(io.BytesIO(base64.b64decode(data["image/png"])), format="png")
    file = io.BytesIO()
    matplotlib.image.imsave(file, picture[:, :-1], format="png")
    data["image/png"] = base64.b64encode(file.getvalue()).decode()


def change_plotted_data(notebook):
    cell = by_id(notebook, "figure")
    cell.source = cell.source.replace("4, 9]", "5, 9]")


def change_alt_text(notebook):
    by_id(notebook, "figure").outputs[0].data["text/plain"] = "A curve that climbs to 8, faster and faster."


def calm_the_error(notebook):
    by_id(notebook, "error").source = "1 / 1"


def change_the_error(notebook):
    by_id(notebook, "error").source = "[][0]"


FAIL_WHEN_RUN = {
    "number": (change_digit, strip_everything, strip_one_output),
    "figure": (strip_picture, change_picture, resize_picture, change_plotted_data, change_alt_text),
    "error": (calm_the_error, change_the_error),
}


@pytest.fixture(scope="session")
def failures(good, tmp_path_factory):
    """`{notebook name: names of the cells that failed}` of all defects, from one run of pytest as `make test` calls it."""
    root = tmp_path_factory.mktemp("repository")
    shutil.copy(ROOT / ".pytest.ini", root)
    (root / "tests").mkdir()
    shutil.copy(ROOT / "tests/conftest.py", root / "tests")
    shutil.copytree(ROOT / "notebooks/asr_losses", root / "notebooks/asr_losses")
    shutil.copytree(ROOT / "templates", root / "templates")
    nbformat.write(good, root / "notebooks/good.ipynb")
    for defect in (defect for defects in FAIL_WHEN_RUN.values() for defect in defects):
        notebook = copy.deepcopy(good)
        defect(notebook)
        nbformat.write(notebook, root / f"notebooks/{defect.__name__}.ipynb")
    subprocess.run([sys.executable, "-m", "pytest", "-q", "--junit-xml=report.xml"], cwd=root, capture_output=True)
    found = {}
    for case in xml.etree.ElementTree.parse(root / "report.xml").iter("testcase"):
        failed = found.setdefault(case.get("classname").split(".")[1], [])
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(case.get("name"))
    return found


def test_a_good_notebook_passes(failures):
    assert failures["good"] == []


@pytest.mark.parametrize("identifier, defect", [(i, d) for i, defects in FAIL_WHEN_RUN.items() for d in defects])
def test_a_run_finds(identifier, defect, failures):
    assert f"Cell {list(FAIL_WHEN_RUN).index(identifier)}" in failures[defect.__name__]


# What can be told without a run.


def add_output(text, kind="text/plain"):
    def defect(notebook):
        by_id(notebook, "number").outputs.append(new_output("display_data", data={kind: text}))
    return defect


def set_cell(identifier, **values):
    return lambda notebook: by_id(notebook, identifier).update(values)


def set_metadata(identifier, **values):
    return lambda notebook: by_id(notebook, identifier).metadata.update(values)


def warn(notebook):
    by_id(notebook, "number").outputs.append(new_output("stream", name="stderr", text="UserWarning"))


def drop_alt_text(notebook):
    by_id(notebook, "figure").outputs[0].metadata = {}


STATIC = {
    "quoted_decimals_are_shown": (
        set_cell("answer", source="Forty-two, a quarter of it 10.6."), set_cell("answer", source="$\\ln 2 = 0.693$."),
    ),
    "alt_texts_are_computed": (
        lambda notebook: by_id(notebook, "figure").update(source=FIGURE.replace("{max(heights)}", "9")),
    ),
    "was_run": (strip_everything, set_cell("number", execution_count=2), set_cell("error", execution_count=None)),
    "no_timing": (set_metadata("number", execution={"iopub.status.busy": "2026-01-01T00:00:00Z"}),),
    "demanded_errors_are_stored": (set_cell("error", outputs=[]), set_metadata("error", tags=[])),
    "pictures_have_alt_text": (drop_alt_text, change_alt_text),
    "outputs_are_the_same_everywhere": (
        warn, add_output("<object at 0x7f12345678>"), add_output("/home/anna/notes.txt"), add_output(str(ROOT)),
        add_output("<b>/usr/lib/x.py</b>", "text/html"), add_output("100%|####"),
    ),
    "cells_end_without_semicolon": (set_cell("number", source="plt.plot([1]);\n"),),
    "cells_are_short": (
        set_cell("number", source="x = 1\n" * 26), set_cell("number", source="x = " + "1 + " * 27 + "1"),
    ),
    "identifiers_are_unique": (set_cell("number", id="figure"),),
    "kernel_is_python3": (
        lambda notebook: notebook.metadata.kernelspec.update(name="my-kernel"),
        lambda notebook: notebook.metadata.language_info.update(version="3.11.2"),
    ),
    "code_is_explained": (lambda notebook: notebook.cells.extend([new_code_cell("1"), new_code_cell("2")]),),
    "one_sitting": (
        lambda notebook: [cell.update(source="x = 1\n" * 9) for cell in notebook_checks.code_cells(notebook)],
        lambda notebook: notebook.cells.append(new_code_cell("x = 1\n" * 250)),
        lambda notebook: notebook.cells.append(new_markdown_cell("word " * 2600)),
        lambda notebook: notebook.cells.extend(new_markdown_cell("word") for _ in range(65)),
    ),
    "ends_as_every_lesson": (set_cell("end", source="## Summary\n\n## References"),),
}


@pytest.mark.parametrize("check", NOTEBOOK_CHECKS + LESSON_CHECKS, ids=lambda check: check.__name__)
def test_a_check_finds(check, good):
    assert list(check(good)) == []
    for defect in STATIC[check.__name__]:
        notebook = copy.deepcopy(good)
        defect(notebook)
        assert list(check(notebook)), defect


def test_broken_links_are_found(tmp_path):
    (tmp_path / "there.md").touch()
    text = "[a](there.md#part) [b](https://example.org) [c](#part) $f[x](y)$ ![d](gone.png) <img src='gone.svg'> `[e](code)`"
    assert list(broken_links(text, tmp_path)) == ["leads nowhere: gone.png", "leads nowhere: gone.svg"]


def test_the_text_of_a_notebook_holds_code_and_results_but_no_pictures(good, tmp_path):
    nbformat.write(good, tmp_path / "good.ipynb")
    text = subprocess.run([ROOT / ".ci/ipynb2txt", tmp_path / "good.ipynb"], capture_output=True, text=True, check=True).stdout
    for part in ("Forty-two, a quarter", "print(6 * 7, 42 / 4)\n\n> 42 10.5\n", "> [picture]\n> A curve that climbs", "> ZeroDivisionError: division by zero"):
        assert part in text
    assert max(map(len, text.splitlines())) < 200


# The programs behind `make run` and `make human`.


@pytest.mark.parametrize("source, message", [("1 / 0", "ZeroDivisionError"), ("1", "is to raise an exception")])
def test_a_failed_run_names_notebook_and_cell_and_changes_nothing(source, message, tmp_path):
    path = tmp_path / "bad.ipynb"
    tags = [] if source == "1 / 0" else ["raises-exception"]
    nbformat.write(new_notebook(cells=[new_code_cell("1"), new_code_cell(source, metadata={"tags": tags})]), path)
    before = path.read_bytes()
    result = run(path)
    assert result.returncode != 0
    assert f"{path}, cell [2]" in result.stderr and message in result.stderr
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_each_notebook_as_it_was_or_complete(number, tmp_path):
    quick, slow = tmp_path / "quick.ipynb", tmp_path / "slow.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("print(6 * 7)")]), quick)
    nbformat.write(new_notebook(cells=[new_code_cell("print('begun')"), new_code_cell("import time; time.sleep(600)")]), slow)
    before = slow.read_bytes()
    command = [sys.executable, ROOT / "templates/run_notebooks.py", "--jobs", "2", quick, slow]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "quick.ipynb: done" in line:
            break
    process.send_signal(number)
    last = process.stderr.read()
    assert process.wait(60) != 0
    assert nbformat.read(quick, as_version=4).cells[0].outputs[0].text == "42\n"
    assert slow.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [quick, slow]
    if number != signal.SIGKILL:
        assert last.strip().endswith("stopped: the notebooks that were running are as they were") and "Traceback" not in last


def test_a_picture_that_another_processor_draws_keeps_its_bytes(good, tmp_path):
    shutil.copytree(ROOT / "notebooks/asr_losses", tmp_path / "asr_losses")
    for name, levels, kept in (("two", 1, True), ("changed", 120, False)):
        notebook, path = copy.deepcopy(good), tmp_path / f"{name}.ipynb"
        data = by_id(notebook, "figure").outputs[0].data
        picture = matplotlib.image.imread(io.BytesIO(base64.b64decode(data["image/png"])), format="png")
        picture[100, 100:102] -= levels / 255
        picture[100:140, 100:140] -= (levels - 1) / 255
        file = io.BytesIO()
        matplotlib.image.imsave(file, picture.clip(0, 1), format="png")
        data["image/png"] = base64.b64encode(file.getvalue()).decode()
        nbformat.write(notebook, path)
        assert run(path).returncode == 0
        assert (by_id(nbformat.read(path, as_version=4), "figure").outputs[0].data["image/png"] == data["image/png"]) == kept


def test_progress_is_shown_and_not_stored(tmp_path):
    shutil.copytree(ROOT / "notebooks/asr_losses", tmp_path / "asr_losses")
    path = tmp_path / "long.ipynb"
    source = "from asr_losses.display import progress\nfor i in range(3):\n    progress(f'step {i}')\nprint('done')"
    nbformat.write(new_notebook(cells=[new_code_cell(source)]), path)
    assert run(path).returncode == 0
    outputs = nbformat.read(path, as_version=4).cells[0].outputs
    assert [output.text for output in outputs] == ["done\n"]


def test_make_human_asks_for_the_recordings():
    result = subprocess.run(["make", "human", "RECORDINGS=", "--assume-old=.venv/ready"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode != 0 and "make human RECORDINGS=folder" in result.stderr
