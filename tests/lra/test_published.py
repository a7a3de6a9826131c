"""The protocols' numbers for every task, as they were published."""

import pytest

from lra.protocols import get_protocol

from .test_protocols import parameters

SMALL_SIZES = {"listops": 209_802, "text": 370_562, "retrieval": 395_138}
SMALL_SIZES |= {"image": 174_986, "pathfinder": 173_954}


@pytest.mark.parametrize(
    ("name", "task", "size"),
    [
        *(("nystromformer", task, size) for task, size in SMALL_SIZES.items()),
        *(("skyformer", task, size) for task, size in (SMALL_SIZES | {"image": 158_602}).items()),
        ("google", "text", 3_486_722),
        ("google", "retrieval", 1_087_618),
        ("google", "image", 248_458),
        ("google", "pathfinder", 26_530),
        ("google", "pathx", 537_954),
    ],
)
def test_every_task_has_its_published_size(name, task, size):
    assert parameters("softmax", get_protocol(name, task), task) == size


# batch, peak rate, warm-up, steps, steps between validations
NUMBERS = {
    "nystromformer": {
        "listops": (32, 1e-4, 1_000, 5_000, 50),
        "text": (32, 1e-4, 8_000, 20_000, 500),
        "retrieval": (32, 1e-4, 800, 30_000, 300),
        "image": (256, 1e-4, 175, 35_000, 175),
        "pathfinder": (256, 1e-4, 312, 62_400, 312),
        "pathx": (64, 1e-4, 312, 62_400, 312),
    },
    "skyformer": {
        "listops": (32, 1e-4, 1_000, 50_000, 500),
        "text": (32, 1e-4, 80, 50_000, 500),
        "retrieval": (16, 2e-4, 800, 50_000, 1_000),
        "image": (256, 1e-4, 175, 50_000, 50),
        "pathfinder": (128, 2e-4, 312, 50_000, 500),
        "pathx": (64, 2e-4, 312, 50_000, 500),
    },
    "google": {
        "listops": (32, 0.05, 1_000, 5_000, 50),
        "text": (32, 0.05, 8_000, 20_000, 100),
        "retrieval": (32, 0.05, 8_000, 5_000, 100),
        "image": (256, 5e-4, 175, 35_000, 175),
        "pathfinder": (512, 1e-3, 312, 62_400, 312),
        "pathfinder64": (256, 1e-3, 625, 125_000, 625),
        "pathx": (64, 1e-3, 2_500, 500_000, 2_500),
        "pathfinder256": (32, 1e-3, 5_000, 500_000, 5_000),
    },
}


@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name, tasks in NUMBERS.items() for task in tasks]
)
def test_every_task_is_trained_as_published(name, task):
    training = get_protocol(name, task).training
    found = (training.batch, training.learning_rate, training.warmup, training.steps)
    assert (*found, training.eval_every) == NUMBERS[name][task]
    decay = 0.1 if name == "google" and task in ("listops", "text", "retrieval") else 0
    assert (training.weight_decay, training.bucket) == (decay, 0)
    assert training.clip_value == (1 if name == "skyformer" else None)
    assert training.clip_norm == (1 if (name, task) == ("google", "pathx") else None)
    assert training.epsilon == (1e-9 if name == "google" else 1e-6)


def test_googles_models():
    """Layers, heads, embedding, q/k/v, feed-forward, dropout, positions and their kind, pooling."""
    expected = {
        "text": (4, 4, 256, 256, 1024, 0.1, 4_001, "sinusoidal", "cls"),
        "retrieval": (4, 4, 128, 128, 512, 0.1, 4_000, "sinusoidal", "first"),
        "image": (1, 8, 128, 64, 128, 0.3, 1_025, "learned", "cls"),
        "pathfinder": (4, 4, 32, 16, 32, 0.2, 1_024, "sinusoidal", "mean"),
        "pathfinder64": (2, 4, 32, 32, 32, 0.1, 4_097, "learned", "cls"),
        "pathx": (1, 2, 32, 16, 32, 0.1, 16_384, "learned", "mean"),
        "pathfinder256": (2, 4, 32, 32, 32, 0.1, 65_537, "learned", "cls"),
    }
    for task, numbers in expected.items():
        model = get_protocol("google", task).model
        sizes = (model.layers, model.heads, model.dim, model.width, model.ffn, model.dropout)
        assert (*sizes, model.positions, model.encoding, model.pooling) == numbers
        assert model.head == model.ffn and not model.bias and model.token_std == 1


def test_googles_images_are_trained_on_a_cosine():
    """factor · min(1, step/warm-up) · ½(1 + cos(π(step − warm-up)/steps))."""
    training = get_protocol("google", "image").training
    assert training.rate(0) == 0 and training.rate(100) == pytest.approx(100 / 175)
    assert training.rate(175) == 1 and training.rate(175 + 17_500) == pytest.approx(0.5)
    assert training.rate(34_999) == pytest.approx(6.2e-5, rel=0.02)
