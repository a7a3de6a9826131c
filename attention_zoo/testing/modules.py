"""An attention is a well-behaved module."""

import torch

from attention_zoo.errors import UsageError
from attention_zoo.layer import build_layer
from attention_zoo.mixer_layer import MixerLayer
from attention_zoo.testing.cases import (
    PADDED,
    C,
    Case,
    CheckFailed,
    D,
    H,
    attention,
    built,
    disturb,
    gradients,
    layer,
    learned,
    operator_of,
    require,
    unfiltered,
)


def deterministic(spec: str) -> None:
    """In eval the same input gives the same result, bit for bit, and the global generator is left
    alone; draws, where training redraws, are those of the generator that `resample` is given."""
    module, case = attention(spec), PADDED
    q, k, v, x = case.tensors()
    base = unfiltered(module)
    before = torch.get_rng_state()
    results, draws = [], []
    for seed in (7, 8, 7):
        base.resample(torch.Generator().manual_seed(seed))
        results += [operator_of(module, q, k, case.keep, x) @ v for _ in range(2)]
        draws.append(torch.cat([b.double().flatten() for b in (*base.buffers(), torch.zeros(1))]))
    untouched = torch.equal(before, torch.get_rng_state())
    require(untouched, "it draws from the global generator", case)
    for i, j in ((0, 1), (2, 3), (0, 4)):
        what = "one input, one draw, two results"
        require(torch.equal(results[i], results[j]), what, case)
    require(torch.equal(draws[0], draws[2]), "one generator, two draws", case)
    if base.redraw:
        require(not torch.equal(draws[0], draws[1]), "resample changes no buffer", case)


def state_dict(spec: str) -> None:
    """A state_dict carries all that a result depends on, draws included."""
    first, case = layer(spec), PADDED
    unfiltered(first.attention).resample(torch.Generator().manual_seed(7))
    torch.manual_seed(1)  # all that differs must come with the state_dict
    second = layer(spec)
    second.load_state_dict(first.state_dict())
    x = case.tensors()[3]
    require(torch.equal(first(x, case.keep), second(x, case.keep)), "it is lost", case)


def building(spec: str) -> None:
    """Built from a seed, whatever was built before; no draw is taken from the global generator, so
    that variants of one seed share all other weights."""
    made, states = [], []
    for name in (spec, spec, "softmax"):
        torch.manual_seed(5)
        module = build_layer(name, dim=C, heads=H, max_len=17)
        made.append(module)
        states.append(torch.get_rng_state())
    require(torch.equal(states[0], states[2]), "building draws from the global generator", spec)
    for name, value in made[0].state_dict().items():
        same = torch.equal(value, made[1].state_dict()[name])
        require(same, f"{name} differs between two of one seed", spec)
    first, other = made[0].state_dict(), made[2].state_dict()
    if made[0].on_projections is None and not isinstance(made[0], MixerLayer):
        same = torch.equal(first["qkv.weight"][-C:], other["qkv.weight"][-C:])
        same = same and torch.equal(first["out.weight"], other["out.weight"])
        require(same, "v or out differ", spec)


def trains(spec: str) -> None:
    """Every learned parameter of a layer gets a gradient that is finite and not all 0, among more
    tokens than a block by default."""
    N = 150
    module = disturb(build_layer(spec, dim=C, heads=H, max_len=N)).double().train()
    x = torch.randn(1, N, C, dtype=torch.float64)
    y = module(x) + module.after_ffn(x)
    for name, gradient in gradients(y, learned(module), torch.randn_like(y)).items():
        require(gradient.isfinite().all(), f"{name} is not finite", f"N={N}")
        require(gradient.any(), f"{name} is 0", f"N={N}")


def refusals(spec: str) -> None:
    """Wrong shapes, dtypes and masks are refused in one line, by an attention and by a layer."""
    module = built(spec, heads=H, head_dim=D, max_len=8, dim=C)
    whole = build_layer(spec, dim=C, heads=H, max_len=8)
    q, k, v, x = Case(8, dtype=torch.float32).tensors()
    wrong = {
        "cross-attention": lambda: operator_of(module, q, k[:, :, :4], None, x),
        "max_len": lambda: operator_of(
            module, q.repeat(1, 1, 2, 1), k.repeat(1, 1, 2, 1), None, x.repeat(1, 2, 1)
        ),
        "keep must be": lambda: operator_of(module, q, k, torch.ones(3, 9, dtype=torch.bool), x),
        "expected heads=": lambda: operator_of(module, q[..., :4], k[..., :4], None, x),
        "do not fit": lambda: operator_of(module, q, k, None, x) @ v[:, :, :3],
        "q must have shape": lambda: operator_of(module, q[0], k[0], None, x),
        "q must be floating-point": lambda: operator_of(module, q.long(), k, None, x),
        "values must be floating-point": lambda: operator_of(module, q, k, None, x) @ v.long(),
        "write keep.bool()": lambda: operator_of(module, q, k, torch.ones(3, 8), x),
        "k has dtype float64, q float32": lambda: operator_of(module, q, k.double(), None, x),
        "values has dtype float64": lambda: operator_of(module, q, k, None, x) @ v.double(),
        "x has dtype float64, the layer float32": lambda: whole(x.double()),
        "x must have shape": lambda: whole(x[0]),
        "x must have width": lambda: whole(x[..., :4]),
        "x must be floating-point": lambda: whole(x.long()),
        "keep must be a bool": lambda: whole(x, torch.ones(3, 9, dtype=torch.bool)),
        "for a mask of 0 and 1": lambda: whole(x, torch.ones(3, 8)),
    }
    if module.needs_input:
        wrong["input x"] = lambda: module(q, k)
        wrong["x must have shape (3"] = lambda: module(q, k, None, x[:, 1:])
    for words, call in wrong.items():
        try:
            call()
        except UsageError as error:
            require(words in str(error), f"{error} does not say {words!r}", spec)
        else:
            raise CheckFailed(f"what should be refused ({words}) is taken; {spec}")
