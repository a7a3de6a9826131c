"""Each remedy by its paper's words; the contract holds all of them to a dense definition."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import (
    UsageError,
    build_attention,
    build_layer,
    filters,
    formula_flops,
    parse_spec,
)
from attention_zoo.costs import count_flops
from attention_zoo.packing import Packing
from lra.model import build_model
from lra.protocols import get_protocol
from lra.training.optimizer import parameter_groups

SIZES = {"dim": 16, "heads": 2, "max_len": 30}


def layers(*specs, **options):
    """Of one seed."""
    for spec in specs:
        torch.manual_seed(3)
        yield build_layer(spec, **SIZES, **options).eval()


@pytest.mark.parametrize(
    "spec",
    ["attnscale", "featscale", "neutreno", "contranorm:scale=0", "layerscale:start=1"],
)
def test_at_its_start_it_is_the_base(spec):
    x, keep = torch.randn(2, 30, 16), torch.arange(30) < torch.tensor([[30], [17]])
    base, remedied = (layer(x, keep)[keep] for layer in layers("linear", f"linear+{spec}"))
    assert torch.equal(base, remedied)


def test_centered_attention_passes_no_constant_on():
    (layer,) = layers("softmax+centered", bias=False)
    x = torch.randn(1, 1, 16).expand(1, 30, 16)
    assert_close(layer(x), torch.zeros_like(x))


def test_neutreno_pulls_a_later_layer_to_the_values_of_the_first():
    x = torch.randn(1, 30, 16)
    first, second = layers("linear", "linear+neutreno:weight=0.4", bias=False)
    shared = {}
    first(x, None, shared)
    values = x @ first.qkv.weight[-16:].T
    assert_close(shared["values"], values)
    of_second = 2 * x @ second.qkv.weight[-16:].T
    expected = first(2 * x) + 0.4 * (values - of_second) @ second.out.weight.T
    assert_close(second(2 * x, None, shared), expected)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_model_gives_every_layer_the_values_of_its_first(pooling):
    """In the packed form as with pads."""
    protocol = get_protocol("nystromformer", "listops")
    settings = replace(protocol.model, pooling=pooling)
    protocol = replace(protocol, model=settings)
    tokens = torch.randint(1, 10, (3, 40))
    keep = torch.arange(40) < torch.tensor([[40], [9], [23]])
    results = {}
    for spec in ("linear", "linear+neutreno", "linear+neutreno:layers=1"):
        model = build_model(parse_spec(spec), protocol, "listops", 0, max_len=40).eval()
        results[spec] = model(tokens, keep)
        model.keep_pads = True
        assert_close(model(tokens, keep), results[spec], rtol=1e-4, atol=1e-5)
    base, everywhere, first = results.values()
    assert not torch.allclose(base, everywhere, rtol=1e-3)
    assert torch.equal(base, first)  # V⁰ − V⁰ = 0


def test_layerscale_scales_both_branches_of_a_block():
    protocol = get_protocol("nystromformer", "listops")
    tokens, keep = torch.randint(1, 10, (2, 40)), torch.ones(2, 40, dtype=torch.bool)
    model = build_model(parse_spec("linear+layerscale"), protocol, "listops", 0, max_len=40).eval()
    x = model.tokens(tokens) + model.positions[:40]
    with torch.no_grad():
        for block in model.blocks:
            for gamma in (block.attention.on_output.attention, block.attention.on_output.ffn):
                assert torch.equal(gamma, torch.full((64,), 0.1))
                gamma.zero_()
        packing, y = Packing(keep), x.flatten(0, 1)
        for block in model.blocks:
            y = block(y, packing)
    assert torch.equal(y, x.flatten(0, 1))


@pytest.mark.parametrize(("spec", "sign"), [("vit-", -1), ("vit+", 1)])
def test_vit_projections_have_eigenvalues_of_one_sign(spec, sign):
    (layer,) = layers(f"softmax+{spec}:start=0.7")
    W_V, W_O = layer.on_projections()
    H = W_V @ W_O
    assert_close(H, H.mT)
    assert_close(torch.linalg.eigvalsh(H), torch.full((16,), sign * 0.49))
    ordinary = sum(w.numel() for w in next(layers("softmax")).parameters())
    ours = sum(w.numel() for w in layer.parameters())
    assert ours == ordinary - 16 * 16 + 16 - 16  # one matrix and ψ for two and a bias of values


def test_vit_projections_hold_in_sixteen_bits():
    (layer,) = layers("softmax+vit-")
    assert layer.bfloat16()(torch.randn(1, 9, 16).bfloat16()).dtype == torch.bfloat16


def test_contranorm_moves_tokens_that_are_alike_apart():
    (layer,) = layers("linear+contranorm:form=tokens,scale=0.5")
    y = torch.randn(1, 1, 16) + 0.3 * torch.randn(1, 30, 16)

    def alike(y):
        unit = y / y.norm(dim=-1, keepdim=True)
        return (unit @ unit.mT).mean()

    assert alike(layer.on_output(y, None)) < alike(y)


def test_vectors_of_remedies_have_no_weight_decay_and_matrices_have():
    protocol = get_protocol("nystromformer", "listops")
    spec = parse_spec("linear+gfsa+vit-+layerscale")
    model = build_model(spec, protocol, "listops", 0, max_len=40)
    decayed, free = parameter_groups(model, 0.1)
    names = {id(p): name for name, p in model.named_parameters()}
    of_free = {names[id(p)].rpartition(".")[2] for p in free["params"]}
    assert of_free == {"w0", "w1", "wK", "psi", "attention", "ffn"}
    assert any(names[id(p)].endswith("theta") for p in decayed["params"])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("linear+attnscale+centered", "attnscale and centered both act on the operator"),
        ("linear+layerscale+gfsa+contranorm", "layerscale and contranorm both act on the output"),
        ("linear+vit-+vit+", r"vit- and vit\+ both act on the projections"),
        ("linear+neutreno+neutreno", "neutreno and neutreno both act on the values"),
    ],
)
def test_two_that_act_on_the_same_place_are_refused(spec, words):
    with pytest.raises(UsageError, match=words):
        parse_spec(spec)


def test_remedies_of_other_places_and_filters_go_together():
    spec = "linear+gfsa:K=4+gfsa+attnscale+neutreno+featscale+vit-"
    assert str(parse_spec(spec)) == "linear+gfsa:K=4+gfsa+attnscale+neutreno+featscale+vit-"
    (layer,) = layers(spec)
    assert layer(torch.randn(1, 30, 16)).isfinite().all()


@pytest.mark.parametrize("added", [*filters(), "contranorm:form=tokens", "gfsa+vit-+neutreno"])
@pytest.mark.parametrize("training", [False, True])
def test_the_operations_of_a_layer_are_those_of_its_formula(added, training):
    for name in ("linear", "mean"):
        layer = build_layer(f"{name}+{added}", dim=24, heads=2, max_len=40).train(training)

        def run(layer=layer):
            y = layer(torch.randn(3, 34, 24, requires_grad=training))
            if training:
                y.sum().backward()

        assert count_flops(run)[0] == formula_flops(layer, 3, 34, training=training)


def test_remedies_draw_other_numbers_than_their_attention():
    (layer,) = layers("linformer:rank=16+vit-")
    drawn, theta = layer.attention.E[:, :16].flatten(), layer.on_projections.theta.flatten()
    ratios = drawn / theta[: len(drawn)]
    assert ratios.std() > 0.01 * ratios.abs().mean()


@pytest.mark.parametrize("spec", ["featscale", "contranorm", "contranorm:form=tokens"])
def test_sixteen_bits_hold_on_long_inputs_with_padding(spec):
    (layer,) = layers(f"linear+{spec}")
    y = torch.full((1, 5000, 16), 20.0, dtype=torch.float16)
    keep = torch.arange(5000)[None] < 4500
    for given in (None, keep):
        assert layer.half().on_output(y, given)[:, :4500].isfinite().all()


def test_a_batch_without_tokens_reaches_every_weight():
    (layer,) = layers("linear+layerscale")
    y = layer(torch.zeros(0, 16), Packing(torch.zeros(2, 5, dtype=torch.bool)))
    y.sum().backward()
    assert layer.on_output.attention.grad is not None


def test_names_with_a_plus_are_read():
    assert str(parse_spec("linear + vit+ + gfsa")) == "linear+vit++gfsa"
    for spec in (
        "linear+vit+",
        "linear+vit++gfsa",
        "linear+gfsa+vit+:start=0.7",
        "linear+vit-+mean",
    ):
        assert str(parse_spec(spec)) == spec
    for spec in ("linear+", "linear++gfsa", "linear+gfsa+"):
        with pytest.raises(UsageError, match=r"missing after '\+'"):
            parse_spec(spec)


def test_a_remedy_where_it_has_no_meaning_is_refused():
    with pytest.raises(UsageError, match="acts on the projections of a layer"):
        build_attention("linear+vit-", heads=2, head_dim=8, max_len=9)
    with pytest.raises(UsageError, match="needs values as wide as x, 16, not 8"):
        build_layer("linear+vit-", **SIZES, inner=8)
    for spec, words in (
        ("linear+contranorm:scale=-1", "scale ≥ 0"),
        ("linear+contranorm:temperature=0", "temperature > 0"),
        ("linear+vit-:start=0", "learns nothing from start=0"),
    ):
        with pytest.raises(UsageError, match=words):
            build_layer(spec, **SIZES)


def test_a_remedy_stands_in_the_layers_that_it_names():
    odd, even = (
        next(layers("linear+vit-:layers=odd+layerscale:layers=2", layer=layer)) for layer in (1, 2)
    )
    assert odd.on_projections is not None and odd.on_output is None
    assert even.on_projections is None and even.on_output is not None
