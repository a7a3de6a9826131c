"""`list`: what there is, tasks, attentions, filters, protocols."""

import argparse
import re
from collections.abc import Iterable, Iterator
from typing import Any

from attention_zoo.errors import one_line
from attention_zoo.options import Option, describe, spell
from lra.cli.common import derivatives, table_of
from lra.cli.options import PROGRAM, Parser, add, require_tasks
from lra.cli.values import one_of
from lra.protocols import Protocol, get_protocol
from lra.protocols.overrides import SECTIONS
from lra.tasks import get_task, names

LISTINGS = ("tasks", "attentions", "filters", "protocols")


def parser() -> Parser:
    made = Parser(f"{PROGRAM} list", "Lists what there is.", require_tasks)
    made.add_argument(
        "what",
        nargs="*",
        type=one_of("listing", LISTINGS),
        metavar="|".join(LISTINGS),
        help="default: all of them",
    )
    add(made, "--task", nargs="+", help="protocols of these; default: all")
    add(made, "--plugin")
    return made


def carry_out(options: argparse.Namespace) -> int:
    for what in options.what or LISTINGS:
        if what == "protocols":
            for task in options.task or names():
                show(f"protocols for {task}", list_protocols(task), "\n".join(deviations(task)))
        elif what == "attentions":
            show(what, list_attentions(), ABOUT_ATTENTIONS)
            show("attentions in published LRA tables", list_published(), ABOUT_PUBLISHED)
        elif what == "filters":
            show("filters and remedies", list_filters(), ABOUT_FILTERS)
        else:
            show(what, list_tasks())
    return 0


def show(title: str, rows: Iterable[dict[str, object]], *notes: str) -> None:
    for text in (title, table_of(rows), *notes):
        print(text, end="\n\n")


def list_tasks() -> Iterator[dict[str, object]]:
    for about in (get_task(name).metadata for name in names()):
        yield {
            "task": about.name,
            "version": about.version,
            "kind": about.modality,
            "length": f"{about.length:,}" + (" each of two" if about.sequences == 2 else ""),
            "classes": about.classes,
            "chance": f"{about.chance:.0%}",
            "train / val / test": " / ".join(f"{size:,}" for size in about.splits.values()),
            "source": about.source,
            "official files": about.layout,
            "licence": about.licence,
            "paper": about.citation,
        }


