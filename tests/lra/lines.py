"""Command lines for hypothesis, from the parsers' own options and the registries' names."""

import argparse
import dataclasses
from functools import cache
from typing import Literal, get_args, get_origin

from hypothesis import strategies as st

from attention_zoo import filters, names
from attention_zoo.options import spell
from attention_zoo.registry import ATTENTIONS, FILTERS
from lra.cli.main import COMMANDS, RUN, command
from lra.protocols import PROTOCOLS, get_protocol
from lra.tasks import TASKS
from lra.typed import field_types

ODD = ["", " ", "0", "-1", "-0.5", "nan", "-inf", "1e400", "9" * 25, "9" * 400, "9" * 5000]
ODD += ["x", "½", "٣", "1_0", "1,2", "1,", "1/2", "none", "a+b", ":", "=", "--", "-", "%s", "{}"]
HUGE = ["9" * 18, "1" + "0" * 12, "-" + "9" * 18, "1e300"]
odd = st.sampled_from(HUGE) | st.sampled_from(ODD)
tasks = st.sampled_from(["listops"] * len(TASKS) + list(TASKS))
FEW = st.integers(1, 9).map(str)
UNITS = ["s", "min", "h", "M", "G", "T", "", "k"]
quantities = st.builds("{}{}".format, FEW | odd, st.sampled_from(UNITS))
# By the name that --help has for a word; what it lacks gets any of them.
PATHS = {
    "DIR": [".", "results", "nowhere", "data"],
    "FILE": ["new.json", "sheet.json", "nowhere/x"],
}
RUNS = ["listops-linear-quick-s0", "listops", "a4", "results/runs", "nowhere"]


def mostly(right, of=16):
    """All but one of so many times."""
    return st.integers(1, of).flatmap(lambda chance: odd if chance == of else right)


@cache
def value_of(annotation):
    """Text for an option of that type; what is counted stays small."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from([spell(choice) for choice in arguments])
    if origin in (tuple, frozenset):
        return st.lists(value_of(arguments[0]), min_size=1, max_size=3).map("/".join)
    if arguments:
        return st.one_of(*map(value_of, arguments))
    right = {bool: ["true", "false"], type(None): ["none"], float: ["0.5", "1e-3", "2"]}
    return st.sampled_from(right[annotation]) if annotation in right else FEW


@st.composite
def parts(draw, registry, known):
    """One name of a spec with up to two options."""
    name = draw(mostly(st.sampled_from(known)))
    entry = registry.entries.get(name)
    keys = mostly(st.sampled_from(sorted(entry.options))) if entry and entry.options else odd
    options = []
    for key in draw(st.lists(keys, max_size=2)) if draw(st.booleans()) else ():
        known = entry is not None and key in entry.options
        right = mostly(value_of(entry.options[key].annotation), of=4) if known else odd
        value = draw(right | st.lists(right, max_size=2).map(lambda of: f"{{{','.join(of)}}}"))
        options.append(f"{key}={value}")
    return f"{name}:{','.join(options)}" if options else name


specs = st.builds(
    lambda attention, added: "+".join([attention, *added]),
    parts(ATTENTIONS, names()),
    st.lists(parts(FILTERS, filters()), max_size=2),
)


@cache
def settings_of(task):
    """`section.key=value` for every setting that a protocol has for that task."""
    protocol = get_protocol("quick", task)
    sections = [f.name for f in dataclasses.fields(protocol)]
    sections = [s for s in sections if dataclasses.is_dataclass(getattr(protocol, s))]
    assert {"task", "model", "training"} <= set(sections)
    hints = {
        f"{section}.{key}": hint
        for section in sections
        for key, hint in field_types(type(getattr(protocol, section))).items()
    }
    return st.sampled_from(sorted(hints)).flatmap(
        lambda key: mostly(value_of(hints[key]), of=4).map(lambda value: f"{key}={value}")
    )


def words_of(action):
    """One word for an argument, by what its parser says of it."""
    name = str(action.metavar or action.dest.upper())
    by_name = {
        "TASK": tasks,
        "PROTOCOL": st.sampled_from(sorted(PROTOCOLS)),
        "NAME": st.sampled_from(sorted(PROTOCOLS)),
        "SPEC": specs,
        "SECTION.KEY=VALUE": tasks.flatmap(settings_of),
        "MODULE": st.sampled_from(["gfsa", "nowhere"]),
        "RUN": st.sampled_from(RUNS),
        "STRATEGY": st.sampled_from(["auto", "ddp"]),
        **{name: st.sampled_from(paths) for name, paths in PATHS.items()},
        **dict.fromkeys(("TIME", "SIZE"), quantities),
        "OPTION": st.sampled_from(["K", "mode", "layers", "features"]),
        "RATIO": st.sampled_from(["1.5"]),
    }
    if action.choices:
        return mostly(st.sampled_from(sorted(map(str, action.choices))))
    if name in by_name:
        return mostly(by_name[name])
    if "|" in name:
        return mostly(st.sampled_from(name.split("|")))
    assert action.type is not None, f"what is typed for {name}?"
    return mostly(FEW)


@st.composite
def typed(draw, parser):
    """A line of one parser: what it requires, nearly always, and some of the rest."""
    optional, positional = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            name = draw(mostly(st.sampled_from(sorted(action.choices))))
            tail = draw(typed(action.choices[name])) if name in action.choices else []
            return [name, *tail]
        often = 19 if action.required else 8 if action.dest == "set" else 2
        if draw(st.integers(0, 19)) >= often:
            continue
        most = {0: [0], "+": [1, 1, 2], "*": [1, 1, 2]}.get(action.nargs, [1])
        words = [draw(words_of(action)) for _ in range(draw(st.sampled_from(most)))]
        if action.option_strings:
            optional.append([action.option_strings[-1], *words])
        else:
            positional += words
    return [*positional, *(word for group in draw(st.permutations(optional)) for word in group)]


@st.composite
def lines(draw):
    name = draw(st.sampled_from([None, None, *COMMANDS]))
    parser = command(name or RUN).parser()
    return [*([] if name is None else [name]), *draw(typed(parser))]
