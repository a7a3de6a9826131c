"""The command without a name: a grid of runs, planned, then run."""

import argparse

from attention_zoo import __version__
from lra.cli.common import say
from lra.cli.main import COMMANDS
from lra.cli.options import PROGRAM, Parser, add, require_settings
from lra.cli.run.grid_file import GridParser
from lra.system import interrupts

EXAMPLES = """\
examples:
  python run_lra.py --task listops --attn linear+gfsa
  python run_lra.py --task listops --attn linear linear+gfsa --seed 0 1 2 --protocol quick
  python run_lra.py --task listops --attn performer:features=128+gfsa:K=4,mode=power
  python run_lra.py --task listops --attn linear "linear+gfsa:K={2,3,5},mode={taylor,power}"
  python run_lra.py --task listops --attn sdpa --set training.steps=1000 task.train=20000
  python run_lra.py --task listops --attn linear --set training.learning_rate=1e-4,3e-4 --jobs 2
  python run_lra.py --task pathfinder --attn linear+gfsa --source generated
  python run_lra.py --task image --attn linear linear+gfsa --train-fraction 0.1 0.5 1
  python run_lra.py --grid examples/sweep.toml --jobs 2

commands (each has its own --help):
"""


def parser() -> Parser:
    made = GridParser(
        PROGRAM,
        "Trains, tests and measures attentions on Long Range Arena, with and without filters.",
        require_settings,
        epilog=EXAMPLES
        + "\n".join(f"  {PROGRAM} {name:<10} {COMMANDS[name]}" for name in COMMANDS),
    )
    made.add_argument("--version", action="version", version=f"lra-gfsa {__version__}")
    add(made, "--grid")
    add(made, "--task", nargs="+", required=True)
    add(made, "--protocol", "--source", "--set", "--micro-batch", "--attn", "--precision")
    add(made, "--accelerator", "--plugin", "--seed", "--train-fraction", "--data-dir")
    add(made, "--results", "--rerun")
    add(made, "--dry-run", "--no-measure", "--jobs", "--time-limit", "--memory-limit")
    add(made, "--devices", "--strategy", "--tensorboard")
    return made


def carry_out(options: argparse.Namespace) -> int:
    if not options.dry_run:
        from lra.jobs.local import import_ahead

        import_ahead("lra.run.carry")
    with interrupts.obeyed("the same command goes on with what is unfinished"):
        from lra.grid.plan import plan  # with torch

        configs = plan(options, say)
        # Lightning takes seconds to import: a mistake in the plan does not wait for it.
        from lra.cli.run.grid import run_grid

        return run_grid(configs, options)
