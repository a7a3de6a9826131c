"""A command's parser, and the options of all commands, each declared once; imports no torch, which
takes seconds."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

from attention_zoo import UsageError
from attention_zoo.expand import expand_specs
from lra.choices import FLOATS, PRECISIONS, Level
from lra.cli import values
from lra.corruptions import CORRUPTIONS, SEVERITIES
from lra.protocols import expand, get_protocol, override, with_source
from lra.tasks import get_task

PROGRAM = "run_lra.py"
PROTOCOL, DATA = "nystromformer", Path("data")
Check = Callable[[argparse.Namespace], None]
Keywords = dict[str, Any]  # of add_argument

TYPES: dict[str, Callable[[str], Any]] = {  # by what --help calls a value
    **dict.fromkeys(("N", "B", "H", "D"), values.positive),
    "SEED": values.not_negative,
    "TIME": values.seconds,
    "SIZE": values.size,
    "RATIO": values.ratio,
    "DIR": values.folder,
    "FILE": values.file,
    "RUN": values.name,
    "F": values.fraction,
}


class Parser(argparse.ArgumentParser):
    """One line for a mistake, in the place of usage and exit.

    check: raises UsageError for options that do not go together or name what does not exist, as far
    as it can be known without importing torch, which takes seconds.
    """

    def __init__(
        self, prog: str, description: str = "", check: Check | None = None, **more: Any
    ) -> None:
        super().__init__(
            prog,
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **more,
        )
        self.check = check

    def parse_args(
        self, words: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        options = super().parse_args(words, namespace)
        import_plugins(getattr(options, "plugin", ()))  # which may register what the check knows
        if self.check is not None:
            self.check(options)
        return options

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")


class Specs(argparse.Action):
    """Specs, those with braces expanded."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        texts: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, [spec for text in texts for spec in expand_specs(text)])


def add(to: argparse._ActionsContainer, *names: str, **changes: Any) -> None:
    """Adds options by name. changes: what this command has otherwise of each of them."""
    for name in names:
        to.add_argument(name, **OPTIONS[name] | changes)


def add_of_records(to: Parser) -> None:
    """What every command has that reads all that is on record."""
    add(to, "--task", nargs="+", help="default: all")
    add(to, "--plugin")
    about = "read as one; a run that is in two counts once; default: results"
    here = [Path("results")]
    add(to, "--results", nargs="+", type=values.existing_folder, default=here, help=about)


