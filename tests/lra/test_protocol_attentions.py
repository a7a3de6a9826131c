"""What a bare attention means under a protocol: the options with which its source ran it."""

import pickle
import shlex
from typing import Literal, get_args, get_origin

import pytest

from attention_zoo import UsageError, build_attention, names, parse_spec
from attention_zoo.options import spell
from attention_zoo.registry import ATTENTIONS
from lra.cli import main, measure
from lra.cli import run as grid_command
from lra.cli.measure.jobs import jobs_of
from lra.grid.plan import plan
from lra.protocols import PROTOCOLS, get_protocol, spec_under
from lra.results.agreement import mathematics_of
from lra.results.published import read_published
from lra.results.reading import read_records
from lra.run.describe import command
from lra.system.environment import ROOT
from lra.tasks import TASKS

from .tiny import config

STATED = ("nystromformer", "skyformer", "google")


def configured(*words):
    """The runs that a command line asks for."""
    line = ["--task", "listops", "--accelerator", "cpu", *words]
    options = grid_command.parser().parse_args(line)
    return plan(options, print)


@pytest.mark.parametrize(
    ("text", "protocol", "task", "canonical"),
    [
        ("nystrom", "skyformer", "text", "nystrom:conv=0,landmarks=128"),
        ("nystrom+gfsa:K=4", "skyformer", "text", "nystrom:conv=0,landmarks=128+gfsa:K=4"),
        ("nystrom:landmarks=64", "skyformer", "text", "nystrom:conv=0,landmarks=64"),
        ("nystrom:iterations=7", "skyformer", "text", "nystrom:conv=0,iterations=7,landmarks=128"),
        ("nystrom:landmarks=64", "nystromformer", "text", "nystrom"),
        ("nystrom", "google", "text", "nystrom"),
        ("linformer", "skyformer", "text", "linformer:per_head=true,rank=128"),
        ("performer", "nystromformer", "text", "performer:logit_scale=1/D"),
        ("linformer", "google", "text", "linformer:rank=16"),
        ("linformer:rank=256", "google", "text", "linformer:rank=256"),
        ("performer", "google", "listops", "performer:features=2"),
        ("performer", "google", "pathfinder", "performer:features=0,kernel=relu"),
        ("longformer", "google", "text", "longformer:globals=0,window=512"),
        ("longformer:globals=1", "google", "text", "longformer:globals=1,window=512"),
        ("local", "google", "image", "local:block=64"),
        ("local:block=50", "google", "image", "local:block=50"),
        ("local", "google", "text", "local"),
        ("sinkhorn", "google", "pathfinder", "sinkhorn:block=64"),
        ("performer", "quick", "image", "performer"),
    ],
)
def test_a_bare_name_has_the_sources_options_and_a_given_option_wins(
    text, protocol, task, canonical
):
    assert str(spec_under(text, get_protocol(protocol, task))) == canonical


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_canonical_spellings_mean_the_same_with_the_protocol_and_without(protocol):
    for made in (get_protocol(protocol, task) for task in TASKS):
        stated = [one.attention for one in made.stated]
        for name in names():
            defaults = {key: opt.default for key, opt in ATTENTIONS.get(name).options.items()}
            explicit = ",".join(
                f"{k}={v}" for k, v in defaults.items() if v in (0, 64, "auto") and v is not False
            )
            for text in (name, f"{name}:{explicit}" if explicit else name):
                spec = spec_under(text, made)
                assert spec_under(str(spec), made) == spec
                meant, plain = (dict(s.attention.options) for s in (spec, parse_spec(str(spec))))
                assert defaults | meant == defaults | plain
            if name not in stated:
                assert str(spec_under(name, made)) == name  # identities stay


def test_what_is_stated_exists_and_says_where_it_is_from():
    for protocol in STATED:
        for one in (one for task in TASKS for one in get_protocol(protocol, task).stated):
            assert parse_spec(one.spec).attention.name == one.attention and ".py" in one.source


def test_published_rows_are_of_what_a_bare_name_means_under_their_protocol():
    named = ("bigbird", "informer", "linformer", "longformer", "nystrom", "performer", "skyformer")
    found = [
        (row, parse_spec(row.spec).attention.name)
        for row in read_published()
        if row.spec and row.protocol and row.task in TASKS
    ]
    compared = [(row, name) for row, name in found if name in named]
    for row, name in compared:
        spec = spec_under(name, get_protocol(row.protocol, row.task))
        assert mathematics_of(str(spec)) == row.spec, row
    assert len({(row.protocol, name) for row, name in compared}) > 8
    assert mathematics_of("nystrom:conv=0,landmarks=64") == "nystrom:conv=0"
    assert mathematics_of("unheard-of:x=1") == "unheard-of:x=1"


