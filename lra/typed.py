"""JSON values to frozen dataclasses, strictly: nothing missing, nothing unknown, nothing cast."""

import contextlib
import dataclasses
import functools
import math
import types
from collections.abc import Callable
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from attention_zoo.errors import UsageError, unknown

Loader = Callable[[Any], Any]


class _Misfit(Exception):
    """A value that does not fit. say: from its path, the error; where: the path, from its end."""

    def __init__(self, say: Callable[[str], UsageError]) -> None:
        self.say, self.where = say, []

    def inside(self, step: str) -> "_Misfit":
        self.where.append(step)
        return self

    def error(self, root: str) -> UsageError:
        return self.say((root + "".join(reversed(self.where))).lstrip("."))


def load(annotation: Any, value: Any, where: str = "") -> Any:
    """`value` as `annotation`: dataclasses, dict, list, tuple, Literal, unions, plain types.

    Raises UsageError with the path of the first value that does not fit.
    """
    try:
        return _loader(annotation)(value)
    except _Misfit as misfit:
        raise misfit.error(where) from None


@functools.cache
def field_types(cls: type) -> dict[str, Any]:
    """The type of each field of a dataclass."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


@functools.cache
def _loader(annotation: Any) -> Loader:
    """What loads values of a type; made once, since a table reads thousands of records."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if dataclasses.is_dataclass(annotation):
        return _dataclass_loader(annotation)
    if annotation is Any:
        return lambda value: value
    if origin in (Union, types.UnionType):
        return _union_loader(annotation, [_loader(alternative) for alternative in arguments])
    if origin is dict:
        return _dict_loader(annotation, _loader(arguments[1]))
    if origin in (list, tuple):
        return _list_loader(annotation, origin, _loader(arguments[0]))
    if origin is Literal:
        return _plain_loader(annotation, lambda value: value in arguments)
    if annotation is float:
        return _float
    return _plain_loader(annotation, lambda value: type(value) is annotation)


def _misfit(annotation: Any, value: Any) -> _Misfit:
    return _Misfit(lambda at: UsageError(f"{at or 'value'} is {value!r:.60}, no {annotation}"))


def _plain_loader(annotation: Any, fits: Callable[[Any], bool]) -> Loader:
    def load_plain(value: Any) -> Any:
        if fits(value):
            return value
        raise _misfit(annotation, value)

    return load_plain


def _float(value: Any) -> float:
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int:
        with contextlib.suppress(OverflowError):
            return float(value)
    raise _misfit(float, value)


def _union_loader(annotation: Any, alternatives: list[Loader]) -> Loader:
    def load_union(value: Any) -> Any:
        for alternative in alternatives:
            try:
                return alternative(value)
            except (_Misfit, UsageError):  # UsageError: what a dataclass says of its own fields
                continue
        raise _misfit(annotation, value)

    return load_union


def _dict_loader(annotation: Any, item: Loader) -> Loader:
    def load_dict(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _misfit(annotation, value)
        loaded = {}
        for key, one in value.items():
            try:
                loaded[key] = item(one)
            except _Misfit as misfit:
                raise misfit.inside(f".{key}") from None
        return loaded

    return load_dict


def _list_loader(annotation: Any, kind: type, item: Loader) -> Loader:
    def load_list(value: Any) -> list[Any] | tuple[Any, ...]:
        if not isinstance(value, list):
            raise _misfit(annotation, value)
        loaded: list[Any] = []
        try:
            for one in value:
                loaded.append(item(one))
        except _Misfit as misfit:
            raise misfit.inside(f"[{len(loaded)}]") from None
        return loaded if kind is list else tuple(loaded)

    return load_list


def _dataclass_loader(cls: type) -> Loader:
    hints = field_types(cls)
    loaders = [(name, _loader(hint)) for name, hint in hints.items()]

    def load_dataclass(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _Misfit(lambda at: UsageError(f"{at or 'value'} is no object of {cls.__name__}"))
        if value.keys() != hints.keys():
            raise _keys_misfit(cls, value, hints)
        loaded = {}
        for name, loader in loaders:
            try:
                loaded[name] = loader(value[name])
            except _Misfit as misfit:
                raise misfit.inside(f".{name}") from None
        return cls(**loaded)

    return load_dataclass


def _keys_misfit(cls: type, value: dict[str, Any], hints: dict[str, Any]) -> _Misfit:
    extra = next((key for key in value if key not in hints), None)
    if extra is not None:
        return _Misfit(lambda at: unknown(f"key in {at or cls.__name__}", extra, hints))
    missing = ", ".join(key for key in hints if key not in value)
    return _Misfit(lambda at: UsageError(f"{at or cls.__name__} lacks {missing}"))
