"""Every option that is a number, held to texts that are none."""

import argparse

import pytest

from attention_zoo import UsageError
from attention_zoo.registry import ATTENTIONS, FILTERS
from attention_zoo.spec import parse_spec
from lra.cli import values
from lra.cli.main import COMMANDS, RUN, command
from lra.protocols import get_protocol, override

TEXTS = [
    "9" * 400,
    "9" * 5000,
    "-1",
    "-" + "9" * 400,
    "inf",
    "-inf",
    "nan",
    "",
    " ",
    "1e400",
    "0x1",
]
TYPES = [values.positive, values.not_negative, values.length]
TYPES += [values.seconds, values.size, values.ratio]
UNITS = {values.seconds: ["", "s", "d"], values.size: ["", "M", "T"]}


def parsers():
    for name in (RUN, *COMMANDS):
        parser = command(name).parser()
        yield parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from action.choices.values()


OPTIONS = [(p, a) for p in parsers() for a in p._actions if a.type in TYPES]


def test_every_number_on_the_command_line_is_bounded():
    assert {action.type for _, action in OPTIONS} == set(TYPES)
    for parser in parsers():
        assert not [a.dest for a in parser._actions if a.type in (int, float)]


@pytest.mark.parametrize(
    ("parser", "action"), OPTIONS, ids=lambda given: getattr(given, "dest", "")
)
def test_a_number_that_is_none_is_one_short_line(parser, action):
    (option,) = action.option_strings
    for text in TEXTS:
        for unit in UNITS.get(action.type, [""]):
            with pytest.raises(UsageError) as error:
                parser.parse_args([f"{option}={text}{unit}"])
            said = str(error.value)
            assert said.startswith(f"argument {option}: ") and len(said) < 250 and "\n" not in said


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (values.positive, "1000000000", 10**9),
        (values.not_negative, "0", 0),
        (values.length, "2", 2),
        (values.seconds, "1.5h", 5400.0),
        (values.seconds, "3650d", 3650 * 86400.0),
        (values.size, "0.5G", 500_000_000),
        (values.size, "1000T", 10**15),
        (values.ratio, "1.1", 1.1),
    ],
)
def test_numbers_are_read(kind, text, value):
    assert kind(text) == value and type(kind(text)) is type(value)


@pytest.mark.parametrize("text", [text for text in TEXTS if text not in ("-1", "0x1", " ")])
def test_options_of_specs_and_settings_refuse_them_too(text):
    """As numbers; a negative one of a sensible size is for who takes it to judge."""
    for registry, spec in ((ATTENTIONS, "{}"), (FILTERS, "linear+{}")):
        for name in registry.names():
            for key, option in registry.get(name).options.items():
                if option.annotation in (int, float):
                    with pytest.raises(UsageError) as error:
                        parse_spec(spec.format(f"{name}:{key}={text}"))
                    assert f"{name}: {key}: expected" in str(error.value)
    for key in ("training.steps", "training.learning_rate", "task.train", "model.dropout"):
        with pytest.raises(UsageError, match=r"expected .*, got"):
            override(get_protocol("quick", "listops"), [f"{key}={text}"])
