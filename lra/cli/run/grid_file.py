"""Options from a TOML file, whose keys are those of the command line; those that are typed win:

task = ["listops", "text"]
attn = ["linear", "linear+gfsa"]
seed = [0, 1, 2]
protocol = "quick"

[set]
training.learning_rate = [1e-4, 3e-4]
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attention_zoo.errors import UsageError, unknown
from attention_zoo.options import spell
from lra.cli.options import Parser, add
from lra.system.files import read_toml

NOT_IN_FILES = ("help", "version", "grid")
EXPECTED = {  # by nargs
    0: "true or false",
    None: "one value",
    "+": "a value or a list of values",
    "table": "a table",
}


class GridParser(Parser):
    """Takes the options of the file that `--grid` names as if they were typed first."""

    def parse_args(
        self, words: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        words = list(sys.argv[1:] if words is None else words)
        first = Parser(self.prog, add_help=False)
        add(first, "--grid", "--set")
        typed, _ = first.parse_known_args(words)
        if typed.grid is None:
            return super().parse_args(words, namespace)
        actions = {action.option_strings[-1].removeprefix("--"): action for action in self._actions}
        for name in NOT_IN_FILES:
            del actions[name]
        try:
            given = {setting.partition("=")[0] for setting in typed.set}
            asked = [*words_of(read_toml(typed.grid, "--grid"), actions, given)]
            return super().parse_args([*asked, *words], namespace)
        except UsageError as error:
            where = "" if str(typed.grid) in str(error) else f"{typed.grid}: "
            raise UsageError(f"{where}{error}") from None


def words_of(
    file: Mapping[str, Any], actions: Mapping[str, argparse.Action], typed: set[str]
) -> Iterator[str]:
    """What would be typed for a file's options, but for the settings that are `typed` beside it.

    Raises UsageError for an option that there is not, and for a value of another type.
    """
    for name, value in file.items():
        if name not in actions:
            raise unknown("option", name, actions)
        takes = "table" if name == "set" else actions[name].nargs
        values = value if takes == "+" and isinstance(value, list) else [value]
        if takes == 0 and isinstance(value, bool):
            yield from [f"--{name}"] * value
        elif takes == "table" and isinstance(value, dict):
            texts = [text for key, text in settings(value) if key not in typed]
            yield from ["--set", *texts] if texts else []
        elif takes in (None, "+") and values and all(map(word, values)):
            yield from [f"--{name}", *map(str, values)]
        else:
            raise UsageError(f"{name} must be {EXPECTED[takes]}")


def settings(table: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """section.key, and that with its values, whether a table is nested or its keys have dots."""
    for key, value in table.items():
        values = value if isinstance(value, list) else [value]
        if isinstance(value, dict):
            yield from settings(value, f"{above}{key}.")
        elif values and all(isinstance(one, str | int | float) for one in values):
            yield above + key, f"{above}{key}={','.join(map(spell, values))}"
        else:
            raise UsageError(f"set must be a table: {above}{key} has no value that can be typed")


def word(value: Any) -> bool:
    """Whether it can be typed as the value of an option, and is no option itself."""
    typable = isinstance(value, str | int | float) and not isinstance(value, bool)
    return typable and not str(value).startswith("--")
