"""What the parsers of several commands have in common."""

import argparse
import re
from pathlib import Path
from typing import NoReturn

from attention_zoo import UsageError
from lra.run_config import DTYPES

PROGRAM = "run_lra.py"


class Parser(argparse.ArgumentParser):
    """One line for a mistake, in the place of usage and exit."""

    def __init__(self, **options: object) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def add_protocol(parser: Parser, tasks: str | None = None) -> None:
    parser.add_argument("--task", required=True, nargs=tasks, help="see `list tasks`")
    parser.add_argument("--protocol", default="nystromformer", help="default: %(default)s")
    parser.add_argument(
        "--source",
        metavar="official|generated|sample",
        help="where the data are from; default: the protocol's, official files where DIR has them "
        "(quick: data made here)",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="leave the protocol, which marks the record: training.steps=1000 (the warm-up is "
        "scaled with it unless training.warmup is set too); several values make several runs: "
        "training.learning_rate=1e-4,3e-4",
    )


def add_variants(parser: Parser, tasks: str | None = None) -> None:
    add_protocol(parser, tasks)
    parser.add_argument(
        "--micro-batch",
        type=positive,
        metavar="N",
        help="examples that go through the model at once, for a batch that does not fit; the "
        "gradients are added up, the protocol's batch stays",
    )
    parser.add_argument(
        "--attn",
        required=True,
        nargs="+",
        metavar="SPEC",
        help="attention[:key=value,...][+filter[:key=value,...]]...",
    )
    parser.add_argument(
        "--precision", choices=tuple(DTYPES), default="32-true", help="default: %(default)s"
    )
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto")
    add_plugins(parser)


def add_plugins(parser: Parser) -> None:
    parser.add_argument(
        "--plugin",
        nargs="+",
        action="extend",
        default=[],
        metavar="MODULE",
        help="import this module, which registers attentions or filters of its own",
    )


def add_data(parser: Parser) -> None:
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="official files are read from here, prepared data kept here; default: data",
    )


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def seconds(text: str) -> float:
    return quantity(text, {"s": 1, "min": 60, "h": 3600, "d": 86_400}, "90s, 30min or 8h")


def size(text: str) -> int:
    return int(quantity(text, {"M": 10**6, "G": 10**9, "T": 10**12}, "500M or 8G"))


def quantity(text: str, units: dict[str, int], examples: str) -> float:
    found = re.fullmatch(r"(\d+\.?\d*)\s*([A-Za-z]+)", text)
    if not found or found[2] not in units or float(found[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is none: write {examples}")
    return float(found[1]) * units[found[2]]


def add_results(parser: Parser) -> None:
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="default: results"
    )
