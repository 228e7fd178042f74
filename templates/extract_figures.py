"""Writes the pictures of the code cells tagged `figure:NAME` to figures/NAME.png, and removes all others."""

import base64
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent


def tagged_pictures(path):
    """`{file name: PNG bytes}` of one notebook."""
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        for tag in cell.metadata.get("tags", []):
            if not tag.startswith("figure:"):
                continue
            pictures = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
            if len(pictures) != 1:
                sys.exit(f"{path}: the cell tagged {tag} stores {len(pictures)} pictures, expected one")
            found[tag.removeprefix("figure:") + ".png"] = base64.b64decode(pictures[0])
    return found


def main():
    folder = ROOT / "figures"
    folder.mkdir(exist_ok=True)
    wanted = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for name, picture in tagged_pictures(path).items():
            if name in wanted:
                sys.exit(f"{path}: a second cell is tagged figure:{name.removesuffix('.png')}")
            wanted[name] = picture
    for path in folder.glob("*.png"):
        if path.name not in wanted:
            path.unlink()
    for name, picture in wanted.items():
        (folder / name).write_bytes(picture)
        print(f"figures/{name}")


if __name__ == "__main__":
    main()
