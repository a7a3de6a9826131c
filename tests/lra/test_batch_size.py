"""What a step is said to see is what it saw."""

import pytest

from attention_zoo import UsageError
from lra.cli import main
from lra.data.batches import Stream
from lra.protocols import get_protocol, override
from lra.run.data import require_batch
from lra.training.module import Classifier

from .tiny import PROTOCOL, SETTINGS, config, store, tiny_train


def test_a_step_sees_the_examples_of_its_batch(tmp_path, monkeypatch):
    seen, step = [], Classifier.training_step

    def watched(self, batch, batch_idx):
        tokens, keep, _ = batch
        seen.append([tuple(row[real].tolist()) for row, real in zip(tokens, keep, strict=True)])
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Classifier, "training_step", watched)
    tiny_train(tmp_path, settings=["training.batch=50", "training.steps=4", "training.warmup=2"])
    examples = store().splits["train"]
    expected = [
        [tuple(examples[i][0][0].tolist()) for i in members]
        for members in Stream(len(examples), 50, 4, seed=0)
    ]
    assert seen == expected and len({i for m in Stream(200, 50, 4, seed=0) for i in m}) == 200


LARGER = [
    ("training.batch=201", "training.batch=201 is more than the 200 examples of the training"),
    ("training.bucket=26", "training.batch=8 × training.bucket=26 is more than the 200 exampl"),
]


@pytest.mark.parametrize(("setting", "message"), LARGER)
@pytest.mark.parametrize("command", [[], ["--dry-run"], ["measure"]])
def test_a_batch_larger_than_the_training_split_is_refused_before_data_are_made(
    tmp_path, capsys, command, setting, message
):
    settings = [one for one in SETTINGS if one.partition("=")[0] != setting.partition("=")[0]]
    words = ["--task", "listops", "--protocol", "quick", "--attn", "linear", "linear+gfsa"]
    folders = ["--results", str(tmp_path / "results"), "--data-dir", str(tmp_path / "data")]
    folders = folders[2:] if command == ["measure"] else folders
    assert main([*command, *words, *folders, "--set", *settings, setting]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("task", "size"), [("text", 25_000), ("image", 45_000)])
def test_the_training_split_is_that_of_the_settings(task, size):
    given = ["task.select_on=test"] if task == "text" else []
    protocol, _ = override(get_protocol("skyformer", task), given)
    assert protocol.task.training_size == size


@pytest.mark.parametrize(("setting", "message"), LARGER)
def test_a_batch_larger_than_the_prepared_training_split_is_refused(setting, message):
    protocol, _ = override(PROTOCOL, [setting])
    with pytest.raises(UsageError, match=message):
        require_batch(config(protocol=protocol), store())


@pytest.mark.parametrize(
    ("value", "message"),
    [("0", "must be greater"), ("8.5", "got '8.5'"), ("", "got ''")],
)
def test_training_batch_is_a_setting_as_others_are(capsys, value, message):
    words = ["--task", "listops", "--protocol", "quick", "--attn", "linear", "--dry-run"]
    assert main([*words, "--set", f"training.batch={value}"]) == 2
    assert message in capsys.readouterr().err
