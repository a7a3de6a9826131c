"""Tables from run records alone."""

from collections.abc import Iterable, Sequence

import pandas as pd

from attention_zoo import parse_spec
from lra.measure.variant import Measurement
from lra.results.record import Record

NONE = "–"


def comparable(record: Record) -> tuple:
    """Records that agree in this may stand in one table: accuracy, time and memory alike."""
    environment = record.environment
    return (
        record.task,
        record.protocol,
        record.data.fingerprint,
        record.precision,
        environment.device,
        environment.threads,
        environment.versions.get("torch"),
    )


def groups(records: Iterable[Record]) -> list[list[Record]]:
    """Records by what is comparable, in the order in which each group first appears."""
    found: dict[tuple, list[Record]] = {}
    for record in records:
        found.setdefault(comparable(record), []).append(record)
    return list(found.values())


def table(records: Sequence[Record]) -> pd.DataFrame:
    """A row per attention of one comparable group: mean ± sample std over seeds, medians over
    seeds of what was measured; Δ over the seeds that an attention shares with its base."""
    by_attention: dict[str, dict[int, Record]] = {}
    for record in sorted(records, key=lambda record: record.finished):
        by_attention.setdefault(record.attention, {})[record.seed] = record
    names = sorted(by_attention, key=lambda name: (parse_spec(name).attention.name, name))
    return pd.DataFrame([_row(name, by_attention) for name in names])


def _row(name: str, by_attention: dict[str, dict[int, Record]]) -> dict[str, object]:
    runs = by_attention[name]
    accuracy = pd.Series({seed: 100 * run.test.accuracy for seed, run in runs.items()})
    costs = pd.DataFrame([_costs(run.measurement) for run in runs.values()])
    base = parse_spec(name).base
    paired = by_attention.get(str(base), {}) if base else {}
    shared = [seed for seed in runs if seed in paired]
    deltas = [accuracy[seed] - 100 * paired[seed].test.accuracy for seed in shared]
    spread = f" ± {accuracy.std():.1f}" if len(accuracy) > 1 else ""
    return {
        "attention": name,
        "n": len(runs),
        "test accuracy %": f"{accuracy.mean():.1f}{spread}",
        "Δ over base": f"{sum(deltas) / len(deltas):+.1f} (n={len(deltas)})" if deltas else NONE,
        **{column: _number(costs[column].median()) for column in costs},
    }


def cost_row(measurement: Measurement) -> dict[str, str]:
    """A measurement as the cost columns of a table."""
    return {column: _number(value) for column, value in _costs(measurement).items()}


def _costs(measured: Measurement) -> dict[str, float]:
    return {
        "step ms": measured.training_step.median_ms,
        "forward ms": measured.forward.median_ms,
        "examples/s": measured.examples_per_second,
        "s/1,000 steps": measured.seconds_per_1000_steps,
        **{f"{LABELS.get(kind, kind)} MB": size / 1e6 for kind, size in measured.memory.items()},
        "GFLOP/step": measured.training_flops / 1e9,
        "parameters": measured.parameters,
        "over softmax %": measured.over_softmax,
    }


LABELS = {
    "cpu_allocator_peak": "allocator peak",
    "process_rss_peak": "process RSS peak",
    "cuda_allocated_peak": "GPU peak",
    "cuda_reserved_peak": "GPU reserved",
}


def _number(value: float) -> str:
    """Three significant digits, whole numbers whole."""
    if pd.isna(value):
        return NONE
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def caption(records: Sequence[Record]) -> list[str]:
    """What stands with a table: protocol, data, trivial rules, machine and versions."""
    first = records[0]
    protocol, environment = first.protocol, first.environment
    modified = {key: value for record in records for key, value in record.modified.items()}
    changes = ", ".join(f"{key}={value}" for key, value in modified.items())
    trivial = ", ".join(f"{name} {100 * x:.1f} %" for name, x in first.data.baselines.items())
    commits = sorted({record.environment.commit or "no commit" for record in records})
    n = first.test.count
    lines = [
        f"{first.task}, protocol {protocol.name}{f' modified ({changes})' if changes else ''}: "
        f"{protocol.comparable}.",
        f"Data: {first.data.source}, fingerprint {first.data.fingerprint}, {n:,} test examples "
        f"(binomial standard error {50 / n**0.5:.1f} points at most). Without reading more: "
        f"{trivial}.",
        f"Cost: median training step and forward pass, batch {first.measurement.batch}, "
        f"N = {first.measurement.length:,}, {first.precision}; memory of one training step.",
        f"Machine: {environment.device}, {environment.threads} threads, "
        f"torch {environment.versions.get('torch')}, Python {environment.python}; "
        f"commit {', '.join(commit[:12] for commit in commits)}.",
    ]
    return lines


def render(records: Iterable[Record], style: str) -> str:
    """Every comparable group as GitHub Markdown with its caption, or all as one CSV."""
    parts = groups(records)
    if style == "csv":
        frames = [
            table(part).assign(
                task=part[0].task,
                protocol=part[0].protocol.name,
                modified=";".join(f"{k}={v}" for k, v in part[0].modified.items()),
                data=part[0].data.fingerprint,
                machine=part[0].environment.device,
                **{name: f"{100 * x:.1f}" for name, x in part[0].data.baselines.items()},
            )
            for part in parts
        ]
        return pd.concat(frames).to_csv(index=False)
    blocks = []
    for part in parts:
        body = table(part).to_markdown(index=False, tablefmt="github", disable_numparse=True)
        blocks.append("\n".join([body, "", *caption(part)]))
    return "\n\n".join(blocks) + "\n"
