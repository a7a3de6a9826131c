"""All that is on record of one run, in words: `results show` and the report's page of a run."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attention_zoo.options import spell
from lra.protocols.overrides import SECTIONS
from lra.results.comparable import Recorded
from lra.results.numbers import figure
from lra.results.record import FilterWeights, Record, learned
from lra.results.summary import Summary
from lra.results.tables.cost import COSTS, Cost
from lra.training.evaluation import Evaluation

Section = dict[str, str]


def sections(record: Recorded) -> dict[str, Section]:
    """Names and texts, by section."""
    found = {"run": about(record), "result": result(record)}
    if isinstance(record, Record):
        found["cost of a step"] = cost(record)
    environment = vars(record.environment)
    shares = {rule: f"{100 * share:.1f} %" for rule, share in record.data.baselines.items()}
    return found | {
        "protocol": protocol_of(record),
        "data": spelled(vars(record.data) | {"baselines": listed(shares)}),
        "environment": spelled(environment | {"versions": listed(environment["versions"])}),
    }


def spelled(values: Mapping[str, Any]) -> Section:
    return {key: value if isinstance(value, str) else spell(value) for key, value in values.items()}


def listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items()) or "none"


def about(record: Recorded) -> Section:
    names = ("identity", "task", "attention", "seed", "precision", "accelerator", "finished")
    asked, had = record.protocol.model.attention_dropout, record.attention_dropout
    unlike = f" (not {asked:g}: this attention does not support it)" * (asked != had)
    more = {"micro-batch": record.micro_batch, "attention dropout": f"{had:g}{unlike}"}
    return spelled({name: getattr(record, name) for name in names} | more)


def result(record: Recorded) -> Section:
    if not isinstance(record, Record):
        return {"failed": record.kind, "reason": record.reason}
    training = record.training
    return {
        "test": figures(record.test) + ("" if learned(record) else ", did not learn"),
        "validation": figures(record.val),
        "weights": f"of step {training.best_step:,}, sha256 {training.checkpoint or 'not kept'}",
        "training": f"{training.seconds:,.1f} s, begun {training.started or 'not kept'}",
        **{
            f"part {i}": f"from step {part.start:,}, {part.devices} × {part.device}, "
            f"{part.threads} threads, torch {part.torch}, commit {part.commit or 'unknown'}"
            for i, part in enumerate(training.parts, start=1)
        },
    }


def figures(found: Evaluation) -> str:
    return (
        f"{100 * found.accuracy:.2f} % (standard error {100 * found.standard_error:.2f}), "
        f"loss {found.loss:.4f}, {found.count:,} examples"
    )


def cost(record: Record) -> Section:
    """As the table of costs has it."""
    measured = record.measurement
    if measured is None:
        return {"measured": "no, by --no-measure"}
    row = Cost(None, Summary(record.attention, [record]))
    cells = {column.header: column.cell(row) for column in COSTS if column.shown}
    return {
        "batch": f"{measured.batch} of N = {measured.length:,}",
        **{name: cell.text for name, cell in cells.items() if cell.value is not None},
        **({f"step over {ratio.base}'s": str(ratio)} if (ratio := measured.ratio) else {}),
        "GFLOP forward": figure(measured.forward_flops / 1e9),
        "kernels": ", ".join(measured.kernels),
    }


def protocol_of(record: Recorded) -> Section:
    """Every setting by the name that --set knows, those that left the protocol marked."""
    protocol = record.protocol
    named = {
        f"{section}.{key}": value
        for section in SECTIONS
        for key, value in vars(getattr(protocol, section)).items()
    }
    return {
        "name": protocol.name,
        "from": protocol.source,
        "comparable": protocol.comparable,
        **{
            f"deviation {i}": " ".join(filter(None, (one.text, one.restore)))
            for i, one in enumerate(protocol.deviations, start=1)
        },
        **{
            name: spell(value) + "  (left the protocol)" * (name in record.modified)
            for name, value in named.items()
        },
    }


def filter_rows(weights: FilterWeights) -> list[dict[str, str | float]]:
    """A row for each entry of a filter's parameters."""
    return [
        {"layer": i, "filter": j, "weight": name, "entry": k, "initial": old, "learned": new}
        | {"change": new - old}
        for i, layer in enumerate(zip(weights.initial, weights.learned, strict=True), start=1)
        for j, (before, after) in enumerate(zip(*layer, strict=True), start=1)
        for name in after
        for k, (old, new) in enumerate(
            zip(*map(entries, (before[name], after[name])), strict=True), 1
        )
    ]


def entries(weights: Any) -> list[float]:
    """In their order. null in a record is a number that is not finite."""
    return np.array(weights, dtype=float).ravel().tolist()
