"""Attentions of the zoo in models of transformers."""

import pytest
import torch
from torch.testing import assert_close

import attention_zoo
from gfsa.adapters import apply_attention
from tests.gfsa.adapters.models import (
    CONFIGS,
    adapters,
    build,
    inputs,
    made,
    outputs,
    randomise,
    real,
)

pytestmark = pytest.mark.parity
MODELS = [name for name in CONFIGS if name not in ("Swin", "T5")]
# What needs a GPU, or blocks that do not fit a small model.
SPECS = sorted(set(attention_zoo.names()) - {"xformers"})


@pytest.mark.parametrize("spec", ["softmax", "sdpa+gfsa"])
@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("name", MODELS)
def test_softmax_of_the_zoo_is_the_models_own(name, kernel, spec):
    """In all layers and, beside layers that keep theirs, in some."""
    tolerance = {"rtol": 1e-6, "atol": 1e-6} if kernel == "eager" else {}  # ViT's is of float32
    for layers in ("all",) if name == "Albert" else ("all", "2/3"):
        model, given = build(name, kernel), inputs(name)
        before = real(name, model(**given)[0])
        apply_attention(model, spec, layers)
        assert_close(real(name, model(**given)[0]), before, **tolerance)
        assert len(adapters(model)) == {"all": 4, "2/3": 2}[layers] - 3 * (name == "Albert")


@pytest.mark.parametrize("spec", SPECS)
def test_each_attention_stands_in_bert(spec):
    """Padding changes no real token; the projections and all else are the model's."""
    model, given = build("Bert"), inputs("Bert")
    before = model(**given)[0]
    apply_attention(model, f"{spec}+gfsa:wK=0.3").train()
    result = model(**given)[0]
    assert (result - before)[1].abs().max() > 1e-6
    assert_close(result[:1, :6], model(given["input_ids"][:1, :6])[0])
    result.square().sum().backward()
    for adapter in adapters(model).values():
        assert (adapter.attention.filters[0].w0.grad != 0).all()
    attention = model.encoder.layer[0].attention.self
    assert attention.value.weight.grad.abs().max() > 0
    if "q" in adapters(model)["encoder.layer.0.attention.self"].attention.projections:
        assert attention.query.weight.grad is not None


def test_it_is_the_zoos_attention_on_the_models_heads():
    model, given = build("Bert"), inputs("Bert")
    randomise(apply_attention(model, "performer+gfsa", "1"))
    attention = model.encoder.layer[0].attention.self
    q, k, v, y = outputs(attention.query, attention.key, attention.value, attention)
    model(**given)
    q, k, v = (x[0].unflatten(-1, (2, 8)).transpose(1, 2) for x in (q, k, v))
    operator = attention.gfsa.attention(q, k, given["attention_mask"].bool())
    assert torch.equal(y[0][0], (operator @ v).transpose(1, 2).flatten(2))


def test_its_length_is_the_models():
    lengths = {"Bert": 32, "GPT2": 64, "ViT": 16 + 2, "Wav2Vec2": 30_000}
    for name, length in lengths.items():
        model = apply_attention(build(name), "linear")
        assert {a.attention.max_len for a in adapters(model).values()} == {length}
    model = apply_attention(build("Wav2Vec2"), "linformer", max_len=100)
    assert {a.attention.max_len for a in adapters(model).values()} == {100}


def test_a_long_padded_batch_makes_no_matrix_of_all_pairs():
    N = 512
    model = build("Bert", dtype=torch.float32, max_position_embeddings=N)
    apply_attention(model, "linear+gfsa")
    assert made(model, N, pads=3) == set()


@pytest.mark.parametrize("spec", ["softmax+gfsa:wK=0.3", "linear"])
def test_dropout_of_entries(spec):
    model = build("Bert", attention_probs_dropout_prob=0.5)
    if spec == "linear":
        with pytest.raises(attention_zoo.UnsupportedError, match=r"layer\.0\..*dropout 0"):
            apply_attention(model, spec)
        return
    apply_attention(model, spec)
    given = inputs("Bert")
    assert torch.equal(model(**given)[0], model(**given)[0])
    model.train()
    assert (model(**given)[0] - model(**given)[0]).abs().max() > 0.01


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_cross_attention_keeps_its_masks(kernel):
    from transformers import DynamicCache, EncoderDecoderCache

    model = build("Bert", kernel, is_decoder=True, add_cross_attention=True)
    given = inputs("Bert") | {"encoder_hidden_states": torch.randn(2, 5, 16).double()}
    given["encoder_attention_mask"] = (torch.arange(5) < torch.tensor([[5], [3]])).long()
    before = real("Bert", model(**given)[0])
    apply_attention(model, "softmax", "2/3")
    assert_close(real("Bert", model(**given)[0]), before)
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    tokens, mask = (given.pop(name) for name in ("input_ids", "attention_mask"))
    steps = [
        model(part, attention_mask=mask[:, : 4 + 5 * i], past_key_values=cache, **given)[0]
        for i, part in enumerate(tokens.split([4, 5], 1))
    ]
    assert_close(real("Bert", torch.cat(steps, 1)), before)
