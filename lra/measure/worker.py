"""`python -m lra.measure.worker JOB.json RESULT.json`: measures in this fresh process."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from attention_zoo import UsageError
from attention_zoo.registry import load_plugin
from lra.failures import OutOfMemory, memory_errors
from lra.measure.process import OUT_OF_MEMORY
from lra.measure.variant import measure
from lra.run_config import RunConfig
from lra.system.allocator import keep_freed_memory
from lra.system.children import obey_parent
from lra.system.files import write_json
from lra.system.memory import limit_memory
from lra.system.threads import fix_threads


def main() -> int:
    obey_parent()
    keep_freed_memory()
    fix_threads()
    job = json.loads(Path(sys.argv[1]).read_text())
    try:
        for plugin in job["config"]["plugins"]:
            load_plugin(plugin)
        config = RunConfig.from_json(job["config"])
        if job["memory"] is not None:
            limit_memory(job["memory"])
        with memory_errors():
            measurement = measure(
                config.attention,
                config.task,
                config.protocol,
                device=torch.device(config.accelerator),
                precision=config.precision,
                micro=config.micro_batch,
            )
    except OutOfMemory as error:
        print(error, file=sys.stderr)
        return OUT_OF_MEMORY
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    write_json(Path(sys.argv[2]), asdict(measurement))
    return 0


if __name__ == "__main__":
    sys.exit(main())
