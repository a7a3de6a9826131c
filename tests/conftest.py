import gc
import importlib.metadata
import importlib.util
import signal
from multiprocessing import forkserver
from pathlib import Path

import pytest
import torch
from hypothesis import settings

settings.register_profile("here", deadline=None)  # wall time is never asserted
settings.load_profile("here")

# torchvision from PyPI declares fakes of operators that it brings for CUDA alone.
if (
    importlib.util.find_spec("torchvision")
    and torch.version.cuda is None
    and "+cpu" not in importlib.metadata.version("torchvision")
):
    TORCHVISION = torch.library.Library("torchvision", "DEF")
    for function in ("nms", "qnms"):
        TORCHVISION.define(f"{function}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

# All jobs of a session are forked from one process that has imported what any of them needs.
forkserver.set_forkserver_preload(["lra.jobs.server", "lra.run.carry", "lra.measure.answers"])

# Files whose tests train, start processes, draw data or go over the whole registry: `make check`
# leaves them out. Of the contract it keeps what finds most mistakes.
TESTS = Path(__file__).parent
SLOW = {
    "test_benchmarks.py",
    "test_examples.py",
    *(
        f"attention_zoo/test_{name}.py"
        for name in ("approximation", "costs", "dropout", "edges", "flops", "testing")
    ),
    *(
        f"lra/test_{name}.py"
        for name in (
            *("attention_dropout", "checkpoints", "cli", "cli_tasks", "damage", "devices"),
            *("download", "download_left", "filter_weights", "fractions_cli", "fuzz", "grid"),
            *("jobs", "kill"),
            *("listops", "measure", "pathfinder_generator", "precision", "prepare", "records_cli"),
            *(
                "checking",
                "corruptions_cli",
                "rerun",
                "startup",
                "step",
                "stopping",
                "store",
                "tasks",
                "training",
            ),
        )
    ),
}
FOLDERS = ("lra/analysis", "lra/measure", "lra/results/figures", "lra/results/report")
KEPT = ("reference", "poison", "rows")


def pytest_collection_modifyitems(items):
    for item in items:
        file = item.path.relative_to(TESTS)
        slow = str(file) in SLOW or any(file.is_relative_to(folder) for folder in FOLDERS)
        if slow or (file.parts[0] == "contract" and not any(word in item.name for word in KEPT)):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    """What is imported stays, and no garbage collection looks at it: each measurement of memory
    begins with one, which took a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def impatient():
    """Fails what waits for minutes."""

    def fail(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def xformers_on_cpu(monkeypatch):
    """A dense reference in the place of the one function that the xformers adapter imports."""
    ops = pytest.importorskip("xformers.ops", reason="xformers is not installed")

    def dense(q, k, v, attn_bias=None, p=0.0):  # (B, N, H, D)
        scores = torch.einsum("bihd,bjhd->bhij", q, k) * q.shape[-1] ** -0.5
        if attn_bias is not None:
            padded = isinstance(attn_bias, ops.fmha.BlockDiagonalMask)
            assert q.shape[0] == 1 or not padded, "a padded batch is packed into one sequence"
            bias = attn_bias.materialize(scores.shape[-2:], device=q.device)
            scores = scores + bias.to(scores.dtype)
        at_least_float32 = torch.promote_types(scores.dtype, torch.float32)
        weights = scores.softmax(-1, dtype=at_least_float32).to(v.dtype)
        weights = torch.nn.functional.dropout(weights, p)
        return torch.einsum("bhij,bjhd->bihd", weights, v)

    monkeypatch.setattr(ops, "memory_efficient_attention", dense)