def list_attentions() -> Iterator[dict[str, object]]:
    """By family. adds: parameters of a layer beyond those of softmax's, at the width and length of
    ListOps; fewer where a projection is not needed."""
    import torch

    import attention_zoo
    from attention_zoo.registry import ATTENTIONS
    from lra.config import choose_accelerator

    accelerator = choose_accelerator("auto")
    plain = parameters_of("softmax")
    entries = [
        ATTENTIONS.get(name) for name in [*attention_zoo.names(), *attention_zoo.mixer_names()]
    ]
    for entry in sorted(entries, key=lambda entry: (entry.cls.support.family, entry.name)):
        support = entry.cls.support
        reasons = entry.cls.unsupported(accelerator, torch.float32, LISTED["dim"] // 2)
        try:
            adds = f"{parameters_of(entry.name) - plain:,}"
        except Exception as error:  # a stranger's, that cannot be built so
            adds, reasons = "", [*reasons, f"{type(error).__name__}: {one_line(error)}"]
        yield {
            "attention": entry.name,
            "family": support.family,
            "time": support.time,
            "memory": support.memory,
            "rows sum to 1": _sums(entry),
            "causal": CAUSAL[support.causal],
            "derivatives": derivatives(support),
            "dropout": DROPOUT[support.dropout],
            "adds": adds,
            "paper": support.paper,
            f"here ({accelerator})": "; ".join(reasons) or "runs",
            "options": spell_options(entry.options),
        }


def _sums(entry: Any) -> str:
    from attention_zoo.registry import is_mixer

    if is_mixer(entry.name):
        return "mixer"
    return "yes" if entry.cls.support.rows_sum_to_one else "no"


CAUSAL = {"never": "no", "optional": "can be", "always": "yes"}
DROPOUT = {"none": "no", "fixed": "yes", "redrawn": "without filters"}
LISTED = {"dim": 64, "heads": 2, "max_len": 2000}
ABOUT_ATTENTIONS = """\
time, memory: growth with N of a forward and backward pass at a fixed window, rank or number of
features. rows sum to 1: where not, powers of Ā have no fixed scale; a mixer has no Ā, and takes no
filters. causal: whether build_attention(causal=True) makes it look at no later token. derivatives:
of any order, forward mode and vmap included; `first` where its kernel has gradients only and raises
otherwise; `surrogate` where the gradient by q and k is its paper's stand-in. dropout: whether it
supports model.attention_dropout, which is off where not. adds: parameters of a layer
beyond those of softmax's, 64 wide, 2 heads, N = 2,000; less than none where it needs no k or q.
options: of the attention itself; a protocol may state others, which `list protocols` shows.
Every attention takes padding and every filter; `run_lra.py check NAME` holds it to that."""


ABOUT_PUBLISHED = """\
From results/published, whose README says what its figures are. spec: that paper's attention in our
spelling; empty where ours of that name is another matrix, and differs says why where it is known.
protocol: ours that follows the paper; empty where none does."""


def list_published() -> Iterator[dict[str, object]]:
    from lra.results.published import listed, read_published

    return listed(read_published(), names())


def parameters_of(name: str) -> int:
    import attention_zoo
    from lra.measure.variant import count_parameters

    return count_parameters(attention_zoo.build_layer(name, **LISTED))


ABOUT_FILTERS = """\
Behind a + in a spec, on every attention. acts on: Ā (operator), the values before the output
projection, the layer's output, or the projections W_V and W_O. Filters stack from left to right; of
remedies (stacks: no) one acts on a place. adds: parameters of a layer 64 wide with 2 heads, beyond
those without it.
layers=all|even|odd or the layers' numbers from 1 (2/4) says where it stands."""


def list_filters() -> Iterator[dict[str, object]]:
    from attention_zoo import filters
    from attention_zoo.registry import FILTERS

    for name in filters():
        entry = FILTERS.get(name)
        try:
            adds = f"{parameters_of(f'softmax+{name}') - parameters_of('softmax'):,}"
        except Exception as error:  # a stranger's, that cannot be built so
            adds = f"{type(error).__name__}: {one_line(error)}"
        yield {
            "filter": f"+{name}",
            "acts on": entry.cls.acts_on,
            "stacks": "yes" if entry.cls.stacks else "no",
            "adds": adds,
            "paper": papers_of(entry.cls),
            "options": spell_options(entry.options),
        }


def papers_of(cls: type) -> str:
    """What its docstring cites."""
    return ", ".join(dict.fromkeys(re.findall(r"arXiv \d{4}\.\d{5}", cls.__doc__ or "")))


def protocols_of(task: str) -> list[Protocol]:
    return [get_protocol(name, task) for name in get_task(task).protocols]


def list_protocols(task: str) -> Iterator[dict[str, object]]:
    """A row for each setting, by the name that --set knows, and a column for each protocol; what a
    bare attention means where a protocol says so; then the sizes of the models that the rule of
    10 % is about."""
    from lra.measure.variant import softmax_parameters

    protocols = {protocol.name: protocol for protocol in protocols_of(task)}
    for section in SECTIONS:
        settings = {name: vars(getattr(one, section)) for name, one in protocols.items()}
        for key in next(iter(settings.values())):
            values = {name: spell(values[key]) for name, values in settings.items()}
            yield {"setting": f"{section}.{key}"} | values
    stated = {name: {s.attention: s for s in one.stated} for name, one in protocols.items()}
    for attention in sorted({attention for found in stated.values() for attention in found}):
        spelled = {n: found.get(attention) for n, found in stated.items()}
        yield {"setting": f"--attn {attention}"} | {
            name: one.spec.partition(":")[2] if one else "its own defaults"
            for name, one in spelled.items()
        }
    sizes = {name: softmax_parameters(one, task) for name, one in protocols.items()}
    yield {"setting": "parameters, softmax"} | {name: f"{size:,}" for name, size in sizes.items()}
    allowed = {name: f"{size * 11 // 10:,}" for name, size in sizes.items()}
    yield {"setting": "parameters, at most (LRA's rule: 10 % more)"} | allowed


def deviations(task: str) -> Iterator[str]:
    """What each protocol is from and may be compared with; then where it leaves its source, a
    line each, with the options that bring the source's way back and mark the record; then which
    file of the source says what an attention's options are."""
    for protocol in protocols_of(task):
        yield f"{protocol.name}, from {protocol.source}: {protocol.comparable}"
        for deviation in protocol.deviations:
            restore = f"  [{deviation.restore}]" if deviation.restore else ""
            yield f"- {deviation.text}{restore}"
        for stated in protocol.stated:
            yield f"- {stated.spec}, by {stated.source}"


def spell_options(options: dict[str, Option]) -> str:
    return ", ".join(
        f"{name}={spell(option.default)} ({describe(option.annotation)})"
        for name, option in options.items()
    )
