"""What holds for every task: its metadata, its data, its model, its training."""

import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from attention_zoo import UsageError, parse_spec
from lra.config import RunConfig
from lra.data.batches import Stream, collate
from lra.data.dataset import Archive
from lra.data.prepare import find_source, prepare, verified
from lra.model import build_model
from lra.protocols import get_protocol, override
from lra.system import interrupts
from lra.tasks import SPLITS, TASKS, TaskMetadata, get_task
from lra.tasks.pathfinder.examples import PIECE
from lra.training.fit import padding, train
from lra.training.loss import training_loss
from lra.training.optimizer import parameter_groups

FOLDER = tempfile.TemporaryDirectory(prefix="lra-gfsa-tests-")  # until the session ends
TINY = ["task.train=48", "task.val=16", "task.test=16", "training.batch=4", "training.steps=6"]
TINY += ["training.warmup=2", "training.eval_every=3", "model.dim=16", "model.head=16"]
SHORT = {
    "listops": ["task.min_length=4", "task.max_length=32"],
    "text": ["task.max_len=100"],
    "retrieval": ["task.max_len=100"],
}
EVERY_TASK = pytest.mark.parametrize("task", TASKS)
# Larger images show nothing that 1,024 pixels do not; ListOps stands in test_checkpoints.
TRAINED = pytest.mark.parametrize("task", ["text", "retrieval", "image", "pathfinder"])


@functools.cache
def quick(task, *settings):
    """A run of the task under the quick protocol with these settings, and its data."""
    protocol, modified = override(get_protocol("quick", task), settings)
    source = find_source(get_task(task), protocol.task, Path(FOLDER.name))
    protocol = dataclasses.replace(protocol, task=source.settings)
    config = RunConfig(
        task, parse_spec("linear+gfsa"), protocol, source.fingerprint, modified, 0, "32-true", "cpu"
    )
    return config, prepare(source, print, workers=1)


def tiny(task):
    return quick(task, *TINY, *SHORT.get(task, []))


@EVERY_TASK
def test_metadata_is_complete(task):
    about, settings = TASKS[task].metadata, TASKS[task].settings
    assert about.name == task
    for field in dataclasses.fields(TaskMetadata):
        assert getattr(about, field.name) or field.name == "padding"
    assert tuple(about.splits) == SPLITS and about.sequences in (1, 2)
    assert about.chance == 1 / about.classes and about.vocabulary == settings.VOCABULARY <= 257
    assert about.padding is None or 0 <= about.padding < about.vocabulary
    assert isinstance(TASKS[task].archive, Archive)
    for name in ("nystromformer", "skyformer", "google"):
        full = get_protocol(name, task).task
        assert full.max_len == about.length and full.source == "auto"
        assert {split: getattr(full, split) for split in SPLITS} == about.splits
        assert TASKS[task].root(full) in about.layout.replace("<level>", "curv_contour_length_14")
    for source, keys in settings.DECIDE.items():
        assert source in ("official", "generated", "sample") and keys
        names = {field.name for field in dataclasses.fields(settings)}
        assert set(keys) | set(settings.BATCHES) | set(settings.FIXED) <= names


@EVERY_TASK
def test_made_data_are_labelled_and_what_the_metadata_say(task):
    config, store = tiny(task)
    about, settings = get_task(task).metadata, config.protocol.task
    assert store.recipe["source"] == settings.source in ("generated", "sample")
    assert {name: len(split) for name, split in store.splits.items()} == {
        name: getattr(settings, name) for name in SPLITS
    }
    split = store.splits["train"]
    assert split.members.shape == (48, about.sequences)
    assert split.tokens.max() < about.vocabulary and split.labels.max() < about.classes
    if about.padding is None:
        assert (split.lengths == settings.max_len).all()
        assert (split.tokens == 0).any()  # black, a token like any other
    else:
        assert split.tokens.min() > about.padding and split.lengths.max() <= settings.max_len
    _, keep, labels = collate([split[i] for i in range(3)], padding(config))
    assert keep.sum() == split.lengths[:3].sum() and labels.tolist() == split.labels[:3].tolist()
    counts = np.bincount(split.labels, minlength=about.classes)
    assert counts.min() > 0 and (store.baselines["majority class"] <= 0.8)


@EVERY_TASK
def test_no_example_stands_in_two_splits(task):
    _, store = tiny(task)
    members = [set(map(tuple, split.members.tolist())) for split in store.splits.values()]
    assert sum(map(len, members)) == len(set().union(*members))


@EVERY_TASK
def test_data_are_the_seeds(task, tmp_path):
    config, store = tiny(task)
    settings = config.protocol.task
    again = find_source(get_task(task), settings, tmp_path)
    assert again.fingerprint == store.fingerprint
    assert prepare(again, print, workers=1).sha256 == store.sha256
    other = find_source(get_task(task), dataclasses.replace(settings, seed=1), tmp_path)
    assert prepare(other, print, workers=1).sha256["tokens.npy"] != store.sha256["tokens.npy"]
    with pytest.raises(UsageError, match=r"metadata\.json is missing"):
        verified(find_source(get_task(task), dataclasses.replace(settings, seed=2), tmp_path))


