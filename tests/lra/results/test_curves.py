import pytest

from lra.results.curves import Point, read_curve
from tests.lra.tiny import tiny_train

HEAD = "step,train.loss,train.accuracy,val.loss,val.accuracy\n"


def curve_of(tmp_path, text):
    (tmp_path / "metrics.csv").write_text(text)
    return read_curve(tmp_path)


def test_the_curve_of_a_training_is_read_as_it_was_logged(tmp_path):
    outcome = tiny_train(tmp_path / "run")
    curve = read_curve(tmp_path / "run")
    assert curve.missing is None
    validated = {p.step: p.val_accuracy for p in curve.points if p.val_loss is not None}
    assert len(validated) == 3 and max(validated.values()) == outcome.val.accuracy
    assert any(p.train_loss is not None for p in curve.points)


def test_what_was_not_logged_or_not_finite_is_none(tmp_path):
    curve = curve_of(tmp_path, HEAD + "9,2.5,0.25,,\n9,,,inf,0.5\n")
    assert curve.points == (Point(9, 2.5, 0.25, None, None), Point(9, None, None, None, 0.5))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the first line is not step,train.loss"),
        ("step,loss\n1,2\n", "the first line is not step,train.loss"),
        (HEAD, "it has no rows"),
        (HEAD + "1,2.0,0.5,,\n2,2.0\n", "line 3 is damaged"),
        (HEAD + "1,2.0,0.5,,,\n", "line 2 is damaged"),
        (HEAD + "1,two,0.5,,\n", "line 2 is damaged"),
        (HEAD + "1,2.0,1.5,,\n", "line 2 is damaged"),
        (HEAD + "-1,2.0,0.5,,\n", "line 2 is damaged"),
        (HEAD + "5,2.0,0.5,,\n4,2.0,0.5,,\n", "its steps are not in order"),
        (HEAD + "\n", "line 2 is damaged"),
        (HEAD + "1,\0,0.5,,\n", "damaged"),
    ],
)
def test_a_damaged_curve_is_none_with_its_reason(tmp_path, text, reason):
    curve = curve_of(tmp_path, text)
    assert curve.points == () and reason in curve.missing
    assert str(tmp_path / "metrics.csv") in curve.missing and "\n" not in curve.missing


def test_bytes_that_are_no_text_and_missing_files_have_reasons(tmp_path):
    assert read_curve(tmp_path).missing == f"{tmp_path / 'metrics.csv'}: No such file or directory"
    (tmp_path / "metrics.csv").write_bytes(b"\xff\xfe\x00")
    assert "decode" in read_curve(tmp_path).missing
    (tmp_path / "metrics.csv").unlink()
    (tmp_path / "metrics.csv").mkdir()
    assert "Is a directory" in read_curve(tmp_path).missing
