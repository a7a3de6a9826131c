import json
import sys

import pytest
import torch

from attention_zoo import filters
from attention_zoo.costs import count_flops, cpu_allocator_peak
from benchmarks import __main__ as everything
from benchmarks import adapters, approximation, event_loop, gfsa_cost, loading, startup, tables
from benchmarks import filters as filter_costs
from benchmarks.peers import __main__ as peers
from benchmarks.peers import checkout, steps
from benchmarks.peers.model import build_peer
from benchmarks.timing import Comparison
from lra.measure.timing import Spread
from lra.protocols import get_protocol, override

TINY = ["task.min_length=8", "task.max_length=64", "model.dim=16", "model.ffn=8", "model.head=8"]
FEW = ["--batch", "2", "--batches", "1", "--repetitions", "1", "--set", *TINY]


@pytest.fixture
def printed(monkeypatch, capsys):
    """Runs a benchmark in this process: what it printed."""

    for module in (gfsa_cost, filter_costs, loading, steps):  # it would for all other tests
        monkeypatch.setattr(module, "keep_freed_memory", lambda: None)

    def run(benchmark, *words):
        monkeypatch.setattr(sys, "argv", [benchmark.__name__, *words])
        benchmark.main()
        return capsys.readouterr().out

    return run


def first_cells(table):
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")]
    return [(row[1].strip(), row[2].strip()) for row in rows[1:]]


def test_gfsa_cost_prints_its_ratios(printed):
    words = ["--batch", "1", "--repetitions", "1", "--lengths", "32", "64", "--dense-length", "32"]
    out = printed(gfsa_cost, *words, "--set", *TINY)
    pairs = [(name.rpartition(": ")[2], base) for name, base in first_cells(out)]
    layers = [name for name in gfsa_cost.GOALS for _ in range(1 + (name == "linear"))]
    assert pairs == [
        *((f"{name}+gfsa", name) for name in layers + list(gfsa_cost.FACTORED)),
        *2 * [("linear+gfsa", "three products")],
        ("released dense formulation", "linear+gfsa"),
    ]


def test_every_ratio_is_printed_beside_its_goal_and_written(tmp_path, printed):
    file = tmp_path / "new" / "ratios.json"
    words = [*FEW, "--attn", "linear", "linear+gfsa", "--lengths", "32", "--out", str(file)]
    out = printed(everything, *words)
    *others, packed, filtered, peer = first_cells(out)
    pairs = {(name.rpartition(": ")[2], base) for name, base in others}
    assert {(f"sdpa+{name}", "sdpa") for name in filters()} < pairs
    assert ("linear, masked", "linear") in pairs
    assert packed == ("linear, padded", "linear, ours")
    assert filtered == ("linear+gfsa, padded", "linear+gfsa, ours")
    assert peer == ("linear, others' way", "linear, ours")
    written = json.loads(file.read_text())
    assert [(row["name"], row["base"]) for row in written["rows"]] == first_cells(out)
    assert written["rows"][-1]["least"] == 1.8 and written["rows"][0]["most"] == 1.12
    assert f"{100 * written['real_share']:.0f} % of them real" in out
    assert written["command"].startswith("python -m benchmarks --batch 2")
    assert written["environment"]["threads"] == torch.get_num_threads()


def test_what_each_filter_adds_is_printed_beside_its_base(printed):
    words = [
        "--attn",
        "linear",
        "--filters",
        "mean",
        "vit-",
        "--lengths",
        "32",
        "--repetitions",
        "1",
    ]
    out = printed(filter_costs, *words, "--repetitions", "1")
    pairs = [(name.rpartition(": ")[2], base) for name, base in first_cells(out)]
    assert pairs == [("linear+mean", "linear"), ("linear+vit-", "linear")]


def test_peers_prints_each_beside_ours(printed):
    out = printed(peers, *FEW, "--attn", "nystrom", "hf", "hf-sdpa")
    assert first_cells(out) == [
        ("nystrom, others' way", "nystrom, ours"),
        ("hf, others' way", "sdpa, ours"),
        ("hf-sdpa, others' way", "sdpa, ours"),
    ]


def test_a_goal_within_the_spread_is_told_from_one_that_is_met():
    def verdict(low, median, high, **goal):
        same = Spread.of([1.0])
        ratio = Spread.of([low, median, high])
        return Comparison("a", "b", 1.0, 1.0, ratio, same, **goal).verdict

    assert verdict(1.0, 1.1, 1.1, most=1.12) == verdict(1.9, 2.0, 2.1, least=1.8) == "met"
    assert verdict(1.2, 1.3, 1.4, most=1.12) == verdict(1.5, 1.6, 1.7, least=1.8) == "missed"
    assert verdict(1.1, 1.2, 1.3, most=1.12) == "unclear"
    assert verdict(1.0, 1.0, 1.0) == ""


def test_ours_works_on_real_tokens_alone_and_peers_on_all():
    """Operations of a step of `linear`: those of the layers go with the tokens, exactly."""
    protocol, _ = override(get_protocol("nystromformer", "listops"), ["model.dropout=0"])
    B, N, cpu, settings = 4, 600, torch.device("cpu"), protocol.model
    keep = torch.arange(N) < torch.tensor([[600], [270], [257], [260]])
    batch = torch.ones(B, N, dtype=torch.long), keep, torch.zeros(B, dtype=torch.long)
    head = 6 * B * (settings.dim * settings.head + settings.head * 10)

    def step(pair):
        made = steps.step_of(*pair, [batch], protocol, cpu, "32-true")
        made()  # the optimiser has its state
        return made

    packed, padded = (step(steps.ours("linear", protocol, cpu, pads)) for pads in (False, True))
    peer = step(steps.theirs(build_peer("linear", settings, 10), protocol, cpu))
    flops = [count_flops(one)[0] - head for one in (packed, padded, peer)]
    assert flops[0] * B * N == flops[1] * int(keep.sum())
    # Of a token and layer: four projections and the FFN, forward and twice backward, with φ(k)ᵀv
    # and φ(q)(φ(k)ᵀv), where ours has the normaliser besides.
    C, D, width = settings.dim, settings.dim // settings.heads, settings.ffn
    assert flops[2] == 6 * settings.layers * B * N * (4 * C * C + 2 * C * width + 2 * C * D)
    assert flops[2] <= flops[1] < 1.05 * flops[2]
    assert cpu_allocator_peak(packed) < 0.7 * cpu_allocator_peak(padded)


