"""Corrupted images and what is on record of them."""

import dataclasses
import importlib.metadata
import json
import re
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_zoo import UsageError
from lra.corruptions import CORRUPTIONS, LEFT_OUT, SEVERITIES, images
from lra.corruptions.images import CorruptedSplit, corrupted, side_of
from lra.results.corruptions import (
    Corrupted,
    Corruptions,
    Session,
    none_yet,
    read_corruptions,
    write_corruptions,
)
from lra.training.evaluation import Evaluation

from .test_results import ENVIRONMENT, record
from .tiny import split_of

RUN = record("linear+gfsa")
ALL = [(name, severity) for name in CORRUPTIONS for severity in SEVERITIES]


def image(seed=0, side=32):
    return np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)


def session(accuracy, which=ALL, version="1.1.5", accelerator="cpu", environment=ENVIRONMENT):
    """accuracy: of a corruption and a severity."""
    results = [Corrupted(*one, Evaluation(2.0, accuracy(*one), 2000)) for one in which]
    library = {"imagecorruptions-imaug": version}
    return Session("2026-01-01", "python run_lra.py", accelerator, library, environment, results)


def evaluated(run=RUN, accuracy=lambda name, severity: 0.5 - severity / 20, **more):
    return none_yet(run).with_session(session(accuracy, **more))


# The package.


@pytest.fixture(scope="module")
def package():
    return pytest.importorskip("imagecorruptions", exc_type=ImportError)


def test_each_of_the_package_is_taken_or_left_out_with_a_reason(package):
    assert {*CORRUPTIONS, *LEFT_OUT} == set(package.get_corruption_names("all"))
    assert len(CORRUPTIONS) + len(LEFT_OUT) == 19


def test_the_versions_of_all_that_it_requires_are_on_record(package):
    required = importlib.metadata.requires(images.PACKAGE)
    names = {re.match(r"[\w-]+", one)[0].lower() for one in required}
    assert names - {"setuptools"} <= set(images.LIBRARY)  # which computes nothing


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_a_function_of_its_seed(package, name):
    draws = name in CORRUPTIONS[:3] or name in ("glass_blur", "motion_blur", "fog")
    plain = image()
    for severity in SEVERITIES:
        np.random.seed(5)
        before = np.random.get_state()[1].copy()
        found = corrupted(plain, name, severity, seed=1)
        assert (np.random.get_state()[1] == before).all()
        np.random.rand(3)
        assert (corrupted(plain, name, severity, seed=1) == found).all()
        assert (corrupted(plain, name, severity, seed=2) != found).any() == draws
        assert found.dtype == np.uint8 and found.shape == (32, 32)
        assert (plain == image()).all() and (found != plain).any()


def test_closed_forms_on_grey(package):
    """Brightness and contrast from their definitions; noise of its stated strength in grey."""
    plain = np.repeat(np.arange(32, dtype=np.uint8)[:, None] * 3 + 60, 32, 1)
    levels = plain / 255
    for severity, (add, scale) in enumerate(
        zip((0.1, 0.2, 0.3, 0.4, 0.5), (0.4, 0.3, 0.2, 0.1, 0.05), strict=True), start=1
    ):
        bright = corrupted(plain, "brightness", severity, 0).astype(int)
        assert abs(bright - 255 * (levels + add).clip(0, 1)).max() <= 1
        contrast = corrupted(plain, "contrast", severity, 0).astype(int)
        mean = levels.mean()
        assert abs(contrast - 255 * ((levels - mean) * scale + mean)).max() <= 1
    grey = np.full((256, 256), 128, np.uint8)
    noise = corrupted(grey, "gaussian_noise", 1, 0).astype(float)
    assert abs(noise.std() / 255 - 0.08) < 0.002  # the mean of three channels would have 0.046
    impulses = corrupted(grey, "impulse_noise", 5, 0)
    assert abs((impulses != 128).mean() - 0.27) < 0.01


@settings(max_examples=20)
@given(st.sampled_from(CORRUPTIONS), st.sampled_from(SEVERITIES), st.integers(0, 255))
def test_images_of_one_level_are_no_trouble(name, severity, level):
    pytest.importorskip("imagecorruptions", exc_type=ImportError)
    with np.errstate(all="raise"):
        assert corrupted(np.full((32, 32), level, np.uint8), name, severity, 0).shape == (32, 32)


def test_without_the_package_one_line_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecorruptions", None)
    with pytest.raises(UsageError, match=r"pip install -e '\.\[corruptions\]'"):
        images.library()


