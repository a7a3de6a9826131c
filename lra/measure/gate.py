"""Whether a variant computes what its paper says, before any figure of it is given."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from attention_zoo import Spec
from attention_zoo.build import without_remedies
from attention_zoo.registry import is_mixer
from attention_zoo.spec import attention_of
from attention_zoo.testing import CHECKS, Case, checks, verdict
from attention_zoo.testing.cases import (
    D,
    at,
    gradients,
    layer_reference,
    learned,
    reference_of,
)
from lra.measure.job import Job
from lra.measure.subject import applied, later, module_of

# Of the contract kit, but for what is measured here anyway.
CONTRACT = tuple(name for name in CHECKS if name != "growth")
# N is odd and two examples are padded; blocks of the defaults' size are one, then several.
CASES = (Case(33, (33, 20, 3)), Case(149, (149, 90, 3)))
LEAST, LEAST_OF_FILTERS = 0.01, 0.1  # of the largest gradient's norm


def failure(job: Job) -> str | None:
    """Why there may be no figures of a job's variant; None where its contract holds, with every
    filter of it in the layer that is checked, in whichever layers it stands.

    The kit's checks run on the CPU in float64, where the attention runs there at all; then what is
    measured is compared, on its device and in its dtype, with the attention's reference.
    """
    job = replace(job, attention=str(filtered_everywhere(job.spec)))
    if not attention_of(job.spec).unsupported("cpu", torch.float64, D):
        for name in (name for name in job.checks if name in checks(job.attention)):
            found = verdict(name, job.attention)
            if found.outcome == "fails":
                return f"{name}: {found.detail}"
    with torch.random.fork_rng(devices=[]):
        return disagreement(job)


def filtered_everywhere(spec: Spec) -> Spec:
    filters = (
        replace(part, options=tuple(item for item in part.options if item[0] != "layers"))
        for part in spec.filters
    )
    return replace(spec, filters=tuple(filters))


def disagreement(job: Job) -> str | None:
    """What is off on the measured device: results or gradients that differ from the float64
    reference by more than √ε of their norm, half of the dtype's digits; None where nothing is.

    The norm of a gradient counts as LEAST of the largest one's at least; a filter's weight, one
    number a head, has the sum of all that it weighs for a gradient, which may cancel: its norm
    counts as LEAST_OF_FILTERS at least, and never as the largest.

    Where an attention is excepted from the kit's check of autocast, its layer may differ since its
    decisions, such as hashes, do: always in 16 bits, at times where there are many. Its operator,
    which is given rounded q and k, may not.
    """
    alone = (
        job
        if job.settings.level == "operator"
        else replace(job, attention=str(without_remedies(job.spec)))
    )
    if is_mixer(job.spec.attention.name):
        return next(filter(None, (disagreement_of(job, case) for case in CASES)), None)
    operator = replace(alone, settings=replace(job.settings, level="operator"))
    decides = "autocast" in attention_of(job.spec).exceptions
    rounds = torch.finfo(job.dtype).bits < 32
    for case in CASES:
        found = disagreement_of(operator, case)
        held = not (decides and (rounds or case != CASES[0]))
        if not found and held and job.settings.level != "operator":
            found = disagreement_of(job, case)
        if found:
            return found
    return None


def disagreement_of(job: Job, case: Case) -> str | None:
    bound = torch.finfo(job.dtype).eps ** 0.5
    for what, error in errors(job, case).items():
        if not error <= bound:
            return (
                f"{what} of the {job.settings.level} in {job.settings.dtype} on "
                f"{job.settings.accelerator} is off by {error:.1e} of {measure_of(what)}, more "
                f"than {bound:.1e} ({case})"
            )
    return None


def measure_of(what: str) -> str:
    if what == "result":
        return "its norm"
    return f"its norm, or of {least_share(what):g} of the largest gradient's where that is more"


def least_share(what: str) -> float:
    return LEAST_OF_FILTERS if "filters." in what else LEAST


def errors(job: Job, case: Case) -> dict[str, float]:
    """Of the result and each gradient, relative to what `disagreement` says."""
    settings, N = job.settings, case.N
    torch.manual_seed(0)
    exact = moved(module_of(job.spec, settings, job.protocol, N)).eval()
    torch.manual_seed(0)
    rough = moved(module_of(job.spec, settings, job.protocol, N)).eval()
    autocast = settings.level == "step" and job.dtype != torch.float32
    dtype = torch.float32 if settings.level == "step" else job.dtype
    rough = rough.to(job.device, dtype)
    exact = exact.double()
    exact.load_state_dict(rough.state_dict())  # rounded alike
    B, H, width = len(case.lengths), settings.heads, settings.head_dim
    C = job.protocol.model.dim if job.protocol else H * width
    draws = torch.Generator().manual_seed(0)
    if settings.level == "operator":
        names = ["q", "k", "v", *(["x"] if exact.needs_input else [])]
        shapes = [(B, H, N, width)] * 3 + [(B, N, H * width)]
    else:
        names, shapes = ["x"], [(B, N, C)]
    inputs = {
        name: torch.randn(shape, generator=draws).to(dtype)
        for name, shape in zip(names, shapes, strict=False)
    }
    keep = case.keep
    truth = {name: part.double().requires_grad_() for name, part in inputs.items()}
    ours = {name: part.to(job.device).requires_grad_() for name, part in inputs.items()}
    if settings.level == "operator":
        y = operator_reference(exact, keep, *truth.values())
    else:
        first = later(exact, truth["x"])
        y = layer_reference(exact, keep, truth["x"], first and first["values"])
    rows = keep[:, None, :, None] if y.dim() == 4 else keep[..., None]
    upstream = at(rows, torch.randn(y.shape, generator=draws).to(dtype))
    expected = {"result": at(rows, y)} | gradients(y, truth | learned(exact), upstream.double())
    call = applied(rough, settings.level, keep.to(job.device))
    if settings.compile:
        call = torch.compile(call, dynamic=False)
    with torch.autocast(job.device.type, job.dtype, enabled=autocast):
        y = call(*ours.values())
    upstream = upstream.to(job.device, y.dtype)
    found = {"result": at(rows.to(job.device), y)} | gradients(y, ours | learned(rough), upstream)
    norms = {name: part.norm().item() for name, part in expected.items()}
    largest = max(
        norm for name, norm in norms.items() if name != "result" and "filters." not in name
    )
    return {
        name: _error(found[name], part, 0.0 if name == "result" else least_share(name) * largest)
        for name, part in expected.items()
    }


def moved(module: nn.Module) -> nn.Module:
    """Moves every parameter from where it starts, where a filter would be the identity; matrices by
    little enough that scores keep their size at every width."""
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter.shape[-1] if parameter.dim() > 1 else 1
            parameter += 0.3 * fan_in**-0.5 * torch.randn(parameter.shape, generator=draws)
    return module


def _error(found: Tensor, expected: Tensor, least: float) -> float:
    distance = (found.detach().cpu().double() - expected).norm().item()
    return distance / max(expected.norm().item(), least) if distance else 0.0


def operator_reference(
    module: nn.Module, keep: Tensor, q: Tensor, k: Tensor, v: Tensor, x: Tensor | None = None
) -> Tensor:  # (B, H, N, D)
    rows = keep[:, None, :, None]
    x = q[:, 0] if x is None else x  # which is not looked at
    return at(rows, reference_of(module, q, k, keep, x)) @ at(rows, v)
