"""The machine, the versions and the commit that a number comes from."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import torch

from lra.typed import frozen

PACKAGES = ("torch", "numpy", "pytorch-lightning", "xformers", "triton")
ROOT = Path(__file__).resolve().parents[2]


@frozen
class Environment:
    """device: the processor's or GPU's name. matmul: torch's float32 precision (TF32 or not).
    commit: `+` where the checkout had changes, None outside one."""

    device: str
    cores: int | None
    threads: int
    memory_gb: float
    platform: str
    python: str
    versions: dict[str, str]
    cuda: str | None
    matmul: str
    commit: str | None

    @property
    def machine(self) -> str:
        """What decides times, in a few words."""
        return machine_words(self.device, self.threads, self.versions.get("torch"))

    @property
    def short_commit(self) -> str:
        return short_commit(self.commit)


def machine_words(device: str, threads: int, torch: str | None) -> str:
    return f"{device}, {threads} thread{'s' * (threads != 1)}, torch {torch}"


def short_commit(commit: str | None) -> str:
    return "unknown" if commit is None else commit[:12] + "+" * commit.endswith("+")


def environment(device: torch.device) -> Environment:
    cuda = device.type == "cuda"
    return Environment(
        device=torch.cuda.get_device_name(device) if cuda else processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        threads=torch.get_num_threads(),
        memory_gb=round(
            torch.cuda.get_device_properties(device).total_memory / 1e9 if cuda else _main_memory(),
            1,
        ),
        platform=platform.platform(),
        python=platform.python_version(),
        versions={name: version for name in PACKAGES if (version := _version(name))},
        cuda=torch.version.cuda,
        matmul=torch.get_float32_matmul_precision(),
        commit=commit(),
    )


def processor() -> str:
    """The CPU's name as its maker gives it, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit() -> str | None:
    """The checkout's commit, with `+` where tracked files differ from it."""
    try:
        if Path(_git("rev-parse", "--show-toplevel")).resolve() != ROOT:
            return None
        head = _git("rev-parse", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    # Without a lock: a run that is killed here must not leave one in the user's checkout.
    command = ["git", "--no-optional-locks", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _main_memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
