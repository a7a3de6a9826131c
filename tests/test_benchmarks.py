import subprocess
import sys

from lra.system.environment import ROOT


def test_gfsa_cost_prints_its_ratios():
    words = ["--batch", "1", "--repetitions", "1", "--lengths", "32", "64", "--dense-length", "32"]
    command = [sys.executable, "-m", "benchmarks.gfsa_cost", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for ratio in ("× linear, ", "× three products", "× sdpa", "× performer", "training step"):
        assert ratio in done.stdout
    assert "released dense formulation" in done.stdout
