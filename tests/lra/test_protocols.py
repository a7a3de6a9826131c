import dataclasses
import json
import re

import pytest
import torch

from attention_zoo import UsageError, names, parse_spec
from lra.model import build_model
from lra.protocols import (
    PROTOCOLS,
    ModelSettings,
    Protocol,
    expand,
    get_protocol,
    override,
    spec_under,
)
from lra.tasks import TASKS, get_task
from lra.training.module import Classifier
from lra.typed import load

NYSTROMFORMER, SKYFORMER, GOOGLE, QUICK = (get_protocol(name, "listops") for name in PROTOCOLS)


def parameters(spec, protocol=NYSTROMFORMER, task="listops"):
    model = build_model(parse_spec(spec), protocol, task, seed=0)
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_softmax_model_has_the_published_size():
    assert parameters("softmax") == 209_802


@pytest.mark.parametrize("name", names())
def test_variants_differ_by_the_filters_scalars_alone(name):
    layers, heads = NYSTROMFORMER.model.layers, NYSTROMFORMER.model.heads
    base = parameters(name)
    assert parameters(name + "+gfsa") == base + 3 * layers * heads
    assert parameters(name + "+gfsa:layers=even") == base + 3 * heads


def test_attentions_without_weights_of_their_own_leave_the_models_size_alone():
    projection = 64 * 64 + 64  # of one layer, that of q or of k
    for name in ("linear", "sdpa", "performer", "longformer", "bigbird", "yoso"):
        assert parameters(name) == 209_802
    assert parameters("reformer") == 209_802 - 2 * projection
    assert parameters("mean") == parameters("identity") == 209_802 - 4 * projection


@pytest.mark.parametrize(
    ("protocol", "settings", "size"),
    [
        (SKYFORMER, [], 209_802),
        (GOOGLE, [], 8_948_746),  # the released configuration
        (GOOGLE, ["model.layers=6", "model.ffn=2048", "model.head=2048"], 19_983_370),  # the paper
    ],
)
def test_other_protocols_have_their_published_sizes(protocol, settings, size):
    changed, _ = override(protocol, settings)
    assert parameters("softmax", changed) == size
    assert (
        parameters("linear+gfsa", changed) == size + 3 * changed.model.layers * changed.model.heads
    )


def test_lineages_data_can_be_brought_back():
    text = get_protocol("nystromformer", "text")
    changed, modified = override(text, ["task.max_len=1000", "task.select_on=test"])
    assert modified == {"task.max_len": 1000, "task.select_on": "test"}
    assert (text.task.max_len, changed.task.max_len) == (4_000, 1_000)
    for task in ("image", "pathfinder", "pathx"):
        plain = get_protocol("google", task)
        changed, modified = override(plain, ["task.black=padding"])
        assert (plain.task.masked, changed.task.masked) == (None, 0)
        assert modified == {"task.black": "padding"}


@pytest.mark.parametrize(
    ("task", "assignment", "message"),
    [
        ("pathfinder", "task.resolution=64", "--task chooses it"),
        ("pathfinder", "task.source=official", "--source chooses it"),
        ("pathfinder", "task.level=curv_contour_length_12", "curv_baseline"),
        ("pathx", "model.positions=1024", "fewer than the 16384 tokens"),
        ("image", "task.max_len=100", "max_len"),
        ("text", "task.max_len=0", "task.max_len=0 must be greater than or equal to 1"),
        ("text", "task.black=padding", "black"),
        ("retrieval", "model.pairs=sum", "product|concat"),
        ("image", "model.inner=63", "model.inner=63 must be divisible by model.heads"),
        ("image", "training.clip_norm=0", "training.clip_norm=0.0 must be greater than 0"),
        ("text", "training.bucket=-1", "training.bucket=-1 must be greater than or equal to 0"),
        ("text", "model.vocabulary=256", "must be 257 or more"),
    ],
)
def test_mistakes_of_other_tasks_are_refused(task, assignment, message):
    with pytest.raises(UsageError, match=message):
        override(get_protocol("nystromformer", task), [assignment])


