"""How does anything outside a lesson use what the lesson defines? By running its defining cells.

A function that is taught stands in its notebook and nowhere else. The cells that define such
functions carry the tag `definition`.
"""

from pathlib import Path
from types import SimpleNamespace

import nbformat

NOTEBOOKS = Path(__file__).parents[1]


def definitions(name):
    """All that the cells tagged `definition` of the notebook `name` import and define, as attributes.

    Raises ValueError if there is no such notebook or no such cell in it.
    """
    path = NOTEBOOKS / name
    if not path.is_file():
        raise ValueError(f"name: there is no notebook {name!r}, expected one such as '01_ctc.ipynb'")
    cells = nbformat.read(path, as_version=4).cells
    tagged = [(i, cell) for i, cell in enumerate(cells) if "definition" in cell.metadata.get("tags", [])]
    if not tagged:
        raise ValueError(f"name: {name!r} has no cell tagged 'definition'")
    namespace = {}
    for i, cell in tagged:
        exec(compile(cell.source, f"{name}, cell {i}", "exec"), namespace)
    return SimpleNamespace(**namespace)
