"""model.attention_dropout: on where an attention takes it, off and said so where not."""

import pytest
import torch

from attention_zoo import UsageError
from lra.cli import main
from lra.protocols import get_protocol, override
from lra.results.agreement import remaining
from lra.results.comparable import restoring
from lra.results.tables import render, tables_of
from lra.run.describe import described

from .test_results import record
from .tiny import PROTOCOL, SETTINGS, config, tiny_train

DROPOUT = ["model.attention_dropout=0.5"]


def test_it_is_part_of_a_runs_settings_and_identity():
    dropping, modified = override(PROTOCOL, DROPOUT)
    assert dropping.settings["model"]["attention_dropout"] == 0.5
    assert modified == {"model.attention_dropout": 0.5}
    assert config(protocol=dropping).identity != config().identity
    again, modified = override(PROTOCOL, ["model.attention_dropout=0.0"])
    assert modified == {} and config(protocol=again).identity == config().identity


def test_it_acts_in_training_where_the_attention_takes_it(tmp_path):
    few = ["training.steps=4", "training.warmup=2"]
    for spec, acts in (("softmax+gfsa", True), ("linear+gfsa", False)):
        plain, dropping, again = (
            tiny_train(tmp_path / f"{spec}-{i}", spec, settings=[*few, *settings])
            for i, settings in enumerate(([], DROPOUT, DROPOUT))
        )
        pairs = zip(plain.weights.values(), dropping.weights.values(), strict=True)
        assert all(torch.equal(*pair) for pair in pairs) is not acts
        assert dropping.test == again.test and dropping.val == again.val


def test_the_record_says_what_the_attention_had():
    dropping, _ = override(PROTOCOL, DROPOUT)
    for spec, had in (("softmax", 0.5), ("sdpa", 0.5), ("linear", 0.0), ("nystrom", 0.0)):
        assert described(config(spec, protocol=dropping))["attention_dropout"] == had


def test_a_table_names_the_attentions_without_it():
    protocol, modified = override(get_protocol("quick", "listops"), DROPOUT)
    given = {"protocol": protocol, "modified": modified}
    records = [
        record("softmax", 0, attention_dropout=0.5, identity="a" * 16, **given),
        record("linear", 0, identity="b" * 16, **given),
    ]
    text = render(tables_of(records, ["accuracy"]), "github")
    assert "No attention dropout (not supported): linear.\n" in text
    assert "modified (model.attention_dropout=0.5)" in text
    assert "No attention dropout" not in render(tables_of(records[:1], ["accuracy"]), "github")


def command(*words):
    task = ["--task", "listops", "--protocol", "quick", "--set", *SETTINGS, *DROPOUT]
    return [*task, "--accelerator", "cpu", "--attn", *words]


def test_a_run_says_for_which_attentions_it_is_off(tmp_path, capsys):
    words = [*command("softmax", "linear", "linear+gfsa"), "--dry-run", "--results", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "model.attention_dropout is off where it is not supported: linear, linear+gfsa" in said


def test_a_fused_kernel_with_a_filter_is_refused_before_anything_is_run(capsys):
    for line in (command("sdpa+gfsa"), ["measure", *command("sdpa+gfsa")]):
        assert main(line) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and "sdpa draws another mask whenever Ā is applied" in err


@pytest.mark.parametrize("name", ["nystromformer", "skyformer", "google"])
def test_the_lineages_can_be_repeated(name):
    for task in ("listops", "image"):
        protocol = get_protocol(name, task)
        (stated,) = (d for d in protocol.deviations if "attention dropout" in d.text)
        found = restoring(stated, record(task=task, protocol=protocol))
        expected = 0.2 if (name, task) == ("google", "image") else 0.1
        assert found == {"model.attention_dropout": expected}
    assert get_protocol(name, "listops").model.attention_dropout == 0


@pytest.mark.parametrize(
    ("protocol", "attention", "had", "unlike"),
    [
        *(("skyformer", name, 0.0, True) for name in ("softmax", "sdpa", "kernelized")),
        *(("skyformer", name, 0.1, False) for name in ("softmax", "xformers", "kernelized+gfsa")),
        *(("skyformer", "bigbird:block=64", had, had > 0) for had in (0.0, 0.1)),
        *(("nystromformer", "kernelized", had, had > 0) for had in (0.0, 0.1)),
        *(("google", "local", had, had == 0) for had in (0.0, 0.1)),
        *(("google", name, 0.0, True) for name in ("linformer", "sinkhorn", "reformer")),
        *(("google", name, 0.0, False) for name in ("linear", "performer")),
    ],
)
def test_attention_dropout_is_unlike_the_source_by_what_the_source_had_for_the_attention(
    protocol, attention, had, unlike
):
    made = get_protocol(protocol, "listops")
    one = record(attention, 0, protocol=made, attention_dropout=had)
    assert any("attention dropout" in text for text in remaining([one])) is unlike
    both = record("softmax", 0, protocol=made, attention_dropout=0.1)
    assert any("attention dropout" in text for text in remaining([both, one])) is unlike


def test_wrong_values_are_refused():
    with pytest.raises(UsageError, match=r"model\.attention_dropout=1\.0 must be less than 1"):
        override(PROTOCOL, ["model.attention_dropout=1"])
