"""Writes the pictures of the code cells tagged `figure:NAME` to figures/NAME.png (or .svg), and removes all others."""

import base64
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent


def pictures(cell):
    """`[(ending, bytes)]` of the pictures that a cell stores: PNG, or the SVG that stands in for an interactive figure."""
    found = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if "image/png" in data:
            found.append((".png", base64.b64decode(data["image/png"])))
        found += [(".svg", base64.b64decode(text)) for text in re.findall(r'src="data:image/svg\+xml;base64,([^"]+)', data.get("text/html", ""))]
    return found


def tagged_pictures(path):
    """`{file name: bytes}` of one notebook."""
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        for tag in cell.metadata.get("tags", []):
            if not tag.startswith("figure:"):
                continue
            stored = pictures(cell)
            if len(stored) != 1:
                sys.exit(f"{path}: the cell tagged {tag} stores {len(stored)} pictures, expected one")
            (ending, content), = stored
            found[tag.removeprefix("figure:") + ending] = content
    return found


def main():
    folder = ROOT / "figures"
    folder.mkdir(exist_ok=True)
    wanted = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for name, picture in tagged_pictures(path).items():
            if name in wanted:
                sys.exit(f"{path}: a second cell is tagged figure:{Path(name).stem}")
            wanted[name] = picture
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, picture in wanted.items():
        (folder / name).write_bytes(picture)
        print(f"figures/{name}")


if __name__ == "__main__":
    main()
