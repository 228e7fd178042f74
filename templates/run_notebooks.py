"""Executes notebooks in place: run_notebooks.py [--jobs N] NOTEBOOK...

A notebook is written only when all its cells ran, in one step, and only when its bytes changed.
A cell whose output is not compared (tag `nbval-ignore-output`: times) keeps the one it has, so that
a second run changes nothing; clear it to get a new one. And a picture keeps its bytes where the new one
differs by no more than another processor makes it.
"""

import argparse
import asyncio
import atexit
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from pictures import distance

os.environ["ASR_LOSSES_PROGRESS"] = "1"  # tells asr_losses.display.progress that somebody listens


SAME = 0.05  # of 255 grey levels, root mean square: another processor changes two pixels by one level


class Status:
    """One line that says where each notebook is: rewritten on a terminal, repeated now and then in a log."""

    def __init__(self):
        self.running = {}
        self.terminal = sys.stderr.isatty()
        self.next_time = 0.0

    def update(self, name, text):
        self.running[name] = text
        if self.terminal or time.monotonic() >= self.next_time:
            self.next_time = time.monotonic() + 20
            line = "  |  ".join(f"{name} {text}" for name, text in self.running.items())
            columns = os.get_terminal_size(sys.stderr.fileno()).columns - 1 if self.terminal else None
            self._write(line[:columns], "\r\033[K" if self.terminal else "", "" if self.terminal else "\n")

    def finish(self, name, text):
        del self.running[name]
        self._write(f"{name}: {text}", "\r\033[K" if self.terminal else "", "\n")

    def _write(self, line, before, after):
        print(before + line, end=after, file=sys.stderr, flush=True)


def stop_on_ctrl_c():
    """Each nbclient takes Ctrl-C for its own notebook only, and only while it runs; this stops all of them."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: [task.cancel() for task in asyncio.all_tasks(loop)])


class Client(NotebookClient):
    """Runs cells as nbconvert does, and takes progress messages out of the outputs."""

    def __init__(self, notebook, report):
        super().__init__(
            notebook, kernel_name="python3", timeout=None, record_timing=False, coalesce_streams=True,
            on_notebook_start=lambda notebook: stop_on_ctrl_c(),
            on_cell_start=lambda cell, cell_index: self.start(cell, cell_index),
        )
        self.report = report
        self.current = None
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.update(outputs=[], execution_count=None)

    def start(self, cell, cell_index):
        self.current = cell
        self.say(cell_index)

    def say(self, cell_index, text=""):
        self.report(f"cell {cell_index + 1}/{len(self.nb.cells)} {text}".strip())

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        if content.get("metadata", {}).get("progress"):
            self.say(cell_index, content["data"].get("text/plain", ""))
            return None
        return super().process_message(msg, cell, cell_index)


def clean(notebook):
    """Removes what differs between machines: the Python version, and frames outside the notebook."""
    notebook.metadata.language_info.pop("version", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                output.traceback = [frame for frame in output.traceback if not re.match(r"(\x1b\[[\d;]*m)*File ", frame)]


def keep_pictures(notebook, before):
    """Puts back each picture of `before`, `{cell id: outputs}`, that looks the same."""
    for cell in notebook.cells:
        old = [output.data for output in before.get(cell.id, []) if "image/png" in output.get("data", {})]
        new = [output.data for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
        for one, other in zip(old, new):
            if distance(one["image/png"], other["image/png"]) <= SAME:
                other["image/png"] = one["image/png"]


def missing_error(notebook):
    """The first cell that must raise (tag `raises-exception`) and did not, or None."""
    for cell in notebook.cells:
        if "raises-exception" in cell.metadata.get("tags", []):
            if not any(output.output_type == "error" for output in cell.outputs):
                return cell
    return None


async def run(path, status, slots):
    """Executes one notebook; False if anything went wrong."""
    async with slots:
        start = time.monotonic()
        status.update(path.name, "starts")
        notebook = nbformat.read(path, as_version=4)
        before = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
        client = Client(notebook, lambda text: status.update(path.name, text))
        try:
            await client.async_execute(cwd=path.parent, stderr=subprocess.DEVNULL)  # the kernel's own log
            problem, cell = None, missing_error(notebook)
            if cell:
                problem = f"{path}, cell [{cell.execution_count}] is to raise an exception and did not:\n{cell.source}"
        except CellExecutionError as error:
            problem = f"{path}, cell [{client.current.execution_count}]: {error}"
        except Exception as error:  # the kernel died, or did not start
            problem = f"{path}: {type(error).__name__}: {error}"
        finally:
            atexit.unregister(client._cleanup_kernel)  # already done, also after Ctrl-C; nbclient forgets to say so then
            stop_on_ctrl_c()  # nbclient has taken the handlers away, with other notebooks still running
        if problem:
            status.finish(path.name, f"FAILED, left as it was\n\n{problem}\n")
            return False
        for cell in notebook.cells:
            if "nbval-ignore-output" in cell.metadata.get("tags", []) and before[cell.id]:
                cell.outputs = before[cell.id]
        keep_pictures(notebook, before)
        clean(notebook)
        write(notebook, path)
        status.finish(path.name, f"done in {time.monotonic() - start:.0f} s")
        return True


def write(notebook, path):
    text = nbformat.writes(notebook) + "\n"
    if text != path.read_text(encoding="utf-8"):
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


async def main():
    parser = argparse.ArgumentParser(description="Execute notebooks in place.")
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at a time")
    parser.add_argument("notebooks", type=Path, nargs="+")
    arguments = parser.parse_args()
    status, slots = Status(), asyncio.Semaphore(arguments.jobs)
    done = await asyncio.gather(*(run(path, status, slots) for path in arguments.notebooks))
    return not all(done)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except asyncio.CancelledError:
        sys.exit("\nstopped: the notebooks that were running are as they were")
