"""JSON values to frozen dataclasses, strictly: nothing missing, nothing unknown, nothing cast."""

import dataclasses
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from attention_zoo.errors import UsageError, unknown


def load(annotation: Any, value: Any, where: str = "") -> Any:
    """`value` as `annotation`: dataclasses, dict, list, tuple, Literal, unions, plain types.

    Raises UsageError with the path of the first value that does not fit.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if dataclasses.is_dataclass(annotation):
        return _dataclass(annotation, value, where)
    if annotation is Any:
        return value
    if origin in (Union, types.UnionType):
        for alternative in arguments:
            try:
                return load(alternative, value, where)
            except UsageError:
                continue
    elif origin is Literal:
        if value in arguments:
            return value
    elif origin is dict and isinstance(value, dict):
        return {key: load(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    elif origin in (list, tuple) and isinstance(value, list):
        items = [load(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
        return tuple(items) if origin is tuple else items
    elif annotation is float and type(value) in (int, float):
        return float(value)
    elif annotation is type(None) and value is None:
        return None
    elif isinstance(annotation, type) and type(value) is annotation:
        return value
    raise UsageError(f"{where.lstrip('.') or 'value'} is {value!r:.60}, no {annotation}")


def field_types(cls: type) -> dict[str, Any]:
    """The type of each field of a dataclass."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _dataclass(cls: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise UsageError(f"{where.lstrip('.') or 'value'} is no object of {cls.__name__}")
    hints = field_types(cls)
    for key in value:
        if key not in hints:
            raise unknown(f"key in {where.lstrip('.') or cls.__name__}", key, hints)
    missing = [key for key in hints if key not in value]
    if missing:
        raise UsageError(f"{where.lstrip('.') or cls.__name__} lacks {', '.join(missing)}")
    return cls(**{key: load(hint, value[key], f"{where}.{key}") for key, hint in hints.items()})
