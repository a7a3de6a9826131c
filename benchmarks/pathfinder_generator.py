"""Pathfinder images drawn in a second: `python -m benchmarks.pathfinder_generator 32 64:easy`."""

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from lra.system.environment import commit, processor
from lra.tasks.pathfinder.draw import draw_images
from lra.tasks.pathfinder.parameters import LEVELS, drawing

SHORT = dict(zip(("easy", "intermediate", "hard"), LEVELS, strict=True))


def wanted(text):
    resolution, _, level = text.partition(":")
    return drawing(int(resolution), SHORT.get(level or "hard", level))


def rate(parameters, seed, seconds):
    """Images drawn in a second once everything is compiled."""
    draw_images(parameters, seed, 0, 1)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        draw_images(parameters, seed, count, 1)
        count += 1
    return count / (time.perf_counter() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", type=wanted, default=[wanted("32:hard")])
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{processor()}, {cores} cores, commit {commit()}")
    began = time.perf_counter()
    draw_images(options.sets[0], 0, 0, 1)
    print(f"first image: {time.perf_counter() - began:.1f} s, compiling included")
    with ProcessPoolExecutor(cores, get_context("spawn")) as executor:
        for parameters in options.sets:
            one = rate(parameters, 0, options.seconds)
            runs = [executor.submit(rate, parameters, i, options.seconds) for i in range(cores)]
            every = sum(run.result() for run in runs)
            print(
                f"{parameters.resolution} {parameters.level}: {one:.1f} images/s in one process, "
                f"{every:.1f} in {cores}"
            )


if __name__ == "__main__":
    main()
