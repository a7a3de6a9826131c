"""One run's record as people read it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from attention_zoo.options import spell
from lra.measure.timing import Timing
from lra.results.comparable import Recorded
from lra.results.curves import COLUMNS, read_curve
from lra.results.record import Record, learned
from lra.training.evaluation import Evaluation

LAST = 5  # rows of the curve


def shown_json(record: Recorded) -> str:
    return json.dumps(asdict(record), indent=1, ensure_ascii=False, allow_nan=False)


def shown(folder: Path, record: Recorded) -> str:
    """Sections of `name: value`, then the filters' weights and the end of the learning curve."""
    sections = [("run", about(folder, record)), ("result", result(record))]
    if isinstance(record, Record):
        sections.append(("cost of a step", cost(record)))
    sections += [
        ("protocol", protocol_of(record)),
        ("data", vars(record.data) | {"baselines": shares(record.data.baselines)}),
        ("environment", vars(record.environment) | versions(record)),
    ]
    lines = [line for title, values in sections for line in section(title, values)]
    if isinstance(record, Record):
        lines += [*filter_weights(record), *curve(folder)]
    return "\n".join([*lines, "repeat it with", f"  {record.command}"])


def section(title: str, values: dict[str, Any]) -> Iterator[str]:
    yield title
    width = max(map(len, values))
    for name, value in values.items():
        yield f"  {name:<{width}}  {value if isinstance(value, str) else spell(value)}"
    yield ""


def about(folder: Path, record: Recorded) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "identity": record.identity,
        "task": record.task,
        "attention": record.attention,
        "seed": record.seed,
        "precision": record.precision,
        "accelerator": record.accelerator,
        "micro-batch": record.micro_batch,
        "finished": record.finished,
    }


def result(record: Recorded) -> dict[str, Any]:
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


def accuracy(record: Record) -> str:
    return f"{100 * record.test.accuracy:.1f} %"


def figures(found: Evaluation) -> str:
    return (
        f"{100 * found.accuracy:.2f} % (standard error {100 * found.standard_error:.2f}), "
        f"loss {found.loss:.4f}, {found.count:,} examples"
    )


def cost(record: Record) -> dict[str, Any]:
    measured = record.measurement
    return {
        "batch": f"{measured.batch} of N = {measured.length:,}",
        "training step": milliseconds(measured.training_step),
        "forward pass": milliseconds(measured.forward),
        "examples/s": f"{measured.examples_per_second:,.1f}",
        **{kind: f"{size / 1e6:,.1f} MB" for kind, size in measured.memory.items()},
        "FLOPs": f"{measured.training_flops:.3g} a training step, {measured.forward_flops:.3g} a "
        "forward pass",
        "parameters": f"{measured.parameters:,}, {measured.over_softmax:+.1f} % of softmax's",
        "kernels": ", ".join(measured.kernels),
    }


def milliseconds(timing: Timing) -> str:
    return (
        f"{timing.median_ms:,.2f} ms (p20 {timing.p20_ms:,.2f}, p80 {timing.p80_ms:,.2f}, "
        f"n {timing.n})"
    )


def protocol_of(record: Recorded) -> dict[str, Any]:
    """Every setting by the name that --set knows, those that left the protocol marked."""
    protocol = record.protocol
    sections = {name: vars(getattr(protocol, name)) for name in ("task", "model", "training")}
    named = {f"{name}.{key}": v for name, values in sections.items() for key, v in values.items()}
    return {
        "name": protocol.name,
        "from": protocol.source,
        "comparable": protocol.comparable,
        **{f"deviation {i}": d.text for i, d in enumerate(protocol.deviations, start=1)},
        **{
            name: spell(value) + "  (left the protocol)" * (name in record.modified)
            for name, value in named.items()
        },
    }


def shares(baselines: dict[str, float]) -> str:
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in baselines.items()) or "none"


def versions(record: Recorded) -> dict[str, Any]:
    return {"versions": ", ".join(f"{k} {v}" for k, v in record.environment.versions.items())}


def filter_weights(record: Record) -> Iterator[str]:
    """initial → learned, by head."""
    if not any(record.gfsa.learned):
        return
    yield "filters, by layer and head"
    layers = zip(record.gfsa.initial, record.gfsa.learned, strict=True)
    for layer, (initial, learned_) in enumerate(layers, start=1):
        for i, (before, after) in enumerate(zip(initial, learned_, strict=True), start=1):
            which = f"layer {layer}" + f", filter {i}" * (len(learned_) > 1)
            for name in after:
                pairs = zip(before[name], after[name], strict=True)
                heads = ", ".join(f"{a:.4g} → {b:.4g}" for a, b in pairs)
                yield f"  {which}  {name}  {heads}"
    yield ""


def curve(folder: Path) -> Iterator[str]:
    found = read_curve(folder)
    yield "learning curve"
    if found.missing:
        yield f"  none: {found.missing}"
    else:
        yield "  " + "  ".join(f"{name:>14}" for name in COLUMNS)
        for point in found.points[-LAST:]:
            cells = ["" if value is None else f"{value:.6g}" for value in vars(point).values()]
            yield "  " + "  ".join(f"{cell:>14}" for cell in cells)
    yield ""
