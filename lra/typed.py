"""Frozen dataclasses that pydantic holds to their types, and one line for what does not fit."""

import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform, get_type_hints

import pydantic.dataclasses
from pydantic import ConfigDict, TypeAdapter, ValidationError

from attention_zoo.errors import UsageError

T = TypeVar("T")
# Nothing missing, nothing unknown, nothing cast, no nan.
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass_transform(frozen_default=True)
def frozen(cls: type[T]) -> type[T]:
    """A frozen dataclass whose fields are checked whenever one is made: UsageError says which does
    not fit. A check of several fields stands in `__post_init__` and raises UsageError, too.

    >>> @frozen
    ... class Point:
    ...     x: int
    >>> load(Point, '{"x": 1}')
    Point(x=1)
    >>> Point(x="one")
    Traceback (most recent call last):
    attention_zoo.errors.UsageError: x='one' must be a valid integer
    """
    made: Any = pydantic.dataclasses.dataclass(frozen=True, config=STRICT)(cls)
    init: Callable[..., None] = made.__init__

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **fields: Any) -> None:
        try:
            init(self, *args, **fields)
        except ValidationError as error:
            raise misfit(error, getattr(cls, "SECTION", "")) from None

    made.__init__ = __init__
    return made


def load(annotation: Any, content: bytes | str, where: str = "") -> Any:
    """JSON as `annotation`. Raises UsageError with the path of the first value that does not fit,
    which begins with `where`."""
    try:
        return _adapter(annotation).validate_json(content)
    except ValidationError as error:
        raise misfit(error, where) from None


def misfit(error: ValidationError, where: str = "") -> UsageError:
    """The first of pydantic's errors, in one line."""
    first = error.errors(include_url=False)[0]
    steps = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in first["loc"])
    path = (where + steps).lstrip(".")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, UsageError):
        return cause
    if first["type"] in ("missing", "missing_argument"):
        return UsageError(f"{path} is missing")
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return UsageError(f"{path} is unknown")
    if first["type"] == "json_invalid":
        return UsageError(f"{path}{': ' if path else ''}{first['msg']}")
    said = re.sub(r"^\w+ should ", "must ", first["msg"].removeprefix("Value error, "))
    return UsageError(f"{path or 'value'}={first['input']!r:.60} {said}")


@functools.cache
def field_types(cls: type) -> dict[str, Any]:
    """The type of each field of a dataclass."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


@functools.cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)
