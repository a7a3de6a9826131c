"""`measure`: time, memory and operations of variants, without training."""

import argparse
from typing import Any

from attention_zoo import UsageError
from lra.cli.options import DATA, OPTIONS, PROGRAM, PROTOCOL, Parser, add, require_protocol
from lra.cli.values import length
from lra.protocols import expand
from lra.system import interrupts

LENGTHS = [512, 1024, 2048, 4096, 8192, 16384]
BATCH = 1
# Options that only some levels have, with their defaults there, and what to type instead.
SHAPE: dict[str, Any] = {"heads": 2, "head_dim": 32, "dtype": "float32"}
STEP: dict[str, Any] = {
    **{"task": None, "protocol": PROTOCOL, "source": None, "set": [], "micro_batch": None},
    **{"precision": OPTIONS["--precision"]["default"], "data_dir": DATA},
}
INSTEAD = {
    "heads": "; use --set model.heads=H",
    "head_dim": "; use --set model.dim=C",
    "dtype": "; use --precision",
    "precision": "; use --dtype",
}


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} measure",
        "Time, memory and operations of variants over lengths, without training. Each has a "
        "process of its own, and no figure where it fails its contract.",
        settle,
        epilog="levels: `operator` is Āv of q, k and v; `layer` has the projections, too; `step` "
        "is a training step of a task's model.\n"
        "One attention and its filtered forms are timed in turns, with a second copy of it for the "
        "noise of their ratio. Rows are written after every such group (FILE.partial): a killed "
        "measurement keeps them.",
    )
    add(made, "--attn", "--level")
    lengths = f"default: {' '.join(map(str, LENGTHS))}; at level step the task's length"
    made.add_argument("--seq-len", nargs="+", type=length, metavar="N", help=lengths)
    add(made, "--batch", help=f"default: {BATCH}; at level step the protocol's")
    add(made, "--accelerator", "--compile")
    groups = {"at level operator and layer": SHAPE, "at level step": STEP}
    for title, named in groups.items():
        group = made.add_argument_group(title)
        for name, default in named.items():
            said = OPTIONS[flag(name)].get("help") or f"default: {default}"
            add(group, flag(name), default=None, help=said)
    add(
        made,
        "--time-limit",
        default=600.0,
        help="for a variant and length, all repetitions, and for its contract (90s, 30min); longer "
        "ones are not tried after it; default: 10min",
    )
    add(
        made,
        "--memory-limit",
        help="main memory that a process on the CPU may take (500M, 8G); default: what is free",
    )
    add(made, "--out", help="default: a name for these settings under results/measurements")
    add(made, "--against", "--fail-above", "--plugin")
    return made


@interrupts.obeyed()
def carry_out(options: argparse.Namespace) -> int:
    """Status 1 where a variant was not measured and should have been, or has become worse than
    --fail-above allows."""
    from lra.jobs.local import import_ahead

    import_ahead("lra.measure.answers")
    from lra.cli.measure.jobs import jobs_of

    jobs, lengths = jobs_of(options)
    # pandas takes a second to import: a mistake does not wait for it.
    from lra.cli.measure.bench import measure_variants

    return measure_variants(options, jobs, lengths)


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def settle(options: argparse.Namespace) -> None:
    """Decides the level, and what is not given and the level has. Raises UsageError for options
    that it does not have, or that do not go together."""
    if options.fail_above is not None and options.against is None:
        raise UsageError("--fail-above needs --against FILE, the measurement to compare with")
    options.level = options.level or ("step" if options.task else "layer")
    step = options.level == "step"
    if step and options.task is None:
        raise UsageError("--level step measures a task's model: name the task, --task listops")
    for name in SHAPE if step else STEP:
        if getattr(options, name) is not None:
            instead = INSTEAD.get(name, "")
            raise UsageError(f"{flag(name)} has no effect at level {options.level}{instead}")
    for name, default in (STEP if step else SHAPE).items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    if step:
        batch = [] if options.batch is None else [f"training.batch={options.batch}"]
        options.set = [*options.set, *batch]
        if len(expand(options.set)) > 1:
            raise UsageError("--set with several values makes several measurements: give one value")
        require_protocol(options.protocol, options.task, options.source, options.set)