def test_runs_on_record_keep_their_identity():
    records = list(read_records(ROOT / "results/reference/listops-quick-cpu"))
    assert len(records) == 12
    for record in records:
        attention = spec_under(record.attention, record.protocol)
        again = config(
            attention,
            record.seed,
            protocol=record.protocol,
            data=record.data.fingerprint,
            modified=record.modified,
        )
        assert again.identity == record.identity


def test_a_runs_command_and_its_job_name_the_same_run():
    attentions = ["nystrom", "nystrom:landmarks=64", "nystrom:landmarks=64,conv=35+gfsa", "linear"]
    for task, source in (("listops", "generated"), ("text", "sample")):
        asked = ["--task", task, "--source", source, "--protocol", "skyformer", "--attn"]
        runs = configured(*asked, *attentions)
        assert len({run.identity for run in runs}) == len(attentions)
        for run in runs:
            copy = pickle.loads(pickle.dumps(run))
            assert (copy, copy.identity) == (run, run.identity)
            _, _, *words = shlex.split(command(run))
            (repeated,) = configured(*words)
            assert repeated.identity == run.identity


def test_a_measured_step_has_the_protocols_options_and_a_layer_its_own():
    def attention(*words):
        (job,), _ = jobs_of(measure.parser().parse_args(["--attn", "linformer", *words]))
        return job.attention

    step = ["--task", "listops", "--source", "generated", "--protocol"]
    assert attention(*step, "google") == "linformer:rank=16"
    assert attention(*step, "nystromformer") == "linformer:per_head=true"
    assert attention("--level", "layer") == "linformer"


def test_protocols_are_listed_with_what_a_bare_name_means(capsys):
    assert main(["list", "protocols", "--task", "listops"]) == 0
    out = capsys.readouterr().out
    (row,) = (line for line in out.splitlines() if line.startswith("| --attn linformer"))
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    sizes = ["rank=256,per_head=true", "rank=128,per_head=true", "rank=16,share=kv"]
    assert cells == [*sizes, "its own defaults"]
    assert "- linformer:rank=128,per_head=true, by src/config.py, linformer: linformer_k" in out
    assert get_protocol("google", "listops").name in out
    assert main(["list", "attentions"]) == 0
    assert "a protocol may state others, which `list protocols`" in capsys.readouterr().out


def chosen(name):
    """Each value of a Literal or bool option of an attention, and what is checked also."""
    cls, options = ATTENTIONS.get(name).cls, ATTENTIONS.get(name).options
    for key, option in options.items():
        kinds = [option.annotation, *get_args(option.annotation)]
        values = [v for kind in kinds if get_origin(kind) is Literal for v in get_args(kind)]
        for value in [*values, *([True, False] if bool in kinds else [])]:
            yield f"{key}={spell(value)}"
    yield from cls.check_also


@pytest.mark.parametrize("protocol", STATED)
def test_what_builds_alone_builds_under_a_protocol_and_has_the_given_values(protocol):
    sizes = {"heads": 2, "head_dim": 32, "max_len": 256}
    tried = set()
    for made in (get_protocol(protocol, task) for task in ("listops", "image")):
        for name in (one.attention for one in made.stated):
            options = ATTENTIONS.get(name).options
            defaults = {key: option.default for key, option in options.items()}
            for given in chosen(name):
                try:
                    build_attention(f"{name}:{given}", **sizes)
                except UsageError:
                    continue
                spec = spec_under(f"{name}:{given}", made)
                build_attention(spec, **sizes)
                meant = defaults | dict(spec.attention.options)
                for key, _, text in (item.partition("=") for item in given.split(",")):
                    assert spell(meant[key]) == text, (spec, given)
                assert spec_under(str(spec), made) == spec
                assert defaults | dict(parse_spec(str(spec)).attention.options) == meant
                tried.add(f"{name}:{given}")
    assert {"performer:kernel=relu", "performer:logit_scale=1/D"} <= tried


@pytest.mark.parametrize(
    ("text", "protocol", "canonical"),
    [
        ("performer:kernel=relu", "nystromformer", "performer:kernel=relu"),
        ("performer:kernel=relu,logit_scale=auto", "skyformer", "performer:kernel=relu"),
        ("performer:kernel=softmax", "skyformer", "performer:features=128,logit_scale=1/D"),
        ("performer:features=64", "google", "performer:features=64,kernel=relu"),
        ("performer:kernel=softmax", "google", "performer:kernel=softmax"),
        ("performer:logit_scale=0.1", "google", "performer:kernel=softmax,logit_scale=0.1"),
        ("performer:logit_scale=auto", "google", "performer:features=0,kernel=relu"),
    ],
)
def test_what_is_stated_for_one_formula_is_not_meant_for_another(text, protocol, canonical):
    assert str(spec_under(text, get_protocol(protocol, "text"))) == canonical
