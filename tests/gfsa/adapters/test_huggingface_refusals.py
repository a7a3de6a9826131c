"""What cannot be changed is refused in one line, by its name, and left as it was."""

import pytest
import torch

from attention_zoo import UnsupportedError, UsageError
from gfsa.adapters import apply_attention, apply_gfsa
from tests.gfsa.adapters.models import adapters, build, inputs

pytestmark = pytest.mark.parity


def refused(model, error, *words, change=apply_gfsa, **options):
    with pytest.raises(error) as info:
        change(model, **options)
    message = str(info.value)
    assert "\n" not in message and all(word in message for word in words), message
    assert not adapters(model)
    assert model.config._attn_implementation in ("sdpa", "eager", "flex_attention")


def test_dropout_inside_a_fused_kernel():
    """At once, and in a pass where a module's dropout was raised afterwards."""
    model = build("Bert", attention_probs_dropout_prob=0.1)
    refused(model, UnsupportedError, "encoder.layer.1.attention.self", "eager", "dropout 0")
    refused(build("GPT2", attn_pdrop=0.1), UnsupportedError, "h.1.attn")
    refused(build("T5", dropout_rate=0.1), UnsupportedError, "block.1.layer.0.SelfAttention")
    for name, option in (("ViT", "attention_probs_dropout_prob"), ("Hubert", "attention_dropout")):
        refused(build(name, **{option: 0.1}), UnsupportedError, "layers.1.attention")
    model = apply_gfsa(build("Bert"))
    model.encoder.layer[1].attention.self.dropout.p = 0.1
    model(**inputs("Bert"))
    with pytest.raises(UnsupportedError, match=r"layer\.1\.attention\.self .*eager"):
        model.train()(**inputs("Bert"))


def test_shared_layers_are_changed_together_and_said_to_be(caplog):
    refused(build("Albert"), UnsupportedError, "4 layers share 1", "layers='all'")
    apply_gfsa(build("Albert"), layers="all")
    assert "one set of weights for the 4 layers that share them" in caplog.text


def test_cross_attention():
    model = build("T5")
    cross = model.decoder.block[0].layer[1].EncDecAttention
    with pytest.raises(UsageError, match=r"whole model.*T5Attention.*cross-attention"):
        apply_gfsa(cross)
    apply_gfsa(model, layers="all")
    assert not hasattr(cross, "gfsa")
    own = model.decoder.block[0].layer[0].SelfAttention
    x = torch.randn(1, 3, 16).double()
    with pytest.raises(UnsupportedError, match=r"SelfAttention .*cross-attention"):
        own(x, key_value_states=x)
    bert = build("Bert", is_decoder=True, add_cross_attention=True)
    assert len(adapters(apply_gfsa(bert, layers="all"))) == 4


def test_models_that_attend_otherwise():
    from transformers import LlamaConfig, LlamaModel, XLNetConfig, XLNetModel

    sizes = {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 16, "vocab_size": 20}
    refused(XLNetModel(XLNetConfig(**sizes)), UnsupportedError, "XLNetModel", "registry")
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 16, "vocab_size": 20}
    grouped = LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2)
    refused(LlamaModel(grouped), UnsupportedError, "layers.1.self_attn", "grouped-query")
    model = build("GPT2", "eager", reorder_and_upcast_attn=True)
    refused(model, UnsupportedError, "h.1.attn", "reorder_and_upcast_attn")
    model = build("Bert")
    model.set_attn_implementation("flex_attention")
    refused(model, UnsupportedError, "'flex_attention'", "'sdpa' or 'eager'")


def test_parts_of_models_and_models_that_were_changed():
    model = build("Bert")
    with pytest.raises(UsageError, match="whole model"):
        apply_gfsa(model.encoder)
    apply_gfsa(model)
    for change in (apply_gfsa, lambda model: apply_attention(model, "linear")):
        with pytest.raises(UsageError, match="changed before"):
            change(model)


def test_layers_that_do_not_exist():
    refused(build("Bert"), UsageError, "layer 5", "has 4 attention layer", layers="2/5")
    refused(build("Bert", num_hidden_layers=1), UsageError, "layers=even", "has 1", layers="even")


def test_another_kernel_afterwards_does_not_drop_the_filter_in_silence():
    model = apply_gfsa(build("Bert"))
    model.set_attn_implementation("eager")
    with pytest.raises(UsageError, match=r"layer\.1\.attention\.self .*attn_implementation"):
        model(**inputs("Bert"))
    with pytest.raises(UsageError, match="not its forward"):
        model = apply_gfsa(build("Bert"))
        model.encoder.layer[1].attention.self.forward(torch.randn(1, 3, 16).double())


def test_masks_and_biases_that_attentions_of_the_zoo_do_not_have():
    linear = {"change": apply_attention, "spec": "linear"}
    refused(build("Swin"), UnsupportedError, "blocks.0.attention", "position biases", **linear)
    refused(build("T5"), UnsupportedError, "block.0.layer.0.SelfAttention", "biases", **linear)
    refused(
        build("GPT2"),
        UnsupportedError,
        "h.0.attn",
        "causal",
        change=apply_attention,
        spec="nystrom",
    )
    model = apply_attention(build("Bert"), "linear")
    tokens = inputs("Bert")["input_ids"]
    with pytest.raises(UnsupportedError, match=r"layer\.0\.attention\.self .*padding mask"):
        model(tokens, attention_mask=torch.ones(2, 1, 9, 9, dtype=torch.bool))
    model = apply_attention(build("GPT2"), "linear")
    with pytest.raises(UnsupportedError, match="packed sequences"):
        model(tokens, position_ids=torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4]]), use_cache=False)
    with pytest.raises(UsageError, match="more than max_len=8"):
        apply_attention(build("Bert"), "linear", max_len=8)(tokens)
