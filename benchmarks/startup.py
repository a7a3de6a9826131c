"""Processor time until the command line answers: `python -m benchmarks.startup`."""

import argparse
import resource
import statistics
import subprocess
import sys

from lra.system.environment import ROOT, commit, processor

RUN = ["--task", "listops", "--attn", "linear"]
# What is typed, and the most seconds of processor time that it should take.
LINES = [
    (["--help"], 0.5),
    ([*RUN, "--colour", "red"], 1.0),
    ([*RUN, "--set", "training.stepz=1"], 1.0),
    ([*RUN[:3], "linaer"], 2.0),
    (["list"], 2.0),
    ([*RUN, "--dry-run"], None),
]


def processor_seconds(words):
    """User and system time of the command, its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, ROOT / "run_lra.py", *words], cwd=ROOT, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--light", action="store_true", help="only what imports no torch")
    options = parser.parse_args()
    print(f"{processor()}\ncommit {commit()}")
    for words, most in LINES[:3] if options.light else LINES:
        seconds = [processor_seconds(words) for _ in range(options.repetitions)]
        allowed = f" (at most {most:g} s)" if most else ""
        print(f"run_lra.py {' '.join(words)}: {statistics.median(seconds):.2f} s{allowed}")


if __name__ == "__main__":
    main()
