"""Do the stored outputs hold on other processors? Runs nbval over all notebooks with other numbers
of threads, and with the instruction sets of an old processor; prints a table. Takes long."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROCESSORS = {
    "this one": {},
    "an old one": {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}
THREADS = "1", "2", "4"


def main():
    parser = argparse.ArgumentParser(description="Check the stored outputs as other processors would compute them.")
    parser.add_argument("--jobs", default="1", help="notebooks at a time")
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "pytest", "-q", "-n", arguments.jobs, "--dist", "loadfile"]
    command += ["--ignore-glob=*/test_*.py"]  # the notebooks only, with the checks of tests/conftest.py
    failed = False
    print(f"{'processor':12}  threads  result", flush=True)
    for processor, variables in PROCESSORS.items():
        for threads in THREADS:
            start = time.monotonic()
            # Passive: threads that wait give way, or more threads than cores would block each other.
            environment = os.environ | variables | {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
            result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
            verdict = "FAIL" if result.returncode else "pass"
            print(f"{processor:12}  {threads:>7}  {verdict}  ({time.monotonic() - start:.0f} s)", flush=True)
            if result.returncode:
                failed = True
                print(result.stdout[-6000:] + result.stderr, file=sys.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
