"""What every attention × filter must hold, names found through the registry."""

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import UsageError, build_attention, build_layer, names, parse_spec
from attention_zoo.registry import ATTENTIONS

from .cases import (
    HEADS,
    MAX_LEN,
    WIDTH,
    attention,
    every_attention,
    every_spec,
    gradients,
    inputs,
    layer,
    learned,
    module_reference,
    padding,
    real,
)

LENGTHS = {1: [1, 1, 1], 7: [7, 4, 1], 17: [17, 9, 1], 33: [33, 32, 2]}


@every_spec
@pytest.mark.parametrize("N", LENGTHS)
@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
def test_values_and_gradients_are_those_of_the_dense_reference(spec, N, padded):
    module = attention(spec)
    q, k, v = (x.requires_grad_() for x in inputs(N=N))
    keep = padding(LENGTHS[N], N) if padded else None
    rows = real(keep) if padded else torch.tensor(True)
    operator = module(q, k, keep)
    wanted = [q, k, v, *learned(module)]
    upstream = torch.where(rows, torch.randn_like(v), 0.0)

    expected_matrix = module_reference(module, q, k, keep)
    expected = expected_matrix @ (v if keep is None else torch.where(rows, v, 0.0))
    assert_close(operator.dense() * rows, operator_rows(expected_matrix, rows))
    assert_close((operator @ v) * rows, expected * rows)
    ours = gradients(operator @ v, wanted, upstream)
    theirs = gradients(expected, wanted, upstream)
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a, torch.zeros_like(a) if b is None else b)


def operator_rows(matrix, rows):
    """Real rows of a dense matrix; a filter's w₀ I is masked in the columns of pads."""
    columns = rows.mT if rows.ndim else rows
    return matrix * rows * columns


@every_spec
def test_what_stands_at_pads_changes_nothing(spec):
    module, N = layer(spec), 17
    keep = padding([17, 9, 1], N)
    x = torch.randn(3, N, HEADS * WIDTH, dtype=torch.float64)
    upstream = torch.randn_like(x) * keep[..., None]
    results = []
    for filling in (0.0, float("nan"), 1e30):
        filled = torch.where(keep[..., None], x, filling).requires_grad_()
        y = module(filled, keep)
        wanted = [filled, *learned(module)]
        results.append([y * keep[..., None], *gradients(y, wanted, upstream)])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)
    assert not results[0][1][~keep].any()


@every_spec
def test_operator_masks_its_own_inputs(spec):
    module, keep = attention(spec), padding([17, 9, 1], 17)
    clean = inputs()
    dirty = [torch.where(real(keep), x, float("nan")) for x in clean]
    values = [torch.where(real(keep), module(q, k, keep) @ v, 0.0) for q, k, v in (clean, dirty)]
    assert torch.equal(*values)


@every_spec
def test_padding_further_and_batch_mates_change_nothing(spec):
    module, keep = attention(spec), padding([17, 9, 1], 17)
    q, k, v = inputs()
    together = module(q, k, keep) @ v
    for b, n in enumerate(keep.sum(-1).tolist()):
        alone = [x[b : b + 1, :, :n] for x in (q, k, v)]
        assert_close(module(alone[0], alone[1]) @ alone[2], together[b : b + 1, :, :n])
    twice = [torch.nn.functional.pad(x, (0, 0, 0, 17), value=3.0) for x in (q, k, v)]
    further = module(twice[0], twice[1], padding([17, 9, 1], 34)) @ twice[2]
    assert_close(further[:, :, :17] * real(keep), together * real(keep))


@every_spec
def test_an_example_with_no_real_token_is_finite(spec):
    module, keep = attention(spec), padding([17, 0, 0], 17)
    q, k, v = (x.requires_grad_() for x in inputs())
    y = module(q, k, keep) @ v
    assert not y[1:].any()
    for gradient in gradients(y, [q, k, v, *learned(module)], torch.ones_like(y)):
        assert gradient.isfinite().all()
    nothing = module(q, k, padding([0, 0, 0], 17)) @ v
    assert not nothing.any()


@every_spec
def test_rows_sum_to_what_is_declared(spec):
    module, keep = attention(spec), padding([17, 9, 1], 17)
    if not ATTENTIONS.get(parse_spec(spec).attention.name).cls.support.rows_sum_to_one:
        pytest.skip("declares no row sums")
    q, k, _ = inputs()
    sums = module(q, k, keep).dense().sum(-1)  # (B, H, N)
    expected = torch.ones(HEADS, dtype=torch.float64)
    for graph_filter in getattr(module, "filters", []):
        expected = graph_filter.w0 + graph_filter.w1 + graph_filter.wK
    rows = keep[:, None].expand_as(sums)
    assert_close(sums[rows], expected[:, None].expand_as(sums)[rows])


