import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lra.results.report.embed import Shared, embedded, rounded

HOSTILE = st.lists(
    st.sampled_from(["</script>", "<!--", "<script", "]]>", "&lt;", "\u2028", "\\u003c", '"', "'"])
    | st.text(max_size=5)
).map("".join)


@given(HOSTILE, HOSTILE)
def test_data_are_read_back_and_are_never_markup(key, text):
    inside = embedded({key: [text, 1.5, None, True]})
    assert json.loads(inside) == {key: [text, 1.5, None, True]}
    assert not re.search("[<>&\u2028\u2029]", inside) and inside.isascii()


def test_what_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded({"loss": float("nan")})


@pytest.mark.parametrize(
    ("value", "short"),
    [
        (0.12345678, 0.123457),
        (123456789.0, 123457000),
        (1 / 3e7, 3.33333e-08),
        (2.0, 2),
        (12345678901, 12345678901),
        (True, True),
        ("0.12345678", "0.12345678"),
        ((0.1, {1: [None]}), [0.1, {"1": [None]}]),
    ],
)
def test_floats_are_rounded_to_six_digits_and_nothing_else_is(value, short):
    assert repr(rounded(value)) == repr(short)


def test_what_runs_share_is_kept_once_whatever_the_order_of_its_keys():
    shared = Shared()
    places = [shared.place(content) for content in ({"a": 1, "b": 2}, {"a": 2}, {"b": 2, "a": 1})]
    assert places == [0, 1, 0] and shared.contents == [{"a": 1, "b": 2}, {"a": 2}]
