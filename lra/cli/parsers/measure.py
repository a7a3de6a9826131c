"""What can be typed to measure."""

import argparse
from pathlib import Path
from typing import get_args

from lra.cli.parsers.shared import PROGRAM, Parser, add_plugins, positive, seconds, size
from lra.measure.job import FLOATS
from lra.measure.sheet import Level
from lra.run_config import DTYPES

LENGTHS = [512, 1024, 2048, 4096, 8192, 16384]
HEADS, HEAD_DIM, BATCH, DTYPE = 2, 32, 1, "float32"
PROTOCOL, PRECISION = "nystromformer", "32-true"
WITHIN = 600.0  # seconds


def measure_parser() -> Parser:
    """Options that only some levels have are None where they are not given."""
    parser = Parser(
        prog=f"{PROGRAM} measure",
        description="Time, memory and operations of variants over lengths, without training. Each "
        "has a process of its own, and no figure where it fails its contract.",
        epilog="levels: `operator` is Āv of q, k and v; `layer` has the projections, too; `step` "
        "is a training step of a task's model.\n"
        "Rows are written after every group of x, x+filter, … (FILE.partial): a killed measurement "
        "keeps them.",
    )
    parser.add_argument(
        "--attn",
        required=True,
        nargs="+",
        metavar="SPEC",
        help="attention[:key=value,...][+filter[:key=value,...]]...; one attention and its "
        "filtered forms are timed in turns",
    )
    parser.add_argument(
        "--level",
        choices=get_args(Level),
        help="default: step with --task, else layer",
    )
    parser.add_argument(
        "--seq-len",
        nargs="+",
        type=length,
        metavar="N",
        help=f"default: {' '.join(map(str, LENGTHS))}; at level step the task's length",
    )
    parser.add_argument(
        "--batch",
        type=positive,
        metavar="B",
        help=f"default: {BATCH}; at level step the protocol's",
    )
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--compile", action="store_true", help="with torch.compile, which fuses what it can"
    )
    add_shape(parser)
    add_step(parser)
    parser.add_argument(
        "--time-limit",
        type=seconds,
        default=WITHIN,
        metavar="TIME",
        help="for a variant and length, all repetitions, and for its contract (90s, 30min); longer "
        "ones are not tried after it; default: 10min",
    )
    parser.add_argument(
        "--memory-limit",
        type=size,
        metavar="SIZE",
        help="main memory that a process on the CPU may take (500M, 8G); default: what is free",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="default: a name for these settings under results/measurements",
    )
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="compare with an earlier measurement"
    )
    parser.add_argument(
        "--fail-above",
        type=ratio,
        metavar="RATIO",
        help="exit with 1 where a regression's time or memory is more than RATIO times the earlier",
    )
    add_plugins(parser)
    return parser


def add_shape(parser: Parser) -> None:
    group = parser.add_argument_group("at level operator and layer")
    group.add_argument("--heads", type=positive, metavar="H", help=f"default: {HEADS}")
    group.add_argument("--head-dim", type=positive, metavar="D", help=f"default: {HEAD_DIM}")
    group.add_argument("--dtype", choices=tuple(FLOATS), help=f"default: {DTYPE}")


def add_step(parser: Parser) -> None:
    group = parser.add_argument_group("at level step")
    group.add_argument("--task", help="see `list tasks`")
    group.add_argument("--protocol", help=f"default: {PROTOCOL}")
    group.add_argument("--source", metavar="official|generated|sample", help="of the data")
    group.add_argument("--set", nargs="+", action="extend", metavar="SECTION.KEY=VALUE")
    group.add_argument(
        "--micro-batch", type=positive, metavar="N", help="examples that go through at once"
    )
    group.add_argument("--precision", choices=tuple(DTYPES), help=f"default: {PRECISION}")
    group.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="where official files are; default: data"
    )


def length(text: str) -> int:
    if (N := positive(text)) < 2:  # of one token some products are done by element
        raise argparse.ArgumentTypeError("a length of 1 has no formula: measure from 2 on")
    return N


def ratio(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no ratio of 1 or more: write 1.1")
    return value
