"""What can be typed without a command: a grid of runs."""

from attention_zoo import __version__
from lra.cli.parsers.shared import (
    PROGRAM,
    Parser,
    add_data,
    add_results,
    add_variants,
    positive,
    seconds,
    size,
)

EXAMPLES = """\
examples:
  python run_lra.py --task listops --attn linear+gfsa
  python run_lra.py --task listops --attn linear linear+gfsa --seed 0 1 2 --protocol quick
  python run_lra.py --task listops --attn performer:features=128+gfsa:K=4,mode=power
  python run_lra.py --task listops --attn sdpa --set training.steps=1000 task.train=20000
  python run_lra.py --task listops --attn linear --set training.learning_rate=1e-4,3e-4 --jobs 2
  python run_lra.py --task pathfinder --attn linear+gfsa --source generated

commands (each has its own --help):
  run_lra.py list       tasks, attentions and what they support here, filters, protocols
  run_lra.py check      whether an attention, yours for one, keeps the contract
  run_lra.py prepare    make a task's data, or verify what is there
  run_lra.py measure    time and memory of variants over N, without training
  run_lra.py evaluate   a finished run's checkpoint, evaluated again
  run_lra.py results    list, show, remove and merge runs on record
  run_lra.py table      tables from the runs on record
  run_lra.py figure     figures from what is on record: bubble, growth, curves, tasks
  run_lra.py report     one page of them to explore: tables, figures, each run
"""


def run_parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Trains, tests and measures attentions on Long Range Arena, with and without "
        "filters.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--version", action="version", version=f"lra-gfsa {__version__}")
    add_variants(parser, tasks="+")
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="default: 0")
    add_data(parser)
    add_results(parser)
    parser.add_argument(
        "--rerun", action="store_true", help="run again what is on record, in its place"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="list the runs and what is known of them"
    )
    parser.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="runs at a time, each in a process of its own; default: one for every GPU, one on "
        "the CPU, whose cores and memory they share",
    )
    parser.add_argument(
        "--time-limit",
        type=seconds,
        metavar="TIME",
        help="stop a run after so long (90s, 30min, 8h); the same command goes on with it",
    )
    parser.add_argument(
        "--memory-limit",
        type=size,
        metavar="SIZE",
        help="main memory that a run on the CPU may take (500M, 8G); default: what is free, in "
        "equal shares",
    )
    parser.add_argument(
        "--devices",
        type=positive,
        default=1,
        metavar="N",
        help="that share a run's batch, as Lightning has it; default: 1",
    )
    parser.add_argument(
        "--strategy",
        default="auto",
        help="Lightning's, for several devices: ddp, …; default: %(default)s",
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="log for TensorBoard, too, beside the record"
    )
    return parser