def test_settings_of_tasks_are_told_apart_by_their_tag():
    for name in PROTOCOLS:
        for task in TASKS:
            protocol = get_protocol(name, task)
            content = dataclasses.asdict(protocol)
            assert next(iter(content["task"].items())) == ("task", task)
            assert load(Protocol, json.dumps(content)) == protocol
    for tag, message in (
        ("pathfinder64", "task.resolution=128 must be 64 for pathfinder64"),
        ("listops", "task.black is unknown"),
        ("pathy", "unknown task 'pathy'; did you mean 'pathx'"),
        (None, "task.task, the name of the task, is missing"),
    ):
        content["task"] = dataclasses.asdict(get_protocol("quick", "pathx").task) | {"task": tag}
        with pytest.raises(UsageError, match=message):
            load(Protocol, json.dumps(content))


def test_skyformer_differs_from_nystromformer_in_its_training_alone():
    assert (SKYFORMER.task, SKYFORMER.model) == (NYSTROMFORMER.task, NYSTROMFORMER.model)
    training = SKYFORMER.training
    assert (training.steps, training.batch, training.warmup, training.eval_every) == (
        50_000,
        32,
        1_000,
        500,
    )
    assert (training.learning_rate, training.clip_value, training.epsilon) == (1e-4, 1.0, 1e-6)


def test_google_numbers():
    model, training = GOOGLE.model, GOOGLE.training
    assert (model.layers, model.heads, model.dim, model.ffn, model.head) == (4, 8, 512, 1024, 1024)
    assert (model.encoding, model.pooling, model.bias, model.token_std) == (
        "sinusoidal",
        "cls",
        False,
        1.0,
    )
    assert (model.dropout, model.vocabulary, GOOGLE.task.max_len) == (0.1, 17, 2_000)
    assert (training.steps, training.batch, training.warmup, training.eval_every) == (
        5_000,
        32,
        1_000,
        50,
    )
    assert (training.beta1, training.beta2, training.epsilon) == (0.9, 0.98, 1e-9)
    assert (training.weight_decay, training.clip_value) == (0.1, None)


def test_googles_schedule_is_an_inverse_square_root():
    """factor · min(1, step/warm-up) / √max(step, warm-up), at its peak 0.05/√1000."""
    module = Classifier(torch.nn.Linear(1, 1), GOOGLE.training, seed=0)
    [optimizer], [schedule] = module.configure_optimizers()
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.98)
    rates = []
    for _ in range(5_000):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == 0 and rates[500] == pytest.approx(0.05 * 0.5 / 1000**0.5)
    assert max(rates) == rates[1_000] == pytest.approx(1.58e-3, rel=1e-3)
    assert rates[4_000] == pytest.approx(0.05 / 4_000**0.5)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", PROTOCOLS)
def test_what_restores_the_source_can_be_typed_and_marks_the_record(name, task):
    protocol = get_protocol(name, task)
    for deviation in protocol.deviations:
        if deviation.restore:
            option, *assignments = deviation.restore.split()
            assert option == "--set"
            changed, modified = override(protocol, assignments)
            assert changed != protocol and set(modified) == {a.split("=")[0] for a in assignments}


def test_drawing_performers_features_once_is_named_as_it_is_typed():
    for name in ("nystromformer", "skyformer"):
        (said,) = (d.text for d in get_protocol(name, "text").deviations if "performer's" in d.text)
        (spec,) = re.findall(r"--attn (\S+)\)", said)
        assert ("redraw", 0) in spec_under(spec, get_protocol(name, "text")).attention.options


def test_nystromformer_numbers():
    task, training = NYSTROMFORMER.task, NYSTROMFORMER.training
    assert (task.train, task.val, task.test) == (96_000, 2_000, 2_000)
    assert (task.min_length, task.max_len, task.max_depth, task.max_args) == (500, 2_000, 10, 10)
    assert (training.steps, training.batch, training.warmup, training.eval_every) == (
        5_000,
        32,
        1_000,
        50,
    )
    assert (training.learning_rate, training.epsilon, training.weight_decay) == (1e-4, 1e-6, 0)
    assert len(NYSTROMFORMER.deviations) == 7
    assert "not comparable with LRA" in QUICK.comparable


