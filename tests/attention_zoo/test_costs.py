"""Bytes that operators move, on steps made by hand and for every attention."""

import math

import pytest
import torch
from torch import nn

from attention_zoo import build_attention, build_layer, names
from attention_zoo.costs import count_bytes, count_flops
from attention_zoo.operators import DenseOperator, FactoredOperator, LandmarkOperator
from attention_zoo.operators.blocks import BlockOperator, neighbours
from attention_zoo.registry import ATTENTIONS

ON_CPU = [name for name in names() if name != "xformers"]  # which has no kernel there
H, D = 1, 16
FLOAT = 4


def test_an_operator_moves_its_inputs_and_its_outputs():
    a, b = torch.randn(2, 5), torch.randn(5, 3)
    assert count_bytes(lambda: a @ b) == FLOAT * (10 + 15 + 6)
    assert count_bytes(lambda: a + a) == FLOAT * (10 + 10 + 10)
    assert count_bytes(lambda: a.sum()) == FLOAT * (10 + 1)
    assert count_bytes(lambda: torch.cat([a, a, a])) == FLOAT * (30 + 30)
    assert count_bytes(lambda: a.double()) == 10 * (4 + 8)
    assert count_bytes(lambda: a.clone().add_(1)) == FLOAT * (2 * 10 + 2 * 10)
    index = torch.tensor([1, 2, 1])
    assert count_bytes(lambda: a.index_select(1, index)) == FLOAT * (10 + 6) + 8 * 3
    wide = torch.randn(3, 4, dtype=torch.float64).bfloat16()
    assert count_bytes(lambda: wide.relu()) == 2 * (12 + 12)


def test_views_and_allocations_move_nothing():
    a = torch.randn(4, 6)
    seen = (
        lambda: a.T[1:].unsqueeze(0).expand(3, -1, -1),
        lambda: a.reshape(2, 12).unfold(1, 4, 2),
        lambda: a.detach().view(24).split(8),
        lambda: torch.empty(100),
        lambda: torch.empty_like(a),
        lambda: a.new_empty(100),
        lambda: a.contiguous().float(),
        lambda: torch.ops.aten._unsafe_view(a, (24,)),
    )
    for step in seen:
        assert count_bytes(step) == 0


def test_an_element_counts_once_however_often_it_is_shown():
    row = torch.randn(10)
    assert count_bytes(lambda: row.expand(50, 10).contiguous()) == FLOAT * (10 + 500)
    assert count_bytes(lambda: row.unfold(0, 4, 2).contiguous()) == FLOAT * (10 + 16)
    assert count_bytes(lambda: row.view(5, 2)[:, 0].clone()) == FLOAT * (5 + 5)
    assert count_bytes(lambda: torch.empty(0, 3).clone()) == 0


def test_a_backward_pass_is_followed_and_a_fused_kernel_is_one_operator():
    a, b = torch.randn(2, 5, requires_grad=True), torch.randn(5, 3, requires_grad=True)
    y, grad = a @ b, torch.randn(2, 3)
    # grad Bᵀ and Aᵀ grad; leaves without a gradient take theirs as it is.
    expected = FLOAT * ((6 + 15 + 10) + (10 + 6 + 15))
    assert count_bytes(lambda: y.backward(grad)) == expected
    q, k, v = torch.randn(3, 1, 2, 33, 8).unbind()
    fused = count_bytes(lambda: nn.functional.scaled_dot_product_attention(q, k, v))
    assert fused == FLOAT * (4 * q.numel() + 2 * 33)  # and each row's normaliser


def test_inference_mode_counts_the_operators_inside():
    layer, x = build_layer("linear", dim=16, heads=2, max_len=33), torch.randn(2, 33, 16)
    found = []
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            found.append((count_bytes(lambda: layer(x)), count_flops(lambda: layer(x))[0]))
    assert found[0][1] == found[1][1]
    assert abs(found[0][0] / found[1][0] - 1) < 0.1  # torch takes products apart otherwise


def training_pass(spec, N, max_len):
    """A forward and backward pass with a mask, and its Āv."""
    module = build_attention(spec, heads=H, head_dim=D, max_len=max_len, dim=H * D)
    keep, x = torch.ones(1, N, dtype=torch.bool), torch.randn(1, N, H * D, requires_grad=True)
    q, k, v = (part.requires_grad_() for part in torch.randn(3, 1, H, N, D).unbind())

    def forward():
        return module(q, k, keep, x if module.needs_input else None) @ v

    def step():
        for tensor in (q, k, v, x, *module.parameters()):
            tensor.grad = None
        forward().backward(torch.ones(1, H, N, D))

    return forward, step


SHAPE, R, b, m = (2, 3), 8, 16, 3  # B and H, features or landmarks, a block, blocks looked at


def factored(N):
    return FactoredOperator(torch.randn(*SHAPE, N, R), torch.randn(*SHAPE, R, N))


def landmark(N):
    left, core = torch.randn(*SHAPE, N, R), torch.randn(*SHAPE, R, R)
    return LandmarkOperator(left, core, torch.randn(*SHAPE, R, N))


def dense(N):
    return DenseOperator(torch.randn(*SHAPE, N, N))


def fused(N):
    q, k = torch.randn(2, *SHAPE, N, D).unbind()
    return build_attention("sdpa", heads=SHAPE[1], head_dim=D, max_len=N)(q, k)


def blocks(N):
    n = N // b
    index, _ = neighbours(n, 1, m - 2, torch.device("cpu"))
    return BlockOperator(torch.randn(*SHAPE, N, D), torch.randn(*SHAPE, n, b, m * b), index)


@pytest.mark.parametrize("N", [64, 160])
@pytest.mark.parametrize(
    ("made", "numbers", "indices"),
    [
        # right, v → state; left, state → Āv
        (factored, lambda N: (R * N + N * D + R * D) + (N * R + R * D + N * D), 0),
        # columns, v → state; core, state → state; left, state → Āv
        (
            landmark,
            lambda N: (R * N + N * D + R * D) + (R * R + 2 * R * D) + (N * R + R * D + N * D),
            0,
        ),
        (dense, lambda N: N * N + 2 * N * D, 0),
        # q, k, v → Āv and each row's normaliser
        (fused, lambda N: 4 * N * D + N, 0),
        # v copied where padding would be; v → m blocks a block; weights, those → Āv
        (blocks, lambda N: 2 * N * D + (N * D + m * N * D) + (m * b * N + m * N * D + N * D), m),
    ],
)
def test_bytes_of_one_application_are_those_of_the_tensors_it_reads_and_writes(
    made, numbers, indices, N
):
    operator, v = made(N), torch.randn(*SHAPE, N, D)
    heads, index = math.prod(SHAPE), 8 * indices * N // b
    assert count_bytes(lambda: operator @ v) == FLOAT * heads * numbers(N) + index


@pytest.mark.parametrize("name", ON_CPU)
def test_no_attention_moves_less_than_its_inputs_and_its_result(name):
    N = 100
    forward, step = training_pass(name, N, N)
    tensors = len(ATTENTIONS.get(name).cls.projections) + 2  # v, and what is returned
    must = tensors * FLOAT * H * N * D
    assert count_bytes(forward) >= must
    assert count_bytes(step) >= 2 * must  # their gradients as well
