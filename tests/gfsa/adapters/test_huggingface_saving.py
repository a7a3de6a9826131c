"""A changed model is saved as any other, and loaded by one line."""

import logging

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import UsageError
from gfsa.adapters import apply_attention, apply_gfsa, from_pretrained
from tests.gfsa.adapters.models import LAYERS, adapters, build, inputs, randomise

pytestmark = pytest.mark.parity
ATTENTIONS = ["performer+gfsa", "linformer", "synthesizer", "sdpa+poly:K=2"]


def longest(adapter):
    return getattr(adapter.attention, "attention", adapter.attention).max_len


def same(one, other, given):
    assert type(one) is type(other)
    assert one.state_dict().keys() == other.state_dict().keys()
    assert_close(other.eval()(**given)[0], one(**given)[0])


@pytest.mark.parametrize("name", ["Bert", "Albert", "Swin", "GPT2", "Wav2Vec2", "T5"])
def test_a_filtered_model_comes_back(name, tmp_path):
    from transformers import AutoModel

    model, given = build(name), inputs(name)
    randomise(apply_gfsa(model, "gfsa:K=4,mode=power", LAYERS.get(name, ("even",))[0]))
    model.save_pretrained(tmp_path)
    for cls in (type(model), AutoModel):
        same(model, from_pretrained(cls, tmp_path, dtype=torch.float64), given)
    loaded = from_pretrained(AutoModel, tmp_path, attn_implementation="eager", dtype=torch.float64)
    assert loaded.config._attn_implementation == "gfsa_eager"
    loaded.save_pretrained(tmp_path / "again")
    same(loaded, from_pretrained(type(model), tmp_path / "again", dtype=torch.float64), given)


@pytest.mark.parametrize("spec", ATTENTIONS)
def test_a_model_with_another_attention_comes_back(spec, tmp_path):
    from transformers import AutoModelForSequenceClassification

    model, given = build("Bert", kind="ForSequenceClassification"), inputs("Bert")
    apply_attention(model, spec, "2/3", max_len=12)
    model.save_pretrained(tmp_path)
    torch.manual_seed(7)  # what is drawn is loaded, not drawn again
    loaded = from_pretrained(AutoModelForSequenceClassification, tmp_path, dtype=torch.float64)
    same(model, loaded, given)
    assert (
        loaded.bert.encoder.layer[1].attention.self.gfsa.attention.max_len == 12
        if (spec == "linformer")
        else True
    )


def test_without_it_transformers_names_what_it_leaves_out(tmp_path, caplog):
    from transformers import BertModel
    from transformers.utils import logging as theirs

    apply_gfsa(build("Bert")).save_pretrained(tmp_path)
    theirs.enable_propagation()
    try:
        with caplog.at_level(logging.WARNING):
            plain = BertModel.from_pretrained(tmp_path)
    finally:
        theirs.disable_propagation()
    assert not adapters(plain)
    assert "UNEXPECTED" in caplog.text and "attention.self.gfsa.filters.0.w0" in caplog.text


def test_what_cannot_be_loaded(tmp_path):
    from transformers import BertModel

    model = build("Bert")
    model.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"no entry 'gfsa': use BertModel\.from_pretrained"):
        from_pretrained(BertModel, tmp_path)
    model.config.gfsa = {"filter": "gfsa", "layers": "all"}
    model.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"but no weights .*gfsa\.filters\.0\.w0"):
        from_pretrained(BertModel, tmp_path)


def test_loading_info_is_returned_where_it_is_asked_for(tmp_path):
    from transformers import AutoModel

    apply_gfsa(build("Bert", kind="ForSequenceClassification")).save_pretrained(tmp_path)
    model, info = from_pretrained(AutoModel, tmp_path, output_loading_info=True)
    assert info["unexpected_keys"] == {"classifier.bias", "classifier.weight"}
    assert len(adapters(model)) == 2
