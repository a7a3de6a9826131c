"""What the contract tests share: every attention × filter, inputs, the dense polynomials."""

import pytest
import torch

import gfsa
from attention_zoo import build_attention, build_layer, names

FILTERS = ["", "+gfsa", "+gfsa:K=4,mode=power"]
HEADS, WIDTH, MAX_LEN = 2, 8, 80
# Small feature counts keep the closed form in play for every factored attention.
OPTIONS = {"performer": "performer:features=12"}

# … and one with R ≥ 2D keeps the iterated route in play.
WIDE = ["performer:features=64"]

SPECS = [OPTIONS.get(name, name) + suffix for name in names() for suffix in FILTERS] + [
    name + suffix for name in WIDE for suffix in FILTERS
]
BASES = [*(OPTIONS.get(name, name) for name in names()), *WIDE]


def attention(spec, dtype=torch.float64):
    module = build_attention(spec, heads=HEADS, head_dim=WIDTH, max_len=MAX_LEN)
    return disturb(module).to(dtype)


def layer(spec, dtype=torch.float64):
    module = build_layer(spec, dim=HEADS * WIDTH, heads=HEADS, max_len=MAX_LEN)
    return disturb(module).to(dtype)


def disturb(module):
    """Moves every parameter from its initial value, where filters would be the identity."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return module


def inputs(B=3, N=17, dtype=torch.float64, scale=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (3, B, HEADS, N, WIDTH)
    return [x.to(dtype) * scale for x in torch.randn(shape, generator=generator).double()]


def padding(lengths, N):
    return torch.arange(N) < torch.tensor(lengths)[:, None]


def real(keep):
    return keep[:, None, :, None]


def module_reference(module, q, k, keep):
    """The dense matrix a module stands for: the attention's reference, then the filter's formula
    as the paper writes it."""
    base = getattr(module, "attention", module)
    matrix = base.reference(q, k, keep)
    for graph_filter in getattr(module, "filters", []):
        matrix = gfsa_reference(graph_filter, matrix)
    return matrix


def gfsa_reference(graph_filter: gfsa.GraphFilter, A):
    w0, w1, wK = (w.view(-1, 1, 1) for w in (graph_filter.w0, graph_filter.w1, graph_filter.wK))
    K, identity = graph_filter.K, torch.eye(A.shape[-1], dtype=A.dtype)
    if graph_filter.mode == "taylor":
        return w0 * identity + w1 * A + wK * (A + (K - 1) * (A @ A - A))
    return w0 * identity + w1 * A + wK * torch.linalg.matrix_power(A, K)


def gradients(outputs, wanted, upstream):
    return torch.autograd.grad(outputs, wanted, upstream, allow_unused=True)


def learned(module):
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


every_spec = pytest.mark.parametrize("spec", SPECS)
every_attention = pytest.mark.parametrize("spec", BASES)
