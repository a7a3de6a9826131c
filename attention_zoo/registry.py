"""What there is by name: attentions, mixers and filters, from here and from others."""

import importlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast

from torch import nn

from attention_zoo.attention import Attention, Support
from attention_zoo.errors import UsageError, unknown
from attention_zoo.filter import Filter, Modifier
from attention_zoo.mixer import Mixer
from attention_zoo.options import Option, options_of
from attention_zoo.plugins import import_plugin
from attention_zoo.remedy import OnOutput, OnProjections, OnValues

ENTRY_POINTS = "attention_zoo"
# Packages beside this one that register, too; a checkout has no entry points.
SIBLINGS = ("gfsa",)
Layers = Literal["all", "even", "odd"] | frozenset[int]


T = TypeVar("T", bound=nn.Module)
C = TypeVar("C", bound=nn.Module)  # what is registered: a class that is handed back as it came


@dataclass(frozen=True)
class Entry(Generic[T]):
    name: str
    cls: type[T]
    options: dict[str, Option]


@dataclass
class Registry(Generic[T]):
    kind: str
    base: type[T]
    given: set[str]
    common: dict[str, Option] = field(default_factory=dict)
    needs: dict[str, type] = field(default_factory=dict)
    validate: Callable[[str, type], None] = lambda name, cls: None
    ends: str = ""  # with what its names may end besides letters, digits, - and _
    entries: dict[str, Entry[T]] = field(default_factory=dict)

    def register(
        self, name: str, base: type[nn.Module] | None = None, given: set[str] | None = None
    ) -> Callable[[type[C]], type[C]]:
        """base, given: of another kind under the same names."""
        expected, sizes = base or self.base, given or self.given

        def add(given: type[C]) -> type[C]:
            cls: type = given
            if not (isinstance(cls, type) and issubclass(cls, expected)):
                raise UsageError(f"{self.kind} {name!r} must be a subclass of {expected.__name__}")
            if name in self.entries:
                taken = self.entries[name].cls
                raise UsageError(
                    f"{self.kind} {name!r} is already registered by {taken.__module__}; "
                    "choose another name"
                )
            if not re.fullmatch(r"[A-Za-z][\w-]*", name.removesuffix(self.ends)):
                raise UsageError(
                    f"{self.kind} name {name!r} may only contain letters, digits, - and _, and "
                    "must begin with a letter"
                )
            for name_of, kind in self.needs.items():
                if not isinstance(getattr(cls, name_of, None), kind):
                    raise UsageError(
                        f"{self.kind} {name!r} needs {name_of}, a {kind.__name__} of its class"
                    )
            self.validate(name, cls)
            options = options_of(cls.__init__, sizes)
            for key in options.keys() & self.common.keys():
                raise UsageError(f"{self.kind} {name!r}: the option {key!r} is one of all of them")
            options |= self.common
            self.entries[name] = Entry(name, cast(Any, cls), options)
            return given

        return add

    def get(self, name: str) -> Entry[T]:
        load_plugins()
        if name not in self.entries:
            raise unknown(self.kind, name, self.entries)
        return self.entries[name]

    def names(self) -> list[str]:
        load_plugins()
        return sorted(self.entries)


ATTENTIONS: Registry[Attention] = Registry(
    "attention",
    Attention,  # type: ignore[type-abstract]  # only subclasses are made
    {"heads", "head_dim", "max_len", "dim"},
    needs={"support": Support, "check_also": tuple},
)


def _require_place(name: str, cls: type[Modifier]) -> None:
    """Raises UsageError where a class does not act as its base class is asked to."""
    for base in (Filter, OnValues, OnOutput, OnProjections):
        if issubclass(cls, base):
            if cls.acts_on != base.acts_on or (cls.stacks and base is not Filter):
                raise UsageError(
                    f"filter {name!r}: {base.__name__} acts on the {base.acts_on}"
                    f"{'' if base is Filter else ', where one stands alone'}; leave acts_on and "
                    "stacks as they are"
                )
            return
    raise UsageError(
        f"filter {name!r} must be a subclass of Filter, OnValues, OnOutput or OnProjections"
    )