def test_the_size_of_a_piece_does_not_show_in_the_data(tmp_path, monkeypatch):
    config, store = tiny("pathfinder")
    monkeypatch.setitem(PIECE, 32, 7)
    again = find_source(get_task("pathfinder"), config.protocol.task, tmp_path)
    assert prepare(again, print, workers=1).sha256 == store.sha256


def test_quick_path_x_is_64_images_at_most():
    settings = get_protocol("quick", "pathx").task
    assert sum(getattr(settings, split) for split in SPLITS) <= 64
    assert settings.max_len == 16_384 and settings.source == "generated"


def test_a_task_without_files_and_generator_says_what_to_do(tmp_path):
    for task, made in TASKS.items():
        settings = get_protocol("nystromformer", task).task
        if made.generates:
            assert find_source(made, settings, tmp_path).settings.source == "generated"
        else:
            with pytest.raises(UsageError, match=rf"prepare --task {task}` says what to bring"):
                find_source(made, settings, tmp_path)


@pytest.mark.parametrize("pairs", ["product", "concat"])
def test_both_sequences_go_through_one_encoder(pairs):
    protocol, _ = override(get_protocol("quick", "retrieval"), [f"model.pairs={pairs}"])
    model = build_model(parse_spec("linear+gfsa"), protocol, "retrieval", 0).eval()
    tokens = torch.randint(1, 257, (3, 2, 64), generator=torch.manual_seed(0))
    keep = torch.arange(64) < torch.tensor([[64, 9], [33, 64], [1, 50]])[..., None]
    a, b = (model.encode(tokens[:, i], keep[:, i]) for i in range(2))
    features = [a, b, a * b, a - b] if pairs == "product" else [a, b]
    logits = model(tokens, keep)
    torch.testing.assert_close(logits, model.head(torch.cat(features, -1)))
    poisoned = torch.where(keep, tokens, 7)
    torch.testing.assert_close(model(poisoned, keep), logits)
    longer = [torch.nn.functional.pad(x[:, :1], (0, 32)) for x in (tokens, keep)]
    torch.testing.assert_close(model.encode(longer[0][:, 0], longer[1][:, 0]), a)
    swapped = model(tokens.flip(1), keep.flip(1))
    assert not torch.allclose(swapped, logits)


@TRAINED
def test_a_run_that_was_stopped_goes_on_exactly(task, tmp_path, monkeypatch):
    config, store = tiny(task)
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole = train(config, store, tmp_path / "whole", lambda report: None)
    with interrupts.obeyed(), pytest.raises(interrupts.Stopped):
        monkeypatch.setattr(interrupts, "requested", lambda: True)
        train(config, store, tmp_path / "cut", lambda report: None)
    monkeypatch.undo()
    cut = train(config, store, tmp_path / "cut", lambda report: None)
    assert cut.test == whole.test and cut.best_step == whole.best_step
    for name, weight in whole.weights.items():
        assert torch.equal(cut.weights[name], weight)


def test_quick_images_are_learned():
    """In 14 steps; a constant answer gets 10 % of the validation examples. ListOps stands in
    test_training, and the others take longer."""
    config, store = quick("image")
    split, fill = store.splits["train"], padding(config)
    batches = [collate([split[i] for i in b], fill) for b in Stream(len(split), 16, 14, seed=0)]
    model = trained(config, batches, rate=6e-3)
    split = store.splits["val"]
    held_out = collate([split[i] for i in range(0, len(split), 4)], fill)
    with torch.no_grad():
        assert training_loss(model.eval(), held_out)[1] > 0.2 * len(held_out[2])


FEW = ["task.train=200", "task.val=20", "task.test=20"]
OVERFITTED = {
    "text": [*FEW, "task.max_len=256"],
    "retrieval": [*FEW, "task.max_len=256"],
    "pathfinder": FEW,
}


@pytest.mark.parametrize("task", OVERFITTED)
def test_a_quick_run_overfits_a_batch(task):
    """Most take more than seconds to learn, as images are above; a few examples of two classes are
    fitted at once."""
    config, store = quick(task, *OVERFITTED[task])
    split = store.splits["train"]
    members = [i for label in (0, 1) for i in np.flatnonzero(split.labels == label)[:2]]
    batch = collate([split[i] for i in members], padding(config))
    assert np.bincount(batch[2]).tolist() == [2, 2]
    model = trained(config, [batch] * 30, rate=3e-3)
    with torch.no_grad():
        loss, right = training_loss(model.eval(), batch)
    assert right == 4 and loss < 0.35  # ln 2 = 0.69 is where it starts


def trained(config, batches, rate):
    model = build_model(config.attention, config.protocol, config.task, 0)
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.0), lr=rate)
    for batch in batches:
        optimizer.zero_grad()
        training_loss(model, batch)[0].backward()
        optimizer.step()
    return model