CODE = """
import torch
{imported}
class ModelForSC(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        assert config["attention_dropout"] == 0 and not config["attention_grad_checkpointing"]
        self.embed = torch.nn.Embedding(config["vocab_size"], config["max_seq_len"] // 512)
        self.model = lambda tokens, mask: self.embed(tokens) * mask[..., None]
        self.seq_classifer = lambda x: x.mean(1).repeat(1, 10 // x.shape[-1] + 1)[:, :10]
        self.grad_checkpointing = True
"""
CONFIG = """
extra = {"attention_grad_checkpointing": False}
model = {"vocab_size": 32, "max_seq_len": 2000, "attention_dropout": 0.1}
config = {"listops": {"model": model, "extra_attn_config": {"linear": extra, "nystrom-64": extra}}}
"""


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """What stands for a clone of Nyströmformer, whose modules have names that others have, too."""
    folder = tmp_path / "clone" / "LRA" / "code"
    folder.mkdir(parents=True)
    (folder / "model_wrapper.py").write_text(CODE.format(imported=""))
    (folder / "lra_config.py").write_text(CONFIG)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path / "clone"
    for name in ("model_wrapper", "lra_config"):
        sys.modules.pop(name, None)


def test_a_checkout_is_timed_beside_ours(clone, tmp_path, printed):
    file = tmp_path / "peer.json"
    words = [str(clone), *FEW, "--attn", "linear", "nystrom-64", "--out", str(file)]
    out = printed(checkout, *words)
    assert first_cells(out) == [
        ("linear, Nystromformer", "linear, ours"),
        ("nystrom-64, Nystromformer", "nystrom, ours"),
    ]
    written = json.loads(file.read_text())
    assert written["peer"] == "Nystromformer" and written["lengths"] == [2048]
    assert " Nystromformer --batch" in written["command"] and str(clone) not in written["command"]


def test_what_is_no_checkout_or_lacks_a_package_is_one_line(clone, tmp_path, printed, capsys):
    def refusal(*words):
        with pytest.raises(SystemExit) as stopped:
            steps.guarded(lambda: printed(checkout, *words))
        assert stopped.value.code == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    assert f"{tmp_path} is none of Nystromformer (LRA/code/model" in refusal(str(tmp_path))
    assert "--batches and --repetitions must" in refusal(str(clone), "--batches", "0")
    assert "did you mean 'linear'" in refusal(str(clone), "--attn", "linera")
    (clone / "LRA" / "code" / "model_wrapper.py").write_text(CODE.format(imported="import nope"))
    assert "there is no module nope; install nope" in refusal(str(clone), *FEW, "--attn", "linear")


def test_loading_prints_its_share_of_a_step(printed):
    words = ["--task", "retrieval", "image", "--batches", "2", "--budget", "0.1"]
    words += ["--set", "training.batch=4", "model.dim=16"]
    out = printed(loading, *words)
    assert "4 × 4,000:" in out and "4 × 1,024:" in out
    assert out.count(" %") == 2


def test_tables_prints_what_reading_and_rendering_take(printed):
    out = printed(tables, "--runs", "20")
    assert "20 runs: read in " in out and " s, tabled in " in out


def test_startup_prints_processor_seconds(printed):
    out = printed(startup, "--light", "--repetitions", "1")
    assert out.count(" s (at most ") == 3 and "run_lra.py --help: " in out


def test_approximation_prints_errors_beside_costs(printed):
    words = ["--length", "32", "--budgets", "4", "--scales", "0.5", "--draws", "2"]
    out = printed(approximation, *words, "--repetitions", "1")
    head, *rows = [line for line in out.splitlines() if line.startswith("|")]
    assert "Ā noise 0.5" in head and "Āv smooth 0.5" in head and "peak MB" in head
    for name in ("performer:features=4", "rfa:features=4", "skyformer:features=4", "yoso:hashes=4"):
        assert any(name in row and row.count("±") == 3 for row in rows)
    for name in ("softmax", "softmax of q/|q|, k/|k|", "kernelized", "yoso-e"):
        assert any(f"| {name} " in row and "exact" in row for row in rows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a CUDA device")
def test_the_loop_of_cuda_events_needs_cuda(printed):
    with pytest.raises(SystemExit, match=r"^benchmarks\.event_loop: it needs a CUDA device.*$"):
        printed(event_loop, "sheet.json")


@pytest.mark.parity
def test_adapters_prints_models_with_and_without_gfsa(printed, monkeypatch):
    monkeypatch.setattr(adapters, "keep_freed_memory", lambda: None)
    words = ["--small", "--device", "cpu", "--lengths", "8", "16", "--repetitions", "1"]
    rows = [line.split("|") for line in printed(adapters, *words).splitlines() if "GFSA" in line]
    assert len(rows) == 2 * 2 * 3
    assert {row[1].strip() for row in rows} == {"BERT", "GPT-2"}
    assert all(float(cell) > 0 for row in rows for cell in row[4:8])
