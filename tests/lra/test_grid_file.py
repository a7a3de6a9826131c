"""A grid from a file, by the command line."""

import shlex

import pytest

from lra.cli import main, run
from lra.grid.plan import plan
from lra.run.describe import command
from lra.system.environment import ROOT

SWEEP = ROOT / "examples" / "sweep.toml"


@pytest.fixture
def grid(tmp_path):
    def write(text):
        (tmp_path / "sweep.toml").write_text(text)
        return ["--grid", str(tmp_path / "sweep.toml"), "--dry-run"]

    return write


def configs(*words):
    return plan(run.parser().parse_args(list(words)), print)


def test_a_file_is_the_options_that_it_spells():
    typed = "--task listops --attn linear linear+gfsa --seed 0 1 --protocol quick"
    typed += " --set training.learning_rate=1e-4,3e-4"
    assert configs("--grid", str(SWEEP)) == configs(*shlex.split(typed))


def test_what_is_typed_wins_and_other_settings_stay(grid):
    words = grid(
        'task = "listops"\nattn = "linear"\nprotocol = "quick"\ndry-run = false\nseed = 3\n'
        "[set]\ntraining.steps = [3, 4]\ntask.train = 64"
    )
    found = configs(*words, "--seed", "7", "--set", "training.steps=5")
    assert [(c.seed, c.protocol.training.steps, c.protocol.task.train) for c in found] == [
        (7, 5, 64)
    ]
    assert found[0].protocol.name == "quick"


def test_the_command_of_a_run_repeats_it_alone():
    for config in configs("--grid", str(SWEEP)):
        assert "--grid" not in command(config)
        (again,) = configs(*shlex.split(command(config))[2:])
        assert again.identity == config.identity


def test_a_dry_run_lists_the_files_runs(grid, capsys):
    assert main(grid(SWEEP.read_text())) == 0
    assert capsys.readouterr().out.count("to run") == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('att = "linear"', "unknown option 'att'; did you mean 'attn'"),
        ('grid = "other.toml"', "unknown option 'grid'"),
        ("seed = [", "sweep.toml: "),
        ("seed = 1.5", "sweep.toml: argument --seed: must be an integer of 0 or more, not '1.5'"),
        ("seed = true", "sweep.toml: seed must be a value or a list of values"),
        ("attn = []", "attn must be a value or a list of values"),
        ('attn = ["linear", "--rerun"]', "attn must be a value or a list of values"),
        ("jobs = [1, 2]", "sweep.toml: jobs must be one value"),
        ('rerun = "yes"', "sweep.toml: rerun must be true or false"),
        ('set = ["training.steps=1"]', "sweep.toml: set must be a table"),
        ('precision = "half"', "sweep.toml: argument --precision: invalid choice: 'half'"),
        ('task = "listops"', "the following arguments are required: --attn"),
        ('task = "listop"\nattn = "linear"', "did you mean 'listops'"),
    ],
)
def test_a_mistake_is_one_line(grid, capsys, text, said):
    assert main(grid(text)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
