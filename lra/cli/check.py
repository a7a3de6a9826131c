"""`check`: the contract of attentions on one of them."""

import argparse
import inspect
import sys
import textwrap

from tqdm import tqdm

from attention_zoo import UnsupportedError, UsageError
from lra.cli.common import derivatives
from lra.cli.options import OPTIONS, PROGRAM, Parser, Specs, add
from lra.system import interrupts

MARKS = {"holds": "holds", "excepted": "excepted", "fails": "FAILS"}
WIDTH = 96


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} check",
        "Holds attentions to the contract: the matrix of its reference, padding that never "
        "leaks, what it declares of itself. Prints a verdict for each check, with the input that "
        "shows a failure; status 1 where one fails.",
    )
    about = OPTIONS["--attn"]["help"]
    made.add_argument("attentions", metavar="SPEC", nargs="+", action=Specs, help=about)
    add(made, "--plugin")
    return made


@interrupts.obeyed()
def carry_out(options: argparse.Namespace) -> int:
    """Prints a verdict for each check of each attention; status 1 where one fails."""
    from attention_zoo import parse_spec
    from attention_zoo.testing import undeclared

    specs = list(dict.fromkeys(str(parse_spec(text)) for text in options.attentions))
    for spec in specs:
        require_buildable(spec)
        undeclared(spec)
    failed = 0
    for i, spec in enumerate(specs):
        print(end="\n" * (i > 0))
        failed += check(spec)
    return 1 if failed else 0


def check(spec: str) -> int:
    """Prints a verdict for each check; how many fail."""
    from attention_zoo.spec import attention_of
    from attention_zoo.testing import checks, variants, verdict

    cls = attention_of(spec)
    print(f"{spec}: {cls.__module__}.{cls.__qualname__}")
    print(f"checked as {', '.join(variants(spec))}")
    print(f"derivatives: {derivatives(cls.support)}\n")
    count = dict.fromkeys(MARKS, 0)
    asked = checks(spec)
    for name in tqdm(asked, desc="checking", leave=False, disable=None, file=sys.stderr):
        found = verdict(name, spec)
        count[found.outcome] += 1
        report(f"{MARKS[found.outcome]:<9} {name:<13} ", inspect.getdoc(asked[name]))
        if found.detail:
            report(" " * 10 + "→ ", found.detail)
    print(
        f"\n{len(asked)} checks: {count['holds']} hold, {count['excepted']} excepted, "
        f"{count['fails']} fail"
    )
    return count["fails"]


def require_buildable(spec: str) -> None:
    """Raises UsageError for what does not run where it is checked, or cannot be built there."""
    import torch

    from attention_zoo.registry import is_mixer
    from attention_zoo.spec import attention_of, parse_spec
    from attention_zoo.testing import Case, variants
    from attention_zoo.testing.cases import D, attention, layer, operator_of
    from attention_zoo.testing.contract import described

    reasons = attention_of(spec).unsupported("cpu", torch.float64, D)
    if reasons:
        raise UnsupportedError(
            f"{spec} cannot be checked, which is done on the CPU in float64 with heads of {D}: "
            f"{'; '.join(reasons)}"
        )
    try:
        q, k, _, x = Case(17).tensors()
        for variant in variants(spec):
            if is_mixer(parse_spec(spec).attention.name):
                layer(variant)(x)
            else:
                operator_of(attention(variant), q, k, None, x)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{variant} cannot be built: {described(error)}") from error


def report(head: str, text: str) -> None:
    """What was asked, or why it fails or is excepted, beside a head."""
    text = text.replace("\n", " ")
    print(textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)))
