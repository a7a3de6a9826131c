import subprocess
import sys

import pytest
import torch

from lra.system.environment import ROOT


def test_gfsa_cost_prints_its_ratios():
    words = ["--batch", "1", "--repetitions", "1", "--lengths", "32", "64", "--dense-length", "32"]
    command = [sys.executable, "-m", "benchmarks.gfsa_cost", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for ratio in ("× linear, ", "× three products", "× sdpa", "× performer", "training step"):
        assert ratio in done.stdout
    assert "released dense formulation" in done.stdout


def test_loading_prints_its_share_of_a_step():
    words = ["--task", "retrieval", "image", "--batches", "2", "--budget", "0.1"]
    words += ["--set", "training.batch=4", "model.dim=16"]
    command = [sys.executable, "-m", "benchmarks.loading", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "4 × 4,000:" in done.stdout and "4 × 1,024:" in done.stdout
    assert done.stdout.count(" %") == 2


def test_tables_prints_what_reading_and_rendering_take():
    command = [sys.executable, "-m", "benchmarks.tables", "--runs", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "20 runs: read in 0." in done.stdout and " s, tabled in " in done.stdout


def test_approximation_prints_errors_beside_costs():
    words = ["--length", "32", "--budgets", "4", "--scales", "0.5", "--draws", "2"]
    command = [sys.executable, "-m", "benchmarks.approximation", *words, "--repetitions", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    head, *rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert "Ā noise 0.5" in head and "Āv smooth 0.5" in head and "peak MB" in head
    for name in ("performer:features=4", "rfa:features=4", "skyformer:features=4", "yoso:hashes=4"):
        assert any(name in row and row.count("±") == 3 for row in rows)
    for name in ("softmax", "softmax of q/|q|, k/|k|", "kernelized", "yoso-e"):
        assert any(f"| {name} " in row and "exact" in row for row in rows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a CUDA device")
def test_the_loop_of_cuda_events_needs_cuda():
    command = [sys.executable, "-m", "benchmarks.event_loop", "sheet.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "CUDA device" in done.stderr
