"""A protocol from a TOML file: what it starts from, what it changes, what is refused."""

import pickle
import shlex

import pytest

from attention_zoo import UsageError
from lra.protocols import get_protocol, spec_under
from lra.results.comparable import column, conditions, is_todays, restorations
from lra.run.describe import command

from .test_protocol_attentions import configured
from .test_results import record

WIDER = """
base = "nystromformer"
source = "our paper, table 2"
[task]
brackets = "drop"
max_length = 1_000
[model]
dim = 128
inner = 64
[training]
steps = 500
learning_rate = 3e-4
[attentions]
linformer = "rank=32"
local = ""
"""


@pytest.fixture
def wider(tmp_path):
    path = tmp_path / "wider.toml"
    path.write_text(WIDER)
    return path


def test_a_file_starts_from_a_protocol_and_says_what_it_changes(wider):
    base, made = get_protocol("nystromformer", "listops"), get_protocol(str(wider), "listops")
    assert (made.name, made.source, made.base, made.file) == (
        *("wider", "our paper, table 2", "nystromformer"),
        str(wider),
    )
    assert made.comparable == "not comparable with LRA: settings of wider.toml"
    assert (made.task.brackets, made.task.max_len, made.task.train) == ("drop", 1_000, 96_000)
    assert (made.model.dim, made.model.width, made.model.ffn) == (128, 64, base.model.ffn)
    assert (made.training.steps, made.training.warmup, made.training.eval_every) == (500, 100, 50)
    said = [deviation.text for deviation in made.deviations]
    assert "training.steps=500 (nystromformer: 5000)" in said
    assert "training.warmup=100 (nystromformer: 1000)" in said  # keeps its share of the steps
    assert "model.inner=64 (nystromformer: none)" in said
    assert any("closing bracket kept" in deviation.text for deviation in base.deviations)
    assert not any("closing bracket kept" in text for text in said)  # no longer true
    assert any("mean pooling over true lengths" in text for text in said)


def test_bare_names_mean_what_the_file_states_else_what_its_base_does(wider):
    made = get_protocol(str(wider), "listops")
    spelled = {name: str(spec_under(name, made)) for name in ("linformer", "local", "performer")}
    assert spelled == {
        "linformer": "linformer:rank=32",
        "local": "local",
        "performer": "performer:logit_scale=1/D",
    }


def test_its_runs_are_their_own_and_travel_whole(wider):
    words = ["--source", "generated", "--attn", "linformer"]
    (run,) = configured(*words, "--protocol", str(wider))
    (base,) = configured(*words, "--protocol", "nystromformer")
    copy = pickle.loads(pickle.dumps(run))
    assert (copy, copy.identity) == (run, run.identity) and run.identity != base.identity
    _, _, *typed = shlex.split(command(run))
    (repeated,) = configured(*typed)
    assert repeated == run
    wider.write_text(WIDER.replace("3e-4", "2e-4"))
    (changed,) = configured(*words, "--protocol", str(wider))
    assert changed.identity != run.identity
    named = wider.with_name("elsewhere.toml")
    named.write_text('name = "wider"\n' + WIDER)
    (same,) = configured(*words, "--protocol", str(named))
    assert same.identity == run.identity


def test_its_records_stand_apart_from_those_of_the_base(wider):
    made = [get_protocol(name, "listops") for name in (str(wider), "nystromformer")]
    ours, theirs = (record(protocol=protocol, modified={}) for protocol in made)
    assert conditions(ours) != conditions(theirs) and column(ours) != column(theirs)
    assert is_todays(ours) and ("training.drop_last", True) in restorations(ours)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("base = ", "Invalid value"),
        ("[model]\ndim = 64", "base is missing: name one of nystromformer, skyformer, google"),
        ('base = "nystromfomer"', "unknown protocol 'nystromfomer'; did you mean 'nystromformer'"),
        ('base = "quick"\nnam = "x"', "unknown key 'nam'; did you mean 'name'"),
        ('base = "quick"\nmodel = 3', "model must be a table"),
        ("base = 3", "base must be a string"),
        ('base = "quick"\nname = "google"', "the name 'google' is taken"),
        ('base = "quick"\nname = "../x"', "name='../x' must match pattern"),
        ('base = "quick"\n[model]\ndims = 3', "unknown option of model 'dims'; did you mean 'dim'"),
        ('base = "quick"\n[model]\ndim = 2.5', "model: dim: expected an integer, got '2.5'"),
        ('base = "quick"\n[model]\ndim = [64]', "model: dim: expected an integer"),
        ('base = "quick"\n[model]\ndim = 63', "model.dim=63 must be divisible"),
        ('base = "quick"\n[task]\ntask = "text"', "task.task: --task chooses it"),
        ('base = "quick"\n[training]\nsteps = 0', "training.steps=0 must be greater"),
        ('base = "quick"\n[attentions]\nlinear = 3', "attentions.linear must be a string"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_one_line_with_its_name(tmp_path, content, message):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(UsageError) as raised:
        get_protocol(str(path), "listops")
    assert str(raised.value).startswith(f"{path}: ") and message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_and_an_attention_that_there_is_not_are_said(tmp_path):
    path = tmp_path / "mine.toml"
    with pytest.raises(UsageError, match=r"mine\.toml: No such file or directory"):
        get_protocol(str(path), "listops")
    path.write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"mine\.toml: .*utf-8"):
        get_protocol(str(path), "listops")
    path.write_text('base = "quick"\n[attentions]\nlinformr = "rank=3"')
    with pytest.raises(UsageError, match=r"mine\.toml: attentions: .*did you mean 'linformer'"):
        spec_under("linear", get_protocol(str(path), "listops"))


def test_a_deviation_is_judged_by_its_own_settings_alone(tmp_path):
    """One of google's sets heads to 4, which 63 columns do not divide."""
    path = tmp_path / "odd.toml"
    path.write_text('base = "google"\n[model]\nheads = 3\ninner = 63\n')
    base, ours = get_protocol("google", "image"), get_protocol(str(path), "image")
    assert set(base.deviations) < set(ours.deviations)


def test_an_edited_file_is_another_protocol(wider):
    wider.write_text(WIDER.replace('[task]\nbrackets = "drop"\nmax_length = 1_000\n', ""))
    texts = [get_protocol(str(wider), "text") for _ in range(2)]
    wider.write_text(wider.read_text().replace("dim = 128", "dim = 256"))
    edited = get_protocol(str(wider), "text")
    keys = [conditions(record(protocol=one)) for one in (*texts, edited)]
    assert keys[0] == keys[1] != keys[2]


def test_filters_are_not_stated(tmp_path):
    path = tmp_path / "filtered.toml"
    for entry in ('linformer = "rank=16+gfsa"', '"linear+gfsa" = "K=3"'):
        path.write_text(f'base = "quick"\n[attentions]\n{entry}\n')
        with pytest.raises(UsageError, match="has a filter: give an attention's own options alone"):
            spec_under("linear", get_protocol(str(path), "listops"))
