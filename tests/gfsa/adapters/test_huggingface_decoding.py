"""Step by step, with the cache of transformers, a filtered model gives what it gives at once."""

import copy

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import UnsupportedError, UsageError
from gfsa.adapters import apply_attention, apply_gfsa
from tests.gfsa.adapters.models import build, randomise

pytestmark = pytest.mark.parity
every_kernel = pytest.mark.parametrize("kernel", ["sdpa", "eager"])
FILTERS = ["gfsa:K=3", "gfsa:K=3,mode=power+gfsa:K=2", "mean", "poly:K=3,basis=chebyshev"]
ATTENTIONS = ["linear+gfsa", "performer+gfsa", "sdpa+mean", "softmax+poly:K=2"]
SEARCHES = [{}, {"num_beams": 3, "num_return_sequences": 2}, {"do_sample": True}]


def language_model(filter=None, attention=None, kernel="sdpa", name="GPT2"):
    kind = "ForConditionalGeneration" if name == "T5" else "LMHeadModel"
    model = build(name, kernel, kind)
    if filter:
        apply_gfsa(model, filter, "all")
    elif attention:
        apply_attention(model, attention)
    randomise(model)
    return model


def tokens(B=2, N=12):
    return torch.randint(2, 50, (B, N))


def steps(model, ids, lengths, cache, mask=None):
    """Logits of a pass for each of so many tokens."""
    results, seen = [], 0
    for part in ids.split(lengths, 1):
        seen += part.shape[1]
        given = {}
        if mask is not None:
            places = (mask.cumsum(1) - 1).clamp(min=0)
            given = {"attention_mask": mask[:, :seen]}
            given["position_ids"] = places[:, seen - part.shape[1] : seen]
        results.append(model(part, past_key_values=cache, use_cache=True, **given).logits)
    return torch.cat(results, 1)


@every_kernel
@pytest.mark.parametrize("filter", FILTERS)
def test_steps_are_the_full_pass(filter, kernel):
    from transformers import DynamicCache

    model, ids = language_model(filter, kernel=kernel), tokens()
    full = model(ids, use_cache=False).logits
    assert_close(model(ids).logits, full)
    for cache in (DynamicCache(), DynamicCache(config=model.config)):
        assert_close(steps(model, ids, [5, 1, 1, 3, 2], cache), full)
        assert len(cache.layers) == 8 and cache.get_seq_length() == 12
    padded = torch.cat([torch.full((2, 3), 7), ids], 1)
    mask = (torch.arange(15) >= torch.tensor([[3], [3]])).long()
    result = steps(model, padded, [8, 1, 6], DynamicCache(), mask)
    assert_close(result[:, 3:], full)


def test_steps_of_bert_as_a_decoder_are_the_full_pass():
    from transformers import DynamicCache

    model, ids = build("Bert", kind="LMHeadModel", is_decoder=True), tokens()
    randomise(apply_gfsa(model, layers="2/3"))
    full, cache = model(ids, use_cache=False).logits, DynamicCache()
    assert_close(steps(model, ids, [5, 1, 6], cache), full)
    assert len(cache.layers) == 4 + 2


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_steps_of_other_attentions_are_the_full_pass(attention):
    from transformers import DynamicCache

    model, ids = language_model(attention=attention), tokens()
    full = model(ids, use_cache=False).logits
    assert_close(steps(model, ids, [5, 1, 1, 3, 2], DynamicCache()), full)
    padded = torch.cat([torch.full((2, 3), 7), ids], 1)
    mask = (torch.arange(15) >= torch.tensor([[3], [3]])).long()
    assert_close(steps(model, padded, [8, 1, 6], DynamicCache(), mask)[:, 3:], full)


@pytest.mark.parametrize("options", SEARCHES)
@pytest.mark.parametrize(
    ("filter", "attention"), [*((f, None) for f in FILTERS[:2]), (None, "linear+gfsa")]
)
def test_generation_needs_no_second_pass(filter, attention, options):
    model, ids = language_model(filter, attention), tokens(2, 5)
    mask = (torch.arange(5) >= torch.tensor([[2], [0]])).long()
    given = {"attention_mask": mask, "max_new_tokens": 12, "pad_token_id": 1} | options
    results = []
    for use_cache in (True, False):
        torch.manual_seed(3)
        results.append(model.generate(ids, use_cache=use_cache, **given))
    assert torch.equal(*results) and results[0].shape[1] > 8
    plain = build("GPT2", kind="LMHeadModel")
    plain.load_state_dict(model.state_dict(), strict=False)
    torch.manual_seed(3)
    assert not torch.equal(plain.generate(ids, **given), results[0])


@pytest.mark.parametrize("options", SEARCHES[:2])
def test_t5_generates_with_a_filter_in_encoder_and_decoder(options):
    model, ids = language_model("gfsa:K=3", name="T5"), tokens(2, 7)
    names = [name for name, module in model.named_modules() if hasattr(module, "gfsa")]
    assert len(names) == 4 and all(name.endswith("SelfAttention") for name in names)
    results = [
        model.generate(ids, max_new_tokens=10, use_cache=c, **options) for c in (True, False)
    ]
    assert torch.equal(*results)


@torch.no_grad
def test_the_cache_takes_the_filter_along():
    """Beams are reordered and repeated, examples selected, tokens taken back."""
    from transformers import DynamicCache

    model, ids = language_model("gfsa:K=3,mode=power"), tokens(3)
    full, cache = model(ids).logits, DynamicCache()
    steps(model, ids[:, :9], [4, 5], cache)
    cache.crop(-2)
    order = torch.tensor([2, 0, 1])
    cache.reorder_cache(order)
    cache.batch_select_indices(torch.tensor([0, 2]))
    cache.batch_repeat_interleave(2)
    which = torch.tensor([2, 2, 1, 1])
    assert_close(steps(model, ids[which, 7:], [1, 4], cache), full[which, 7:])
    again = copy.deepcopy(cache)
    again.reset()
    assert_close(steps(model, ids[which], [12], again), full[which])


def test_assisted_decoding_takes_back_what_was_not_accepted():
    model, ids = language_model("gfsa:K=3"), tokens(1, 6).repeat(1, 2)
    given = {"max_new_tokens": 12, "pad_token_id": 1, "attention_mask": torch.ones_like(ids)}
    plain = model.generate(ids, **given)
    assert torch.equal(model.generate(ids, prompt_lookup_num_tokens=3, **given), plain)


def test_sums_over_tokens_are_not_taken_back():
    from transformers import DynamicCache

    model, cache = language_model("mean"), DynamicCache()
    steps(model, tokens(), [12], cache)
    assert not cache.is_croppable
    with pytest.raises(UnsupportedError, match="sums over tokens"):
        cache.crop(-1)


def test_caches_that_cannot_be_used():
    from transformers import DynamicCache

    model, ids = language_model("gfsa"), tokens(1, 5)
    with pytest.raises(UnsupportedError, match=r"h\.0\.attn .*DynamicCache.*StaticLayer"):
        model.generate(ids, max_new_tokens=4, cache_implementation="static", pad_token_id=1)
    cache = DynamicCache()
    build("GPT2", kind="LMHeadModel")(ids, past_key_values=cache)
    with pytest.raises(UsageError, match="5 tokens, of which 0 went through this model"):
        model(ids[:, :1], past_key_values=cache)