SPEC = "attention[:key=value,...][+filter[:key=value,...]]..."
FLAGS = {
    "--rerun": "run again what is on record, in its place",
    "--dry-run": "list the runs and what is known of them",
    "--no-measure": "train without measuring time and memory first, which takes at most a tenth of "
    "the training and 30 s a variant; tables have a – there",
    "--tensorboard": "log for TensorBoard, too, beside the record",
    "--download": "fetch the official archive where DIR lacks it",
    "--verify": "check what was prepared, and make nothing",
    "--compile": "with torch.compile, which fuses what it can",
    "--published": "our accuracies beside published ones, where protocol, data and attention "
    "agree; alone, or with the tables that are named",
    "--json": "the record itself",
    "--yes": "do not ask",
}
WITH_VALUES = {  # name and what --help calls the value: help
    "--task TASK": "see `list tasks`",
    "--attn SPEC": f"{SPEC}; braces make a grid, in quotes or without, of values "
    "(linear+gfsa:K={2,3,5},mode={taylor,power}), names ({linear,performer}+gfsa) or integers "
    "(K={2..5})",
    "--protocol PROTOCOL": "its name, or a TOML file that starts from one; default: nystromformer",
    "--source auto|official|generated|sample": "where the data are from, generated or sample as "
    "the task has it; default: the protocol's, auto (official files where DIR has them), or what "
    "is made here for quick",
    "--set SECTION.KEY=VALUE": "leave the protocol, which marks the record: training.steps=1000 "
    "(the warm-up is scaled with it unless training.warmup is set too); several values make "
    "several runs of a grid: training.learning_rate=1e-4,3e-4",
    "--seed SEED": "default: 0",
    "--train-fraction F": "train on this part of the training split, above 0 and at most 1: the "
    "same for all variants and seeds, stratified by label, the smaller within the larger; steps, "
    "validation and test stay; default: 1",
    "--micro-batch N": "examples that go through the model at once, for a batch that does not fit; "
    "the gradients are added up, the protocol's batch stays",
    "--precision": "16-mixed is float16 with a gradient scaler, on CUDA alone; default: 32-true",
    "--accelerator": "default: auto",
    "--plugin MODULE": "import this module, which registers attentions, filters or tasks",
    "--grid FILE": "a TOML file with options of this list; those typed beside it win",
    "--jobs N": "runs at a time, each in a process of its own; default: one for every GPU, one on "
    "the CPU, whose cores and memory they share",
    "--time-limit TIME": "stop a run after so long (90s, 30min, 8h); it can go on later",
    "--memory-limit SIZE": "main memory that a process on the CPU may take (500M, 8G); default: an "
    "equal share of what is free",
    "--devices N": "that share a run's batch, as Lightning has it; default: 1",
    "--strategy STRATEGY": "Lightning's, for several devices: ddp, …; default: auto",
    "--data-dir DIR": "of official files and prepared data; default: data",
    "--workers N": "processes that read or draw, for the same data; default: one a core",
    "--level": "default: step with --task, else layer",
    "--batch B": "default: the protocol's",
    "--heads H": "",
    "--head-dim D": "",
    "--dtype": "",
    "--against FILE": "compare with an earlier measurement",
    "--fail-above RATIO": "exit with 1 where a regression's time or memory is over RATIO times the "
    "earlier",
    "--results DIR": "default: results",
    "--by OPTION": "what the values of an option do, all else equal: K, mode, w0, layers, … of the "
    "last filter that has it, or of the attention (features, landmarks, …)",
    "run RUN": "its folder, or the beginning of the folder's name or of the run's identity",
    "--measurements FILE": "of `measure`; default: all in the results' folder",
    "--format": "default: github; latex needs the package booktabs",
    "--out FILE": "",
    "--split": "default: test",
    "--corruption NAME": "the test split under common corruptions of grey pixels (image, "
    "pathfinder): all, or any of " + ", ".join(CORRUPTIONS) + "; on record in corruptions.json",
    "--severity": "of the corruptions, 1 to 5; default: all",
}
REPEATED: Keywords = {"nargs": "+", "action": "extend", "default": []}
DETAILS: dict[str, Keywords] = {
    "--attn": {"nargs": "+", "required": True, "action": Specs},
    "--protocol": {"default": PROTOCOL},
    "--set": REPEATED,
    "--seed": {"nargs": "+", "default": [0]},
    "--train-fraction": {"nargs": "+", "default": [1.0]},
    "--precision": {"choices": tuple(PRECISIONS), "default": "32-true"},
    "--accelerator": {"choices": ("auto", "cpu", "cuda"), "default": "auto"},
    "--plugin": REPEATED,
    "--devices": {"default": 1},
    "--strategy": {"default": "auto"},
    "--data-dir": {"default": DATA},
    "--level": {"choices": get_args(Level)},
    "--dtype": {"choices": FLOATS},
    "--results": {"default": Path("results")},
    "--measurements": {"nargs": "+"},
    "--format": {"choices": ("github", "latex", "csv", "html"), "default": "github"},
    "--split": {"choices": ("train", "val", "test"), "default": "test"},
    "--corruption": REPEATED,
    "--severity": {"type": values.positive, "choices": SEVERITIES, "nargs": "+", "default": None},
}


def keywords_of(words: str, help: str) -> Keywords:
    """What add_argument is told of an option with a value."""
    name, _, metavar = words.partition(" ")
    known = {"metavar": metavar} if metavar else {}
    return {"help": help, "type": TYPES.get(metavar, str), **known, **DETAILS.get(name, {})}


OPTIONS = {name: {"help": help, "action": "store_true"} for name, help in FLAGS.items()} | {
    words.partition(" ")[0]: keywords_of(words, help) for words, help in WITH_VALUES.items()
}


def import_plugins(modules: Sequence[str]) -> None:
    if not modules:
        return
    from attention_zoo.registry import load_plugin  # with torch, whose import takes seconds

    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        load_plugin(module)


def require_tasks(options: argparse.Namespace) -> None:
    for task in options.task or ():
        get_task(task)


def require_settings(options: argparse.Namespace) -> None:
    """Raises UsageError for the first task, protocol, source or `--set` that there is not."""
    for task in [options.task] if isinstance(options.task, str) else options.task:
        require_protocol(options.protocol, task, options.source, options.set)


def require_protocol(name: str, task: str, source: str | None, assignments: list[str]) -> None:
    asked = with_source(get_protocol(name, task), source)
    for settings in expand(assignments):
        override(asked, settings)
