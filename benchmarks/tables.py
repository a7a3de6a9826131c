"""How long tables of many runs take, all made up: `python -m benchmarks.tables`."""

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import attention_zoo
from lra.results.reading import read_records
from lra.results.record import RECORD, read_record
from lra.results.tables import render, tables_of
from lra.system.environment import ROOT, commit, processor

SEEDS = 100
TASKS = ("listops", "text", "retrieval", "image", "pathfinder")


def made_up(count):
    """Records of every attention with and without gfsa, on five tasks, of up to 100 seeds."""
    base = read_record(next(ROOT.glob(f"results/reference/quick-cpu/runs/*/{RECORD}")))
    names = [name + filtered for name in attention_zoo.names() for filtered in ("", "+gfsa")]
    draws = random.Random(0)
    for i, (seed, task, name) in enumerate(itertools.product(range(SEEDS), TASKS, names)):
        if i == count:
            return
        test = replace(base.test, accuracy=draws.uniform(0.2, 0.6))
        yield replace(base, identity=f"{i:016x}", task=task, attention=name, seed=seed, test=test)


def write(results, count):
    for record in made_up(count):
        folder = results / "runs" / f"{record.task}-{record.attention}-s{record.seed}"
        folder.mkdir(parents=True)
        (folder / RECORD).write_text(json.dumps(asdict(record), indent=1))


def read(results):
    return list(read_records(results))


def tabled(records):
    return render(tables_of(records), "github")


def seconds(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def command(*words):
    subprocess.run([sys.executable, ROOT / "run_lra.py", *words], capture_output=True, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[200, 2_000, 10_000])
    parser.add_argument("--commands", action="store_true", help="time whole commands, too")
    options = parser.parse_args()
    print(f"{processor()}\ncommit {commit()}")
    for count in options.runs:
        with tempfile.TemporaryDirectory() as folder:
            results = Path(folder)
            write(results, count)
            reading, records = seconds(read, results)
            rendering, _ = seconds(tabled, records)
            assert len(records) == count
            print(f"{count:,} runs: read in {reading:.2f} s, tabled in {rendering:.2f} s")
            for words in (["table"], ["results", "list"]) if options.commands else ():
                whole, _ = seconds(command, *words, "--results", folder)
                print(f"  run_lra.py {' '.join(words)}: {whole:.2f} s with its imports")


if __name__ == "__main__":
    main()