@every_spec
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_large_inputs_stay_finite_in_every_declared_dtype(spec, dtype):
    assert dtype in ATTENTIONS.get(parse_spec(spec).attention.name).cls.support.dtypes
    module = attention(spec, dtype)
    q, k, v = (x.requires_grad_() for x in inputs(dtype=dtype, scale=20.0))
    y = module(q, k, padding([17, 9, 1], 17)) @ v
    assert y.dtype == dtype
    wanted = [q, k, v, *learned(module)]
    for x in (y, *gradients(y, wanted, torch.randn_like(y))):
        assert x is None or x.isfinite().all()


@every_spec
def test_autocast_agrees_with_float32(spec):
    module = layer(spec, torch.float32)
    x, keep = torch.randn(3, 17, HEADS * WIDTH), padding([17, 9, 1], 17)
    exact = module(x, keep)
    with torch.autocast("cpu", torch.bfloat16):
        rough = module(x, keep)
    rough.sum().backward()
    error = (rough.float() - exact)[keep].norm() / exact[keep].norm()
    assert error < 0.03
    assert all(parameter.grad.isfinite().all() for parameter in learned(module))


@every_spec
def test_state_dict_round_trip(spec):
    first = layer(spec)
    for module in first.modules():
        if hasattr(module, "resample"):
            module.resample(torch.Generator().manual_seed(7))
    second = build_layer(spec, dim=HEADS * WIDTH, heads=HEADS, max_len=MAX_LEN).double()
    second.load_state_dict(first.state_dict())
    x = torch.randn(2, 9, HEADS * WIDTH, dtype=torch.float64)
    assert torch.equal(first.eval()(x), second.eval()(x))


@every_spec
def test_one_operator_is_one_matrix(spec):
    """Linear in v, the same when applied twice, the mean of design's contract."""
    module, keep = attention(spec), padding([17, 9, 1], 17)
    q, k, v = inputs()
    operator = module(q, k, keep)
    matrix = operator.dense()
    rows = real(keep)
    v = v * rows
    assert_close((operator @ (operator @ v)) * rows, (matrix @ (matrix @ v)) * rows)
    assert_close(operator @ (2 * v), 2 * (operator @ v))
    assert torch.equal(operator @ v, operator @ v)
    coefficients = [0.3, torch.tensor([0.5, -1.0]), 0.0, torch.tensor([0.2, 0.7])]
    c1, c3 = (coefficients[i].double().view(-1, 1, 1) for i in (1, 3))
    expected = 0.3 * v + c1 * (matrix @ v) + c3 * (matrix @ matrix @ matrix @ v)
    assert_close(operator.polynomial(coefficients, v) * rows, expected * rows)
    lengths = keep.sum(-1)[:, None, None, None]
    assert_close(operator.mean(v), (v.sum(-2, keepdim=True) / lengths).expand_as(v))


@every_attention
@pytest.mark.parametrize("suffix", ["+gfsa", "+gfsa:mode=power,K=5", "+gfsa+gfsa:K=2"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_gfsa_starts_as_its_base_bit_for_bit(spec, suffix, dtype):
    torch.manual_seed(3)
    base = build_layer(spec, dim=HEADS * WIDTH, heads=HEADS, max_len=MAX_LEN).to(dtype)
    torch.manual_seed(3)
    filtered = build_layer(spec + suffix, dim=HEADS * WIDTH, heads=HEADS, max_len=MAX_LEN)
    filtered.to(dtype)
    x, keep = torch.randn(3, 17, HEADS * WIDTH, dtype=dtype), padding([17, 9, 1], 17)
    assert torch.equal(base(x, keep), filtered(x, keep))


@pytest.mark.parametrize("name", names())
def test_declarations_are_complete(name):
    cls = ATTENTIONS.get(name).cls
    assert cls.__doc__ and "arXiv" in cls.__doc__
    assert cls.support.time in ("N", "N²") and cls.support.memory in ("N", "N²")
    refused = cls.unsupported("cpu", torch.complex64, 7)
    assert refused and all(isinstance(reason, str) for reason in refused)


@every_attention
def test_bad_inputs_are_refused(spec):
    module = build_attention(spec, heads=HEADS, head_dim=WIDTH, max_len=8)
    q, k, _ = inputs(N=8, dtype=torch.float32)
    with pytest.raises(UsageError, match="cross-attention"):
        module(q, k[:, :, :4])
    with pytest.raises(UsageError, match="max_len"):
        module(torch.cat([q, q], 2), torch.cat([k, k], 2))
    with pytest.raises(UsageError, match="keep must be"):
        module(q, k, torch.ones(3, 9, dtype=torch.bool))
    with pytest.raises(UsageError, match="heads of width"):
        module(q[..., :4], k[..., :4])
    with pytest.raises(UsageError, match="do not fit"):
        module(q, k) @ q[:, :, :3]