FILTERS: Registry[Modifier] = Registry(
    "filter",
    Modifier,
    {"heads", "dim"},
    {"layers": Option(Layers, "all")},
    validate=_require_place,
    ends="+",
)


def register_attention(name: str) -> Callable[[type[C]], type[C]]:
    """Class decorator: makes an `Attention` available as `name` in every spec.

    The keyword parameters of its `__init__` beyond heads, head_dim and max_len (and dim, where it
    needs the layer's input), each annotated and with a default, are its options (`name:key=value`).
    Raises UsageError for a class that is no `Attention`, and for a name that is taken.

    >>> from attention_zoo import parse_spec
    >>> from attention_zoo.attentions.linear import Linear
    >>> @register_attention("sharp")
    ... class Sharp(Linear):
    ...     def __init__(self, by: float = 2.0, **sizes: int) -> None:
    ...         super().__init__(**sizes)
    ...         self.by = by
    ...
    ...     def operator(self, q, k, keep):
    ...         return super().operator(self.by * q, self.by * k, keep)
    ...
    ...     def reference(self, q, k, keep):
    ...         return super().reference(self.by * q, self.by * k, keep)
    >>> str(parse_spec("sharp:by=3+gfsa"))
    'sharp:by=3.0+gfsa'
    """
    return ATTENTIONS.register(name)


def register_mixer(name: str) -> Callable[[type[C]], type[C]]:
    """Class decorator: makes a `Mixer` available as `name` in every spec, beside the attentions,
    whose names it may not take; options as theirs, besides dim, max_len and heads.

    >>> import torch
    >>> from attention_zoo import Mixer, Support
    >>> @register_mixer("shift")
    ... class Shift(Mixer):
    ...     support = Support(paper="ours", time="N", memory="N", causal="always")
    ...
    ...     def mix(self, x, keep):
    ...         return torch.nn.functional.pad(x, (0, 0, 1, 0))[:, :-1]
    >>> "shift" in mixer_names()
    True
    """
    return ATTENTIONS.register(name, base=Mixer, given={"dim", "max_len", "heads"})


def register_filter(name: str) -> Callable[[type[C]], type[C]]:
    """Class decorator: makes a `Filter`, or a remedy (`OnValues`, `OnOutput`, `OnProjections`),
    available as `+name`; options as for attentions.

    >>> import torch
    >>> from attention_zoo import Filter
    >>> @register_filter("half")
    ... class Half(Filter):
    ...     def forward(self, operator, v):
    ...         return operator.polynomial([0.5, 0.5], v)
    ...
    ...     def reference(self, matrix, keep=None):
    ...         return (torch.eye(matrix.shape[-1]) + matrix) / 2
    >>> "half" in filters()
    True
    """
    return FILTERS.register(name)


def names() -> list[str]:
    """Every registered attention, sorted.

    >>> names()[:3]
    ['agf', 'bigbird', 'cosformer']
    """
    return [name for name in ATTENTIONS.names() if not is_mixer(name)]


def mixer_names() -> list[str]:
    """Every registered mixer, sorted: what takes a layer's place and is no attention.

    >>> "s4d" in mixer_names()
    True
    """
    return [name for name in ATTENTIONS.names() if is_mixer(name)]


def is_mixer(name: str) -> bool:
    return issubclass(ATTENTIONS.get(name).cls, Mixer)


def filters() -> list[str]:
    """Every registered filter and remedy, sorted.

    >>> "gfsa" in filters()
    True
    """
    return FILTERS.names()


_plugins_loaded = False


def load_plugins() -> None:
    """Imports, once, the attentions here, the packages beside this one, and what others offer under
    the entry-point group `attention_zoo`."""
    global _plugins_loaded
    if _plugins_loaded:
        return
    _plugins_loaded = True
    importlib.import_module("attention_zoo.attentions")
    importlib.import_module("attention_zoo.mixers")
    for sibling in SIBLINGS:
        if importlib.util.find_spec(sibling):
            load_plugin(sibling)
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        load_plugin(entry_point.value, entry_point.load)


def load_plugin(module: str, load: Callable[[], Any] | None = None) -> None:
    """Imports a module that registers attentions or filters; one clear error where it cannot."""
    load_plugins()  # first, so that a name of ours is taken
    import_plugin(module, load)
