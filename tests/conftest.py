"""What nbval leaves out: pictures, stripped outputs, and exceptions that were to come and did not."""

import os

import pytest
import torch
from hypothesis import settings
from nbval.plugin import IPyNbCell

from pictures import distance

# Nobody listens to the kernels that the tests start, also where the tests themselves run in a notebook's terminal.
os.environ.pop("JPY_SESSION_NAME", None)

settings.register_profile("here", derandomize=True, deadline=None, database=None, max_examples=60)
settings.load_profile("here")

# Of 255 grey levels, root mean square. A line drawn 7 % thicker gives about 1; data scaled by 2 % about 13.
PICTURE_TOLERANCE = 2.0


def pictures(outputs):
    """The PNG pictures among a cell's outputs, in base64."""
    return [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def difference(stored, new):
    """What is wrong between the two lists of pictures, or None."""
    if len(stored) != len(new):
        return f"{len(stored)} pictures are stored, {len(new)} came"
    for old_picture, new_picture in zip(stored, new):
        rms = distance(old_picture, new_picture)
        if rms > PICTURE_TOLERANCE:
            return f"a picture differs from the stored one: RMS {rms:.1f}, allowed {PICTURE_TOLERANCE}"
    return None


class BesideNbval:
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        result = yield
        if isinstance(item, IPyNbCell):
            problem = self.problem(item)
            if problem:
                item.raise_cell_error(f"{problem}. If that is right: make run")
        return result

    def problem(self, item):
        cell, new = item.cell, item.test_outputs
        if cell.source.strip() and cell.execution_count is None:
            return "The cell was never run"
        if new and not cell.outputs:
            return "The cell has an output, but none is stored"
        if item.options["check_exception"] and not any(output.output_type == "error" for output in new):
            return "The cell is to raise an exception (tag raises-exception) and did not"
        if item.options["check"]:
            return difference(pictures(cell.outputs), pictures(new))
        return None


def pytest_configure(config):
    # Registered, because the hooks of this file itself see only the tests in this folder.
    config.pluginmanager.register(BesideNbval())


@pytest.fixture
def float64():
    """Torch's default dtype is float64 for one test, and its random state starts at 0."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)
