import os
import platform
import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

from attention_zoo import UsageError, build_attention, parse_spec
from attention_zoo.costs import (
    count_flops,
    cpu_allocator_peak,
    packed_flash,
    packed_flash_backward,
)
from lra.measure import dialogue
from lra.measure.runs import measure_in_turns
from lra.measure.timing import LEAST, MOST, time_step
from lra.measure.variant import steps_of
from lra.protocols import get_protocol, override
from lra.system.allocator import KERNELS, keep_few_kernels
from lra.system.environment import ROOT

from .tiny import config

B, H, D = 2, 2, 8


def training_pass(spec, N):
    attention = build_attention(spec, heads=H, head_dim=D, max_len=N)
    q, k, v = (torch.randn(B, H, N, D, requires_grad=True) for _ in range(3))
    keep = torch.ones(B, N, dtype=torch.bool)
    return lambda: (attention(q, k, keep) @ v).sum().backward()


def forward_pass(spec, N):
    attention = build_attention(spec, heads=H, head_dim=D, max_len=N)
    q, k, v = torch.randn(3, B, H, N, D).unbind()
    return torch.no_grad()(lambda: attention(q, k) @ v)


def test_the_allocator_peak_is_exact():
    def step():
        a = torch.empty(1000, dtype=torch.uint8)
        b = torch.empty(5000, dtype=torch.uint8)
        del a
        c = torch.empty(3000, dtype=torch.uint8)
        del b, c
        return torch.empty(2000, dtype=torch.uint8)

    step()
    assert cpu_allocator_peak(step) == 8000


@pytest.mark.parametrize("spec", ["efficient", "linear+gfsa", "linear+gfsa:K=5,mode=power"])
def test_factored_attentions_grow_exactly_linearly(spec):
    """The same bytes and operations are added from N to 2N as, twice over, from 2N to 4N."""
    for count in (cpu_allocator_peak, lambda step: count_flops(step)[0]):
        a, b, c = (count(training_pass(spec, N)) for N in (512, 1024, 2048))
        assert c - b == pytest.approx(2 * (b - a), rel=1e-3)
        assert 1.8 < b / a <= 2.01


def test_dense_and_fused_softmax_grow_as_declared():
    memory = {
        spec: [cpu_allocator_peak(training_pass(spec, N)) for N in (1024, 2048)]
        for spec in ("softmax+gfsa", "sdpa+gfsa")
    }
    assert memory["softmax+gfsa"][1] / memory["softmax+gfsa"][0] > 3.5
    assert memory["sdpa+gfsa"][1] / memory["sdpa+gfsa"][0] < 2.1
    flops = [count_flops(training_pass("sdpa+gfsa", N))[0] for N in (512, 1024)]
    assert flops[1] / flops[0] == pytest.approx(4)


def test_fused_cpu_attention_is_counted_and_named():
    flops, kernels = count_flops(training_pass("sdpa:backend=flash", 64))
    assert kernels == ["aten._scaled_dot_product_flash_attention_for_cpu"]
    forward = 2 * 2 * B * H * 64 * 64 * D
    assert flops == forward + 2.5 * forward  # the backward pass recomputes the scores
    assert count_flops(forward_pass("linear", 64))[1] == ["aten.bmm"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_kept_for_the_next_allocation():
    """Page faults of large tensors, in a process of its own: it changes the C library's state."""
    code = """
import resource, torch
from lra.system.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.zeros(16 << 20).add_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

plain = faults()
keep_freed_memory()
faults()
assert faults() < plain / 10, (plain, faults())
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_few_kernels_are_kept_unless_the_environment_says_otherwise(monkeypatch):
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.delenv(name, raising=False)
    keep_few_kernels()
    assert os.environ[name] == str(KERNELS) == "16"
    monkeypatch.setenv(name, "1024")
    keep_few_kernels()
    assert os.environ[name] == "1024"


def test_timing_repeats_within_its_bounds():
    calls = []
    timing = time_step(lambda: calls.append(1), torch.device("cpu"), budget=10.0)
    assert timing.n == MOST and len(calls) == MOST + 1
    assert 0 <= timing.p20_ms <= timing.median_ms <= timing.p80_ms
    assert time_step(lambda: None, torch.device("cpu"), budget=0.0).n == LEAST


def test_a_variant_and_its_base_are_measured_in_processes_of_their_own():
    plain, filtered = measure_in_turns(config(), ["linear+gfsa"], lambda *_: 0.0).values()
    assert (plain.batch, plain.length, plain.micro_batch) == (8, 32, None)
    assert filtered.parameters == plain.parameters + 12
    assert plain.over_softmax == 0 < filtered.over_softmax
    assert filtered.training_flops > plain.training_flops > plain.forward_flops
    assert plain.training_step.n == plain.forward.n == filtered.training_step.n == LEAST
    assert plain.examples_per_second == pytest.approx(8e3 / plain.training_step.median_ms)
    assert set(plain.memory) == {"cpu_allocator_peak", "process_rss_peak"}
    assert 1e5 < plain.memory["cpu_allocator_peak"] < 1e8 < plain.memory["process_rss_peak"]
    assert plain.ratio is None and filtered.ratio.times.n == filtered.ratio.control.n == LEAST
    (again,) = measure_in_turns(config("linear+gfsa"), [], lambda *_: 0.0).values()
    assert again.memory["cpu_allocator_peak"] == filtered.memory["cpu_allocator_peak"]
    assert again.training_flops == filtered.training_flops and again.ratio is None


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ("killed", "measuring linear: killed by SIGKILL, probably out of memory"),
        ("leave", "measuring linear: its process ended .* the device is on fire"),
    ],
)
def test_a_measurement_that_dies_says_why(monkeypatch, job, message):
    monkeypatch.setattr(dialogue, "JOB", f"tests.lra.jobs:{job}")
    with pytest.raises(UsageError, match=message):
        measure_in_turns(config(), [], lambda *_: 0.0)


def test_packed_flash_is_counted_as_the_fused_kernel_of_torch_is():
    """xformers' 16-bit kernels, which run on CUDA only, by their formula."""
    q = torch.empty(3, 50, H, D)
    assert packed_flash(q, q, q, None) == sdpa_flop_count(*[(3, H, 50, D)] * 3)
    backward = packed_flash_backward(True, q, q, q, q, q, q, None)
    assert backward == sdpa_backward_flop_count(*[(3, H, 50, D)] * 4)
    packed, offsets = torch.empty(70, H, D), torch.tensor([0, 50, 70], dtype=torch.int32)
    expected = sum(sdpa_flop_count(*[(1, H, n, D)] * 3) for n in (50, 20))
    assert packed_flash(packed, packed, packed, offsets) == expected


def test_memory_of_path_x_grows_linearly_in_its_length():
    """Exact bytes of a training step at N = 1,024, 4,096 and 16,384."""
    peaks = []
    for task in ("pathfinder", "pathfinder64", "pathx"):
        small = ["training.batch=1", "model.dim=16", "model.inner=16"]
        protocol, _ = override(get_protocol("google", task), [*small, "model.layers=1"])
        steps = steps_of(
            parse_spec("linear+gfsa"),
            task,
            protocol,
            device=torch.device("cpu"),
            precision="32-true",
        )
        steps.training()  # makes the optimiser's state
        peaks.append(cpu_allocator_peak(steps.training))
    assert 3.5 < peaks[1] / peaks[0] < 4.5 and 3.5 < peaks[2] / peaks[1] < 4.5
