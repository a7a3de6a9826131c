"""Typed options: text on a command line or in a spec to values, and back."""

import inspect
import math
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from attention_zoo.errors import UsageError, quoted, unknown

WORDS = {bool: "true or false", int: "an integer", float: "a finite number"}


@dataclass(frozen=True)
class Option:
    annotation: Any
    default: Any


def options_of(function: Any, given: set[str]) -> dict[str, Option]:
    """The keyword options of a callable: its annotated parameters but those that are `given`.

    Raises UsageError for one without a type, a default, or a spelling as text.
    """
    hints = typing.get_type_hints(function)
    options = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in given | {"self"} or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            continue
        if name not in hints or parameter.default is parameter.empty:
            raise UsageError(
                f"option {name!r} of {function.__qualname__} needs a type and a default"
            )
        describe(hints[name])
        options[name] = Option(hints[name], parameter.default)
    return options


def parse_value(text: str, annotation: Any) -> Any:
    """Text to a value of `annotation`: bool, int, float, str, Literal, tuple[X, ...], frozenset[X],
    or a union of these.

    Lists and sets are written with `/` (`2/4`). Raises ValueError where the text is no such value,
    OverflowError for an integer of more than 64 bits, which nothing here counts up to.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        for choice in arguments:
            if text == spell(choice):
                return choice
        raise ValueError(text)
    if origin in (Union, types.UnionType):
        for alternative in arguments:
            try:
                return parse_value(text, alternative)
            except ValueError:
                continue
        raise ValueError(text)
    if origin in (tuple, frozenset):
        return origin(parse_value(item, arguments[0]) for item in text.split("/"))
    if annotation is bool and text in ("true", "false"):
        return text == "true"
    if annotation is type(None) and text == "none":
        return None
    if annotation is int and abs(int(text)) >= 2**63:
        raise OverflowError(text)
    if annotation in (int, str) or (annotation is float and math.isfinite(float(text))):
        return annotation(text)
    raise ValueError(text)


def spell(value: Any) -> str:
    """A value as `parse_value` reads it."""
    if isinstance(value, frozenset):
        return spell(tuple(sorted(value)))
    if isinstance(value, tuple):
        return "/".join(spell(item) for item in value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def describe(annotation: Any) -> str:
    """What a user may write for `annotation`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "|".join(spell(choice) for choice in arguments)
    if origin in (Union, types.UnionType):
        return "|".join(describe(alternative) for alternative in arguments)
    if origin in (tuple, frozenset):
        return f"{describe(arguments[0])}/…"
    if annotation is type(None):
        return "none"
    if annotation in (bool, int, float, str):
        return annotation.__name__
    raise UsageError(
        f"an option cannot be a {annotation}: use bool, int, float, str, Literal, "
        "tuple[X, ...], frozenset[X] or a union of these"
    )


def read_option(owner: str, key: str, text: str, options: dict[str, Option]) -> Any:
    """The value of `key=text` among `options`; a UsageError says what `owner` takes instead."""
    if key not in options:
        raise unknown(f"option of {owner}", key, options)
    try:
        return parse_value(text, options[key].annotation)
    except ValueError:
        annotation = options[key].annotation
        expected = WORDS.get(annotation) or describe(annotation)
    except OverflowError:
        expected = "an integer of at most 18 digits"
    raise UsageError(f"{owner}: {key}: expected {expected}, got {quoted(text)}")
