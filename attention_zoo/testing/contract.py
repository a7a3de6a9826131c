"""The checks by name, and the verdict on a spec."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from attention_zoo.errors import UnsupportedError, UsageError, one_line, unknown
from attention_zoo.layer import build_layer
from attention_zoo.registry import is_mixer
from attention_zoo.spec import attention_of, parse_spec
from attention_zoo.testing import (
    algebra,
    causality,
    declarations,
    derivatives,
    edges,
    growth,
    mixers,
    modules,
    padding,
)
from attention_zoo.testing.cases import CAUSAL, MAX_LEN, C, Case, CheckFailed, H

Check = Callable[[str], None]
CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        declarations.declared,
        modules.refusals,
        algebra.reference,
        algebra.layers,
        algebra.linear,
        algebra.repeated,
        algebra.polynomial,
        algebra.mean,
        padding.poison,
        padding.amount,
        padding.empty,
        padding.packed,
        declarations.rows,
        causality.causal,
        causality.decoding,
        declarations.projections,
        declarations.head_dims,
        declarations.dtypes,
        declarations.float32,
        declarations.autocast,
        growth.growth,
        declarations.flops,
        derivatives.derivative,
        derivatives.second_derivatives,
        derivatives.jvps,
        derivatives.vmaps,
        modules.trains,
        modules.deterministic,
        modules.state_dict,
        modules.building,
        edges.copies,
        edges.lengths,
        edges.meta,
        edges.no_tokens,
        edges.export,
    )
}
MIXER_CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        declarations.declared,
        mixers.refusals,
        mixers.reference,
        mixers.poison,
        mixers.amount,
        mixers.empty,
        padding.packed,
        mixers.causal,
        mixers.dtypes,
        mixers.float32,
        declarations.autocast,
        mixers.growth,
        mixers.flops,
        mixers.derivative,
        modules.trains,
        mixers.deterministic,
        modules.state_dict,
        modules.building,
        edges.copies,
        edges.lengths,
        edges.meta,
        edges.export,
    )
}
ONCE = {"declared", "growth", "export"}  # of the defaults alone
CAUSAL_ALONE = {"causal", "decoding"}
# What is the same of both forms, or asked of a whole layer elsewhere.
ANY_FORM = {"declared", "refusals", "linear", "projections", "head_dims", "trains", "deterministic"}
ANY_FORM |= {"state_dict", "building", "copies", "lengths", "meta", "export"}


@dataclass(frozen=True)
class Verdict:
    """detail: why a check failed and the input that shows it, or why it is excepted."""

    check: str
    outcome: Literal["holds", "fails", "excepted"]
    detail: str = ""


def checks(spec: str) -> dict[str, Check]:
    """Those that are asked of it: of an attention, or of a mixer."""
    return MIXER_CHECKS if is_mixer(parse_spec(spec).attention.name) else CHECKS


def variants(spec: str) -> list[str]:
    """The spec, and, where its attention is given no options, each of those in `check_also`."""
    parsed = parse_spec(spec)
    if parsed.attention.options:
        return [str(parsed)]
    name, filters = parsed.attention.name, map(str, parsed.filters)
    tail = "".join(f"+{part}" for part in filters)
    return [str(parsed), *(f"{name}:{options}{tail}" for options in attention_of(spec).check_also)]


def verdict(check: str, spec: str) -> Verdict:
    """One check on all variants of a spec. Raises UsageError for a spec that is none.

    An exception that the attention declares covers what a check finds, not an error that is raised.
    Where it is for nothing, the check fails: asked of the name alone, since other options may not
    need it.
    """
    reason = attention_of(spec).exceptions.get(check)
    failure, found = "", False
    of = variants(spec)[: 1 if check in ONCE else None]
    for variant, causal in ((one, form) for one in of for form in _forms(check, one)):
        Case.latest, name = None, f"{variant}{' (causal)' if causal else ''}"
        form = CAUSAL.set(causal)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                checks(spec)[check](variant)
        except CheckFailed as error:
            failure, found = f"{name}: {error}", True
        except (Exception, SystemExit) as error:  # whatever a stranger's attention does
            failure, found = f"{name}: {described(error)}", False
        finally:
            CAUSAL.reset(form)
        if failure:
            break
    if reason and found:
        return Verdict(check, "excepted", f"{reason} ({failure})")
    if reason and not failure and not parse_spec(spec).attention.options:
        return Verdict(check, "fails", f"its exception is no longer needed: {reason}")
    return Verdict(check, "fails" if failure else "holds", failure)


def _forms(check: str, spec: str) -> tuple[bool, ...]:
    """Whether a check is of the form that looks both ways, of the causal one, or of both."""
    which = attention_of(spec).support.causal
    if is_mixer(parse_spec(spec).attention.name):
        return (False,)
    if which == "never" or (spec != parse_spec(spec).attention.name and not _has_causal(spec)):
        return () if check in CAUSAL_ALONE else (False,)
    if check == "causal" and which == "always" and not parse_spec(spec).filters:
        return False, True
    return (True,) if check in CAUSAL_ALONE else (False,) if check in ANY_FORM else (False, True)


def _has_causal(spec: str) -> bool:
    """Whether the options and filters of a spec have a causal form."""
    try:
        build_layer(spec, dim=C, heads=H, max_len=MAX_LEN, causal=True)
    except UnsupportedError:
        return False
    return True


def described(error: BaseException) -> str:
    """What was raised, where outside this package, and with which input."""
    frames = traceback.extract_tb(error.__traceback__)
    here = Path(__file__).parent
    outside = [frame for frame in frames if Path(frame.filename).parent != here]
    places = [frame for frame in outside if "site-packages" not in frame.filename] or frames
    where = f"{places[-1].filename}:{places[-1].lineno}"
    return f"{type(error).__name__}: {one_line(error)} (at {where}; {Case.latest})"


def undeclared(spec: str) -> None:
    """Raises UsageError where an attention excepts itself from a check that there is not, or gives
    no reason."""
    for check, reason in attention_of(spec).exceptions.items():
        if check not in checks(spec):
            raise unknown("check", check, checks(spec))
        if not reason:
            raise UsageError(f"{spec}: its exception from {check!r} needs a reason")
