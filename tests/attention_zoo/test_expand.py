import itertools
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_zoo import UsageError, expand_specs, parse_spec

words = st.text("abcXYZ019:=/-_", max_size=4)
values = st.lists(words, min_size=2, max_size=3).filter(any)
pieces = st.lists(st.one_of(words, values), max_size=5)


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("linear", "linear"),
        ("linear+gfsa:K={2,3,5}", "linear+gfsa:K=2 linear+gfsa linear+gfsa:K=5"),
        (
            "linear+gfsa:K={2,5},mode={taylor,power}",
            "linear+gfsa:K=2 linear+gfsa:K=2,mode=power linear+gfsa:K=5 linear+gfsa:K=5,mode=power",
        ),
        ("performer:features={64,256}+gfsa", "performer:features=64+gfsa performer+gfsa"),
        ("{linear,performer}+gfsa", "linear+gfsa performer+gfsa"),
        ("linear{,+gfsa}", "linear linear+gfsa"),
        ("linear+gfsa:layers={even,1/2}", "linear+gfsa:layers=even linear+gfsa:layers=1/2"),
        ("linear+gfsa:w0={0.5,1e+20}", "linear+gfsa:w0=0.5 linear+gfsa:w0=1e+20"),
        ("linear+gfsa:K={4}", "linear+gfsa:K=4"),
        ("linear+gfsa:K={ 2, 4 }", "linear+gfsa:K=2 linear+gfsa:K=4"),
        ("linear+gfsa:K={4..8..2}", "linear+gfsa:K=4 linear+gfsa:K=6 linear+gfsa:K=8"),
        ("linear+gfsa:K={5..4}", "linear+gfsa:K=5 linear+gfsa:K=4"),
    ],
)
def test_braces_stand_for_several_specs(text, specs):
    assert [str(parse_spec(spec)) for spec in expand_specs(text)] == specs.split()


@given(pieces)
def test_every_combination_the_first_braces_slowest(pieces):
    text = "".join(p if isinstance(p, str) else f"{{{','.join(p)}}}" for p in pieces)
    axes = [[piece] if isinstance(piece, str) else piece for piece in pieces]
    assert expand_specs(text) == ["".join(one) for one in itertools.product(*axes)]


@given(st.text("a,{}:+=1 ", max_size=12))
def test_no_text_is_a_traceback_and_no_brace_is_left(text):
    try:
        specs = expand_specs(text)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert specs and not set("{}") & set("".join(specs))


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_a_shell_expands_the_same():
    texts = [
        "linear+gfsa:K={2,3},mode={taylor,power}",
        "{linear,performer:features=64}+gfsa:layers={even,1/2}",
        "linear{,+gfsa:w0=1e+3}",
        *("x{1..3}", "x{3..1}", "x{1..9..3}", "x{9..1..4}", "x{-1..1}", "x{4..2..0}", "{a,b}{c,}d"),
    ]
    script = "".join(f"printf '%s ' {text}; echo;" for text in texts)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert [expand_specs(text) for text in texts] == [
        line.split() for line in done.stdout.splitlines()
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("linear+gfsa:K={2,3", "unbalanced braces; write several values as {a,b}"),
        ("linear+gfsa:K=2,3}", "unbalanced braces"),
        ("}{", "unbalanced braces"),
        ("linear+gfsa:K={}", "empty braces; write several values as {a,b}"),
        ("linear+gfsa:K={,}", "empty braces"),
        ("linear{,+gfsa:K={2,3}}", "braces within braces are not supported"),
        ("linear,performer", "put names in braces: {linear,performer}"),
        ("linear+gfsa,identity:K=2", "put names in braces: {gfsa,identity}"),
        ("linear+gfsa,K=2", "options follow a colon: gfsa:K=2"),
        ("x{1..99999}", "stands for 99,999 specs; at most 10,000"),
        ("{a,b}" * 14, "stands for 16,384 specs"),
    ],
)
def test_mistakes_say_what_to_write(text, message):
    with pytest.raises(UsageError) as error:
        expand_specs(text)
    assert message in str(error.value)


def test_values_without_braces_are_refused_with_the_braces():
    (spec,) = expand_specs("linear+gfsa:K=2,3")
    with pytest.raises(UsageError, match=r"not '3'; several values of K are K=\{a,b\}"):
        parse_spec(spec)
