"""Attentions on record that differ in one option alone."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from attention_zoo import Spec, UsageError, parse_spec
from attention_zoo.errors import unknown
from attention_zoo.options import Option, spell
from attention_zoo.registry import ATTENTIONS, FILTERS
from attention_zoo.spec import Part, base_of
from lra.results.captions import by_conditions
from lra.results.comparable import Recorded
from lra.results.summary import Group, Summary, accuracy_groups, cost_groups

MODE = "mode"  # of a filter: its forms stand side by side at each value of its other options
Value = Hashable  # of an option: a number, a word, a set of layers, …


@dataclass
class Sweep:
    """Attentions of one group that differ in an option and, where a filter has one, in its mode.

    group: of the runs on all machines. costs: those of each machine where any was measured.
    filter: the name of that which has the option; for an attention's option, of the last that has a
    mode; None for none. attentions: by the option's value and by that filter's mode, "" where it
    has none. forms: by mode, the attention without the option.
    """

    option: str
    group: Group
    costs: Sequence[Group] = ()
    filter: str | None = None
    attentions: dict[Value, dict[str, str]] = field(default_factory=dict)
    forms: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What all have in common."""
        return min(self.forms.values(), key=len)

    @property
    def values(self) -> list[Value]:
        return sorted(self.attentions, key=_order)

    @property
    def numeric(self) -> bool:
        return all(map(is_number, self.attentions))

    @property
    def modes(self) -> list[str]:
        """The paper's form first."""
        return sorted(self.forms, reverse=True)

    @property
    def compares(self) -> bool:
        """Whether any of its forms is there at two values."""
        counts = Counter(mode for by_mode in self.attentions.values() for mode in by_mode)
        return max(counts.values()) > 1

    @property
    def names(self) -> list[str]:
        return [name for by_mode in self.attentions.values() for name in by_mode.values()]

    @property
    def base(self) -> Summary | None:
        """What all are without their last filter, where it is in the group."""
        bases = {base_of(name) for name in self.names}
        return self.group.attentions.get(bases.pop() or "") if len(bases) == 1 else None


def sweeps(option: str, records: Iterable[Recorded]) -> list[Sweep]:
    """One for each group and each set of attentions with two values of the option or more.

    The option is that of the last filter that has it, else that of the attention. Raises UsageError
    with what there is where no attention on record has it, or none at two values.
    """
    records = list(records)
    specs = {name: parse_spec(name) for name in sorted({one.attention for one in records})}
    costs: dict[tuple, list[Group]] = {}
    for cost in cost_groups(records):
        costs.setdefault((cost.conditions, cost.column), []).append(cost)
    found = [
        sweep
        for groups in by_conditions(accuracy_groups(records))
        for group in groups
        for sweep in _sweeps(option, specs, group, costs[group.conditions, group.column])
    ]
    several = [sweep for sweep in found if sweep.compares]
    if not several:
        raise _nothing(option, found, specs)
    return several


def _sweeps(
    option: str, specs: Mapping[str, Spec], group: Group, costs: Sequence[Group]
) -> list[Sweep]:
    found: dict[Spec, Sweep] = {}
    for name in group.attentions:
        if (read := _without(specs[name], option)) is None:
            continue
        value, form, place = read
        mode, rest = "", form
        if option != MODE and (beside := _without(form, MODE, place)):
            mode, rest, place = str(beside[0]), *beside[1:]
        of = specs[name].filters[place - 1].name if place else None
        sweep = found.setdefault(rest, Sweep(option, group, filter=of))
        sweep.attentions.setdefault(value, {})[mode] = name
        sweep.forms[mode] = str(form)
    for sweep in found.values():
        names = set(sweep.names)
        sweep.costs = [
            cost
            for cost in costs
            if any(one.measured for name, one in cost.attentions.items() if name in names)
        ]
    return list(found.values())


def _without(spec: Spec, option: str, only: int = 0) -> tuple[Value, Spec, int] | None:
    """The value of an option, the spec that leaves it out, and which part has it, 0 for the
    attention; None where no part has it. only: the filter to look at, 0 for all parts."""
    parts = [spec.attention, *spec.filters]
    for place in [only] if only else reversed(range(len(parts))):
        options = options_of(parts[place], filtered=place > 0)
        if option in options:
            given = dict(parts[place].options)
            value = given.pop(option, options[option].default)
            parts[place] = Part(parts[place].name, tuple(given.items()))
            return value, Spec(parts[0], tuple(parts[1:])), place
    return None


def options_of(part: Part, *, filtered: bool) -> dict[str, Option]:
    return (FILTERS if filtered else ATTENTIONS).get(part.name).options


def is_number(value: Value) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _order(value: Value) -> tuple[bool, float, str]:
    return not is_number(value), float(value) if is_number(value) else 0.0, spell(value)


def _nothing(option: str, found: Sequence[Sweep], specs: Mapping[str, Spec]) -> UsageError:
    if not found:
        known = {
            name
            for spec in specs.values()
            for i, part in enumerate((spec.attention, *spec.filters))
            for name in options_of(part, filtered=i > 0)
        }
        return unknown("option of the attentions on record", option, known)
    values = sorted({value for sweep in found for value in sweep.attentions}, key=_order)
    return UsageError(
        f"no two attentions on record differ in {option} alone, which is "
        f"{', '.join(map(spell, values))}; run some with --attn, "
        f"{option}={{a,b}} in the spec"
    )