@pytest.mark.parametrize("there", [False, True])
def test_the_older_package_of_the_same_module_is_not_taken_for_it(monkeypatch, there):
    def version(name):
        if name == images.OLD and not there:
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.1.2"

    monkeypatch.setitem(sys.modules, "imagecorruptions", sys)
    monkeypatch.setattr(importlib.metadata, "version", version)
    if there:
        with pytest.raises(UsageError, match=r"imagecorruptions 1\.1\.2 is installed, too, in the"):
            images.library()
    else:
        assert images.library() == dict.fromkeys(images.LIBRARY, "1.1.2")


# The split.


def test_a_split_is_corrupted_the_same_way_every_time(monkeypatch):
    seen = []

    def watched(image, corruption, severity, seed):
        seen.append((corruption, severity, seed))
        return 255 - image

    monkeypatch.setattr(images, "corrupted", watched)
    plain = split_of([(image(i).tobytes(), i % 3) for i in range(4)])
    split = CorruptedSplit.of(plain, "fog", 2)
    for i in (0, 3, 1, 3):
        (tokens,), label = split[i]
        assert (tokens == 255 - image(i).ravel()).all() and label == i % 3
    assert seen[1] == seen[3] and len(set(seen)) == 3
    assert len(split) == 4 and (split.lengths == 1024).all()
    CorruptedSplit.of(plain, "fog", 3)[0], CorruptedSplit.of(plain, "contrast", 2)[0]
    assert len({seed for *_, seed in seen}) == 5 and all(0 <= seed < 2**32 for *_, seed in seen)


def test_what_is_no_square_image_is_one_line():
    assert [side_of(side * side) for side in (32, 64, 128)] == [32, 64, 128]
    for length in (1000, 31 * 31, 16):
        with pytest.raises(UsageError, match="square images of 32 × 32 pixels or more, not"):
            side_of(length)


# On record.


def test_what_is_written_is_read(tmp_path):
    assert read_corruptions(tmp_path, RUN) is None
    found = evaluated()
    write_corruptions(tmp_path, found)
    assert read_corruptions(tmp_path, RUN) == found
    again = dataclasses.replace(RUN.training, checkpoint="1" * 64)
    assert read_corruptions(tmp_path, dataclasses.replace(RUN, training=again)) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "made by another version of lra-gfsa: schema 2, this one reads 1"),
        ({"identity": None}, "identity=None must be a valid string"),
        ({"more": 1}, "more is unknown"),
        ({"sessions": "twice"}, "sessions has gaussian_noise of severity 1 twice"),
        ({"severity": 6}, "severity=6 "),
        ({"accuracy": 1.5}, "accuracy=1.5 "),
    ],
)
def test_damage_is_one_line_with_the_file(tmp_path, change, said):
    write_corruptions(tmp_path, evaluated())
    path = tmp_path / "corruptions.json"
    content = json.loads(path.read_text())
    first = content["sessions"][0]["results"][0]
    if "severity" in change:
        first |= change
    elif "accuracy" in change:
        first["test"] |= change
    elif "sessions" in change:
        content["sessions"] *= 2
    else:
        content |= change
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=rf"^{re.escape(str(path))}: .*{re.escape(said)}"):
        read_corruptions(tmp_path, RUN)
    path.write_text("{")
    with pytest.raises(UsageError, match=re.escape(str(path))):
        read_corruptions(tmp_path, RUN)


def test_a_later_session_takes_the_place_of_the_same_in_earlier_ones():
    first = evaluated(accuracy=lambda *_: 0.1, which=[("fog", 1), ("fog", 2)])
    second = first.with_session(session(lambda *_: 0.2, [("fog", 2), ("contrast", 1)]))
    accuracies = {which: test.accuracy for which, test in second.results.items()}
    assert accuracies == {("fog", 1): 0.1, ("fog", 2): 0.2, ("contrast", 1): 0.2}
    assert [len(one.results) for one in second.sessions] == [1, 2]
    third = second.with_session(session(lambda *_: 0.3, [("fog", 1)]))
    assert [len(one.results) for one in third.sessions] == [2, 1]
    assert isinstance(third, Corruptions) and third.weights == first.weights


# Made-up runs, for tables and figures.


RUNS = [
    record(name, seed, accuracy)
    for name, accuracy in (
        *(("linear", 0.40), ("linear:x", 0.3), ("linear+gfsa", 0.42), ("linear+mean", 0.38)),
        *(("softmax", 0.45),),
    )
    for seed in (0, 1)
]


def found_of(runs, **more):
    found = [
        evaluated(run, lambda name, s, run=run: run.test.accuracy - s / 50 + run.seed / 50, **more)
        for run in runs
    ]
    return {one.weights: one for one in found}
