import csv
import itertools
import re

import pytest
import torch
import torch.nn.functional as F

from attention_zoo import UsageError, parse_spec
from lra.data.batches import Padding, collate, evaluation_batches
from lra.data.prepare import find_source, prepare
from lra.model import build_model
from lra.protocols import get_protocol, override
from lra.tasks import get_task
from lra.training.fit import train
from lra.training.loss import training_loss
from lra.training.optimizer import parameter_groups
from lra.training.step import prepare_step

from .tiny import PROTOCOL, config, gradients_in, store, tiny_train


def test_the_same_seed_gives_the_same_weights_bit_for_bit(tmp_path):
    """Whatever the global generator's state was."""
    outcomes = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(len(outcomes))
        outcomes.append(tiny_train(tmp_path / name, "performer:features=8+gfsa", seed=seed))
    a, b, c = (outcome.weights for outcome in outcomes)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)
    assert outcomes[0].test == outcomes[1].test
    assert outcomes[0].learned_filters == outcomes[1].learned_filters


def test_the_best_checkpoint_is_what_is_tested_on_the_whole_split(tmp_path):
    outcome = tiny_train(tmp_path, settings=["training.learning_rate=0.02"])
    with open(tmp_path / "metrics.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["val.accuracy"]]
    assert [int(row["step"]) + 1 for row in rows] == [4, 8, 12]
    accuracies = [float(row["val.accuracy"]) for row in rows]
    assert outcome.best_step == 4 * (1 + accuracies.index(max(accuracies)))
    assert outcome.val.accuracy == pytest.approx(max(accuracies))

    model = build_model(parse_spec("linear+gfsa"), PROTOCOL, "listops", seed=5)
    model.load_state_dict(outcome.weights)
    model.eval()
    right = count = 0
    for tokens, keep, labels in evaluation_batches(store().splits["test"], 7, Padding(32)):
        right += (model(tokens, keep).argmax(-1) == labels).sum().item()
        count += len(labels)
    assert (outcome.test.accuracy, outcome.test.count) == (right / count, 50)


def test_the_last_weights_are_tested_where_they_are_selected(tmp_path):
    settings = ["training.learning_rate=0.02", "training.select=last"]
    last = tiny_train(tmp_path / "last", settings=settings)
    best = tiny_train(tmp_path / "best", settings=settings[:1])
    assert last.best_step == 12 and best.best_step < 12


def test_evaluations_can_leave_out_what_fills_no_batch(tmp_path):
    outcome = tiny_train(tmp_path, settings=["training.drop_last=true"])
    assert (outcome.val.count, outcome.test.count) == (40, 48)  # of 40 and 50, by 8


def test_filter_weights_are_reported_by_layer_and_head(tmp_path):
    outcome = tiny_train(tmp_path, "linear+gfsa:layers=2", settings=["training.learning_rate=0.01"])
    assert outcome.initial_filters == [[], [{"w0": [0, 0], "w1": [1, 1], "wK": [0, 0]}]]
    [[], [learned]] = outcome.learned_filters
    assert set(learned) == {"w0", "w1", "wK"}
    assert all(len(heads) == 2 for heads in learned.values())
    assert learned["wK"] != [0, 0]


# The kit holds every attention's layer to float32 under autocast; here is what is around it.
@pytest.mark.parametrize("name", ["linear", "agf", "reformer"])
def test_bfloat16_leaves_the_weights_in_float32(tmp_path, name):
    outcome = tiny_train(
        tmp_path, name + "+gfsa", precision="bf16-mixed", settings=["training.steps=6"]
    )
    assert outcome.val.count == 40 and outcome.test.count == 50
    floats = [value for value in outcome.weights.values() if value.is_floating_point()]
    assert floats and all(value.dtype == torch.float32 for value in floats)
    assert all(value.isfinite().all() for value in outcome.weights.values())


def test_xformers_works_with_bfloat16(tmp_path, xformers_on_cpu):
    outcome = tiny_train(
        tmp_path, "xformers+gfsa", precision="bf16-mixed", settings=["training.steps=6"]
    )
    assert outcome.test.count == 50
    assert all(value.isfinite().all() for value in outcome.weights.values())


@pytest.mark.parametrize(
    ("steps", "message"), [(12, "val loss is nan at step 4"), (3, "val loss is nan at step 3")]
)
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, steps, message):
    with pytest.raises(UsageError, match=message):
        settings = [f"training.steps={steps}", "training.warmup=2", "training.learning_rate=1e30"]
        tiny_train(tmp_path, settings=settings)