def test_the_schedule_is_one_cycle():
    """From peak/25 up over the warm-up, down to a 10⁴th of the start; β₁ .95, .85, .95."""
    module = Classifier(torch.nn.Linear(1, 1), NYSTROMFORMER.training, seed=0)
    [optimizer], [schedule] = module.configure_optimizers()
    rates, momenta = [], []
    for _ in range(NYSTROMFORMER.training.steps):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(1e-4 / 25)
    assert rates.index(max(rates)) in (999, 1000) and max(rates) == pytest.approx(1e-4)
    assert rates[-1] == pytest.approx(1e-4 / 25 / 1e4)
    assert rates[500] == pytest.approx((rates[0] + 1e-4) / 2, rel=0.01)
    assert (momenta[0], min(momenta), momenta[-1]) == pytest.approx((0.95, 0.85, 0.95))


def test_overrides_are_typed_and_mark_what_differs():
    changed, differing = override(NYSTROMFORMER, ["training.steps=1000", "model.dropout=0"])
    assert changed.training.steps == 1000 and changed.training.warmup == 200
    assert differing == {"training.steps": 1000, "training.warmup": 200, "model.dropout": 0.0}
    same, nothing = override(NYSTROMFORMER, ["training.steps=5000"])
    assert same == NYSTROMFORMER and nothing == {}
    own, _ = override(NYSTROMFORMER, ["training.steps=1000", "training.warmup=10"])
    assert own.training.warmup == 10


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("training.stepz=1", "did you mean 'steps'"),
        ("trainin.steps=1", "did you mean 'training'"),
        ("training.steps", "section.key=value"),
        ("steps=1", "section.key=value"),
        ("training.steps=many", "steps: expected an integer, got 'many'"),
        ("training.steps=0", "training.steps=0 must be greater than or equal to 1"),
        ("training.steps=" + "9" * 400, "an integer of at most 18 digits, got '99.*99'"),
        ("training.learning_rate=1e999", "expected a finite number, got '1e999'"),
        ("model.layers=999999999999", "the model is too large: it has 999,999,999,999 layers"),
        ("model.ffn=999999999999", "too large: it has 2 layers and at least 256"),
        ("training.warmup=5000", "must be less than training.steps"),
        ("training.steps=1", "must be less than training.steps"),
        ("training.warmup=1", "2 or more"),
        ("training.learning_rate=0", "training.learning_rate=0.0 must be greater than 0"),
        ("model.dim=63", "divisible by model.heads=2"),
        ("model.dropout=1", "model.dropout=1.0 must be less than 1"),
        ("model.vocabulary=4", "model.vocabulary must be"),
        ("task.max_length=9000", "set model.positions too"),
        ("task.min_length=9000", "task.min_length=9000 must be less than task.max_length=2000"),
        ("model.pooling=max", "mean|padded_mean|cls"),
        ("model.pooling=padded_mean,cls", "mean|padded_mean|cls"),
        ("model.token_std=0", "model.token_std=0.0 must be greater than 0"),
        ("training.clip_value=0", "training.clip_value=0.0 must be greater than 0"),
        ("training.beta2=1", "training.beta2=1.0 must be less than 1"),
        ("task.brackets=some", "keep|drop"),
        ("name.x=1", "unknown protocol section"),
    ],
)
def test_mistakes_are_refused(assignment, message):
    with pytest.raises(UsageError, match=message):
        override(NYSTROMFORMER, [assignment])


def test_protocols_refuse_unknown_keys_and_are_frozen():
    with pytest.raises(UsageError, match=r"model\.depth is unknown"):
        ModelSettings(depth=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        NYSTROMFORMER.model.layers = 3
    with pytest.raises(UsageError, match="did you mean 'quick'"):
        get_protocol("quik", "listops")
    with pytest.raises(UsageError, match="did you mean 'listops'"):
        get_task("listop")


def test_protocols_survive_json():
    content = dataclasses.asdict(NYSTROMFORMER)
    assert load(Protocol, json.dumps(content)) == NYSTROMFORMER
    content["model"]["depth"] = 3
    with pytest.raises(UsageError, match=r"model\.depth is unknown"):
        load(Protocol, json.dumps(content))


def test_a_grid_of_settings_is_bounded():
    values = ",".join(map(str, range(1_000)))
    with pytest.raises(UsageError, match="asks for 1,000,000,000 combinations; at most 10,000"):
        expand([f"training.{key}={values}" for key in ("steps", "warmup", "batch")])
