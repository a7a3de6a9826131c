"""`python -m lra.measure.worker JOB.json RESULT.json`: measures in this fresh process."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from attention_zoo import UsageError, parse_spec
from attention_zoo.registry import load_plugin
from lra.allocator import keep_freed_memory
from lra.files import write_json
from lra.measure.variant import measure
from lra.protocols import Protocol
from lra.typed import load


def main() -> int:
    keep_freed_memory()
    job = json.loads(Path(sys.argv[1]).read_text())
    try:
        for plugin in job["plugins"]:
            load_plugin(plugin)
        measurement = measure(
            parse_spec(job["attention"]),
            job["task"],
            load(Protocol, job["protocol"]),
            device=torch.device(job["accelerator"]),
            precision=job["precision"],
        )
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    write_json(Path(sys.argv[2]), asdict(measurement))
    return 0


if __name__ == "__main__":
    sys.exit(main())