def test_a_training_loss_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(UsageError, match="training loss is nan at step 10"):
        settings = ["training.eval_every=12", "training.learning_rate=1e30"]
        tiny_train(tmp_path, settings=settings)


def test_a_run_reports_loss_accuracy_step_time_and_time_left(tmp_path):
    reports = []
    tiny_train(tmp_path, report=reports.append)
    assert [report.step for report in reports if report.validated] == [4, 8, 12]
    assert [report.step for report in reports] == [0, 4, 8, 10, 12, 12]
    assert reports[0].left is None and reports[-1].left == 0 < reports[1].left
    patterns = {"loss": r"\d\.\d{3}", "accuracy": r"\d+\.\d %", "step": r"\d+ ms", "val": r"\d.*%"}
    assert set(reports[-1].shown) == set(patterns)
    for name, pattern in patterns.items():
        assert re.fullmatch(pattern, reports[-1].shown[name])


def test_quick_ends_clearly_above_the_majority_class(tmp_path):
    """A tenth of its steps are enough on short expressions."""
    settings = ["training.steps=60", "training.warmup=6", "training.eval_every=60"]
    settings += ["task.train=3000", "task.val=100", "task.test=500"]
    settings += ["task.min_length=4", "task.max_length=50"]
    protocol, _ = override(get_protocol("quick", "listops"), settings)
    data = prepare(find_source(get_task("listops"), protocol.task, tmp_path), print, workers=1)
    variant = config("linear+gfsa", protocol=protocol, data=data.fingerprint)
    outcome = train(variant, data, tmp_path, lambda report: None)
    assert outcome.test.accuracy > data.baselines["majority class"] + 0.08


def test_filters_have_no_weight_decay():
    model = build_model(parse_spec("linear+gfsa:learn=wK"), PROTOCOL, "listops", seed=0)
    decayed, free = parameter_groups(model, 0.1)
    assert decayed["weight_decay"] == 0.1 and free["weight_decay"] == 0.0
    assert [parameter.shape for parameter in free["params"]] == [(2,)] * 2
    assert len(parameter_groups(build_model(parse_spec("linear"), PROTOCOL, "listops", 0), 0)) == 1


def test_draws_are_a_function_of_seed_layer_and_step():
    def omegas(seed, steps):
        model = build_model(parse_spec("performer:features=4,redraw=3"), PROTOCOL, "listops", 0)
        history = []
        for step in steps:
            prepare_step(model, seed, step)
            history.append([block.attention.attention.omega.clone() for block in model.blocks])
        return history

    history = omegas(0, range(7))
    first, second = history[0]
    assert not torch.equal(first, second)
    same = [torch.equal(a[0], b[0]) for a, b in itertools.pairwise(history)]
    assert same == [True, True, False, True, True, False]
    assert torch.equal(omegas(0, [6])[0][1], history[6][1])
    assert not torch.equal(omegas(1, [0])[0][0], first)


def test_dropout_is_a_function_of_seed_and_step():
    model = build_model(parse_spec("linear"), PROTOCOL, "listops", 0).train()
    tokens, keep = torch.randint(1, 16, (2, 9)), torch.ones(2, 9, dtype=torch.bool)

    def logits(seed, step):
        prepare_step(model, seed, step)
        return model(tokens, keep)

    assert torch.equal(logits(0, 5), logits(0, 5))
    assert not torch.equal(logits(0, 5), logits(0, 6))
    assert not torch.equal(logits(0, 5), logits(1, 5))


