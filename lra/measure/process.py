"""Measurement in a process of its own: a fresh allocator, no inherited peak, no poisoned row."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from attention_zoo import UsageError
from lra.files import write_json
from lra.measure.variant import Measurement
from lra.run_config import RunConfig
from lra.typed import load


def measure_apart(config: RunConfig) -> Measurement:
    """The Measurement of a run's variant; UsageError where the process cannot give one."""
    with tempfile.TemporaryDirectory() as folder:
        job, result = Path(folder, "job.json"), Path(folder, "result.json")
        content = {
            "attention": str(config.attention),
            "task": config.task,
            "protocol": asdict(config.protocol),
            "accelerator": config.accelerator,
            "precision": config.precision,
            "plugins": config.plugins,
        }
        write_json(job, content)
        search = os.pathsep.join(path or os.getcwd() for path in sys.path)
        process = subprocess.run(
            [sys.executable, "-m", "lra.measure.worker", str(job), str(result)],
            env=os.environ | {"PYTHONPATH": search, "KINETO_LOG_LEVEL": "5"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if process.returncode == 0:
            return load(Measurement, json.loads(result.read_text()), "measurement")
    raise UsageError(f"measuring {config.attention} failed: {_reason(process)}")


def _reason(process: subprocess.CompletedProcess) -> str:
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        return f"killed by {name}" + (", probably out of memory" if name == "SIGKILL" else "")
    lines = [line for line in process.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {process.returncode}"
