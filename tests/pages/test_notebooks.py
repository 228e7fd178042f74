"""Are the notebooks as stored complete, readable and the same on every machine? (nbval runs them.)"""

import re
import shlex
import subprocess

import nbformat
import pytest

from extract_figures import pictures, tagged_pictures
from notebook_checks import LESSON_CHECKS, NOTEBOOK_CHECKS, ROOT, broken_links

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LESSONS = [path for path in NOTEBOOKS if not path.stem.endswith("_solutions")]
PAGES = [ROOT / "README.md", *sorted((ROOT / ".github").glob("*.md"))]
TOP_LEVEL = {"notebooks", "figures", "requirements.txt", "Makefile", "README.md", "LICENSE", "tests", "templates"}


def read(path):
    return nbformat.read(path, as_version=4)


def name(value):
    return getattr(value, "stem", None) or value.__name__


def test_there_are_lessons():
    assert LESSONS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
@pytest.mark.parametrize("check", NOTEBOOK_CHECKS, ids=name)
def test_notebook(path, check):
    assert list(check(read(path))) == []


@pytest.mark.parametrize("path", LESSONS, ids=name)
@pytest.mark.parametrize("check", LESSON_CHECKS, ids=name)
def test_lesson(path, check):
    assert list(check(read(path))) == []


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_lesson_has_solutions(path):
    assert path.with_name(f"{path.stem}_solutions.ipynb") in NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_links_of_notebook(path):
    text = "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    assert list(broken_links(text, path.parent)) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_of_pages(path):
    assert list(broken_links(path.read_text(encoding="utf-8"), path.parent)) == []


def test_commands_of_readme_exist():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    commands = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.startswith("make")]
    assert commands[:2] == ["make", "make test"]
    for command in commands:
        dry = subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
        assert dry.returncode == 0, dry.stderr


def test_figures_are_those_of_the_notebooks():
    stored = {}
    for path in NOTEBOOKS:
        stored.update(tagged_pictures(path))
    committed = {path.name: path.read_bytes() for path in (ROOT / "figures").glob("*")}
    assert sorted(committed) == sorted(stored), "make figures"
    for figure in stored:
        assert committed[figure] == stored[figure], f"{figure} is stale: make figures"


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_figures_of_the_slides_are_files_too(path):
    for cell in read(path).cells:
        shown = cell.metadata.get("slideshow", {}).get("slide_type") != "skip"
        if shown and pictures(cell):
            tags = [tag for tag in cell.metadata.get("tags", []) if tag.startswith(f"figure:{path.stem[:2]}_")]
            assert len(tags) == 1, f"tag this cell figure:{path.stem[:2]}_NAME, then make figures: {cell.source!r}"


def test_top_level_is_tidy():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git repository")
    entries = {line.split("/")[0] for line in listing.stdout.splitlines()}
    assert {entry for entry in entries if not entry.startswith(".")} <= TOP_LEVEL