@pytest.mark.parametrize("micro", [1, 3, 8, 20])
def test_parts_of_a_batch_give_the_gradients_of_the_whole(micro):
    protocol, _ = override(PROTOCOL, ["model.dropout=0"])
    model = build_model(parse_spec("linear+gfsa"), protocol, "listops", 0).double()
    split = store().splits["train"]
    batch = collate([split[i] for i in range(8)], Padding(32))
    gradients = []
    for parts in (None, micro):
        loss, accuracy = gradients_in(model, batch, parts)
        gradients.append([parameter.grad for parameter in model.parameters()])
        gradients[-1] += [loss, accuracy.double()]
    for whole, added in zip(*gradients, strict=True):
        torch.testing.assert_close(added, whole, rtol=1e-5, atol=1e-7)


def test_a_micro_batch_changes_memory_and_nothing_else(tmp_path):
    """Dropout draws other masks for other shapes, so there is none here."""
    whole, parts = (
        tiny_train(tmp_path / str(micro), settings=["model.dropout=0"], micro_batch=micro)
        for micro in (None, 3)
    )
    for name, weight in whole.weights.items():
        torch.testing.assert_close(parts.weights[name], weight, rtol=1e-3, atol=1e-5)
    assert parts.test.count == whole.test.count == 50


def agf_model(task="listops", protocol=PROTOCOL, spec="agf:gamma=0.5"):
    """In float64, without dropout and off its starting point, where W_Σ has no gradient."""
    protocol, _ = override(protocol, ["model.dropout=0"])
    model = build_model(parse_spec(spec), protocol, task, 0).double()
    with torch.no_grad():
        for block in model.blocks:
            block.attention.attention.theta.fill_(0.3)
    return model


def a_batch(number=8):
    split = store().splits["train"]
    return collate([split[i] for i in range(number)], Padding(32))


def test_what_attentions_add_to_the_loss_is_averaged_over_the_layers_and_learned_from():
    model, (tokens, keep, labels) = agf_model(), a_batch()
    loss, _ = training_loss(model, (tokens, keep, labels))
    loss.backward()
    entropy = F.cross_entropy(model(tokens, keep).float(), labels)
    terms = [block.attention.auxiliary_loss() for block in model.blocks]
    torch.testing.assert_close(loss, entropy + sum(terms) / 2, check_dtype=False)
    for block, term in zip(model.blocks, terms, strict=True):
        assert block.attention.attention.theta.grad.all()
        assert block.attention.attention.W_Sigma.weight.grad.any()
        qk = block.attention.qkv.weight
        assert torch.autograd.grad(term, qk, retain_graph=True)[0].any()
    assert training_loss(model.eval(), (tokens, keep, labels))[0] == entropy


def test_nothing_is_added_to_the_loss_of_other_attentions():
    """Bit for bit."""
    protocol, _ = override(PROTOCOL, ["model.dropout=0"])
    model = build_model(parse_spec("linear+gfsa"), protocol, "listops", 0)
    tokens, keep, labels = a_batch()
    expected = F.cross_entropy(model(tokens, keep), labels, reduction="sum") / len(labels)
    assert torch.equal(training_loss(model, (tokens, keep, labels))[0], expected)


@pytest.mark.parametrize("task", ["listops", "retrieval"])
@pytest.mark.parametrize("micro", [1, 3, 8])
def test_parts_of_a_batch_give_what_attentions_add_for_the_whole(task, micro):
    if task == "listops":
        model, batch = agf_model(), a_batch()
    else:
        settings = ["model.dim=16", "model.ffn=32", "model.head=16", "task.max_len=64"]
        model = agf_model(task, override(get_protocol("quick", task), settings)[0])
        keep = torch.arange(40) < torch.randint(1, 41, (8, 2, 1))
        batch = torch.randint(1, 200, (8, 2, 40)), keep, torch.arange(8) % 2
    results = []
    for parts in (None, micro):
        loss, _ = gradients_in(model, batch, parts)
        results.append([loss, *(parameter.grad for parameter in model.parameters())])
    for whole, added in zip(*results, strict=True):
        torch.testing.assert_close(added, whole, rtol=1e-5, atol=1e-7)
