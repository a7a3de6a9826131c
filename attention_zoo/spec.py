"""The spec grammar: `attention[:key=value,...][+filter[:key=value,...]]...`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attention_zoo.attention import Attention
from attention_zoo.errors import UsageError, quoted
from attention_zoo.mixer import Mixer
from attention_zoo.options import read_option, spell
from attention_zoo.registry import ATTENTIONS, FILTERS, Registry

_CAUSAL = (
    "causal is no option of a spec, since LRA classifies whole sequences: give causal=True to "
    "build_attention or build_layer"
)
_CROSS = (
    "cross-attention is not supported: Ā must be square, with queries and keys of the same tokens"
)
# What people look for among the options of other libraries.
NOT_SUPPORTED = dict.fromkeys(("causal", "is_causal"), _CAUSAL) | dict.fromkeys(
    ("cross", "cross_attention", "cross-attention"), _CROSS
)


@dataclass(frozen=True)
class Part:
    """One name with its options, sorted: those that differ from the class' defaults, and those of
    which somebody else stated another default."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        options = ",".join(f"{key}={spell(value)}" for key, value in self.options)
        return f"{self.name}:{options}" if options else self.name


@dataclass(frozen=True)
class Spec:
    """An attention and the filters on it, left to right; `str` is its canonical spelling."""

    attention: Part
    filters: tuple[Part, ...] = ()

    def __str__(self) -> str:
        return "+".join(map(str, (self.attention, *self.filters)))


def parse_spec(text: "str | Spec", stated: Mapping[str, Mapping[str, Any]] | None = None) -> Spec:
    """Text to a Spec; raises UsageError naming what exists where a name or key does not.

    Args:
        stated: defaults, by attention and option, in place of the class' own (a protocol's). An
            option whose two defaults differ is always spelled, so that the canonical spelling
            means the same with `stated` and without it. None of them is meant where the text
            chooses another formula than theirs (`Attention.formula`).

    >>> spec = parse_spec("performer:features=256+gfsa:K=4,layers=2/1")
    >>> spec.attention.name, str(spec)  # 256 is the default
    ('performer', 'performer+gfsa:K=4,layers=1/2')
    >>> parse_spec("preformer")
    Traceback (most recent call last):
    attention_zoo.errors.UsageError: unknown attention 'preformer'...
    """
    if isinstance(text, Spec):
        return text
    first, *rest = _parts(text)
    names = [part.partition(":")[0] for part in (first, *rest)]
    ends = any(name.endswith("+") and name not in FILTERS.names() for name in names)
    if ends or not all(names[1:]):
        raise UsageError(f"{quoted(text)}: the name of a filter is missing after '+'")
    attention = _parse_part(first, ATTENTIONS, stated or {})
    filters = tuple(_parse_part(part, FILTERS, {}) for part in rest)
    _require_places(filters)
    if issubclass(ATTENTIONS.get(attention.name).cls, Mixer):
        _require_output(attention.name, filters)
    return Spec(attention, filters)


def _require_output(name: str, filters: Sequence[Part]) -> None:
    """Raises UsageError for what acts inside a mixer."""
    for part in filters:
        place = FILTERS.get(part.name).cls.acts_on
        if place == "operator":
            raise UsageError(
                f"{name}+{part.name}: {name} is a mixer, not an attention: it has no Ā to filter"
            )
        if place != "output":
            raise UsageError(
                f"{name}+{part.name}: {part.name} acts on the {place} of an attention's layer, "
                f"and {name} is a mixer"
            )


def _require_places(filters: Sequence[Part]) -> None:
    """Raises UsageError where two remedies act on the same place."""
    taken: dict[str, str] = {}
    for part in filters:
        cls = FILTERS.get(part.name).cls
        if not cls.stacks and cls.acts_on in taken:
            raise UsageError(
                f"{taken[cls.acts_on]} and {part.name} both act on the {cls.acts_on} of a layer: "
                "choose one of them"
            )
        if not cls.stacks:
            taken[cls.acts_on] = part.name


def attention_of(spec: "str | Spec") -> type[Attention]:
    """The class of the attention that a spec names."""
    return ATTENTIONS.get(parse_spec(spec).attention.name).cls


def base_of(canonical: str) -> str | None:
    """A canonical spelling without its last filter, None where it has none; needs no plugin."""
    *base, _ = _parts(canonical)
    return "+".join(base) or None


def _parts(text: str) -> list[str]:
    # A filter's name starts with a letter: a plus before a digit belongs to a number (1e+3), one at
    # the end of a name to the name (vit+).
    return [part.strip() for part in re.split(r"\+(?!\d|:|\s*\+|\s*$)", text)]


def _parse_part(text: str, registry: Registry, stated: Mapping[str, Mapping[str, Any]]) -> Part:
    name, colon, tail = text.partition(":")
    entry = registry.get(name)
    options: dict[str, Any] = {}
    for item in tail.split(",") if colon else ():
        key, equals, value = item.partition("=")
        if key.lower() in NOT_SUPPORTED and key not in entry.options:
            raise UsageError(f"{registry.kind} {name!r}: {NOT_SUPPORTED[key.lower()]}")
        if not equals:
            last = next(reversed(options), None)
            several = f"; several values of {last} are {last}={{a,b}}" if last else ""
            raise UsageError(
                f"{registry.kind} {name!r}: write options as key=value, not {item!r}{several}"
            )
        if key in options:
            raise UsageError(f"{registry.kind} {name!r}: option {key!r} is given twice")
        options[key] = read_option(name, key, value, entry.options)
    defaults = {key: option.default for key, option in entry.options.items()}
    other = {k: v for k, v in stated.get(name, {}).items() if v != defaults[k]}
    if other:
        choice, values = entry.cls.formula
        implied = [v for k, v in values.items() if options.get(k, defaults[k]) != defaults[k]]
        if implied:
            options.setdefault(choice, implied[0])
        if choice in options and options[choice] != (defaults | other)[choice]:
            other = {k: v for k, v in other.items() if k == choice}
    spelled = {k: v for k, v in options.items() if v != defaults[k] or k in other}
    return Part(name, tuple(sorted((other | spelled).items())))
