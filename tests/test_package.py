"""Is the package easy to read and safe to import? Short modules and functions, docstrings, no cycles."""

import ast
import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "notebooks/asr_losses"
MOST_LINES = 250
MOST_LINES_A_FUNCTION = 40

# Imports each module named on the command line in a process that has none of the package yet, and says what
# that has changed. Other packages are there before: what importing them does is theirs, and it takes seconds.
EFFECTS = """
import importlib, os, random, sys
import IPython, jiwer, nbformat, soundfile, torch
import matplotlib.pyplot as plt
import numpy as np

def state():
    return {
        "the default dtype": torch.get_default_dtype(),
        "torch's random state": torch.get_rng_state().tolist(),
        "numpy's random state": np.random.get_state()[1].tolist() + [*np.random.get_state()[2:]],
        "random's state": random.getstate(),
        "rcParams": dict(plt.rcParams),
        "the number of threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
    }

failed = 0
for name in sys.argv[1:]:
    if os.fork() == 0:
        before = state()
        importlib.import_module(name)
        changed = [what for what, value in state().items() if value != before[what]]
        if changed:
            sys.exit(f"importing {name} changes {', '.join(changed)}")
        os._exit(0)  # without tidying up, which takes a second
    failed |= os.wait()[1]
sys.exit(failed != 0)
"""


def name_of(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def modules():
    """`{name: text}` of all modules."""
    return {name_of(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def functions(text):
    """All functions, those in classes and in other functions, too."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]


def imported(text):
    """What the module imports, at the top or inside functions: names of modules and of what is in them."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: a relative import"
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def without_docstring(name, text):
    """The module, and its functions and classes for others, as far as they do not say what they are for."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    tree = ast.parse(text)
    public = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    found = {name: tree} | {f"{name}.{node.name}": node for node in public}
    return [name for name, node in found.items() if not ast.get_docstring(node)]


def test_importing_a_module_has_no_effect():
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent), "MPLBACKEND": "agg"}
    command = [sys.executable, "-c", EFFECTS, *modules()]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_modules_are_short():
    lengths = {name: len(text.splitlines()) for name, text in modules().items()}
    lessons = {name: lines for name, lines in lengths.items() if not name.startswith("asr_losses.clips.")}
    assert {name: lines for name, lines in lessons.items() if lines > MOST_LINES} == {}


def test_functions_are_short():
    for name, text in modules().items():
        lengths = [(node.end_lineno - node.lineno + 1, node.name) for node in functions(text)]
        assert [length for length in lengths if length[0] > MOST_LINES_A_FUNCTION] == [], name


def test_everything_for_others_has_a_docstring():
    assert [missing for name, text in modules().items() for missing in without_docstring(name, text)] == []


def test_no_module_imports_itself_through_others():
    texts = modules()
    graph = {name: set(imported(text)) & set(texts) for name, text in texts.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_the_package_is_found_from_any_folder(tmp_path):
    """`make` tells the virtual environment where the package is."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = "from asr_losses import speech; print(len(speech.load_clips('test')) > 0)"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.stdout == "True\n", result.stderr
