"""Tables from run records alone."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from attention_zoo.spec import base_of
from lra.files import fingerprint
from lra.measure.variant import Measurement
from lra.protocols import Protocol
from lra.results.record import Record

NONE = "–"


def comparable(record: Record) -> tuple:
    """Records that agree in this may stand in one table: accuracy, time and memory alike."""
    environment = record.environment
    return (
        record.task,
        fingerprint(record.protocol.settings),
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
    """A row per attention of one comparable group, then one per trivial rule, in numbers.

    Accuracy in percent: mean and sample standard deviation over seeds; Δ over the seeds that an
    attention shares with its base. Costs: medians over seeds. What is missing is missing.
    """
    by_attention: dict[str, dict[int, Record]] = {}
    for record in sorted(records, key=lambda record: record.finished):
        by_attention.setdefault(record.attention, {})[record.seed] = record
    rules = [
        {"attention": f"({rule})", "accuracy": 100 * accuracy}
        for rule, accuracy in records[0].data.baselines.items()
    ]
    return pd.DataFrame([*(_row(name, by_attention) for name in sorted(by_attention)), *rules])


def _row(name: str, by_attention: dict[str, dict[int, Record]]) -> dict[str, object]:
    runs = by_attention[name]
    accuracy = pd.Series({seed: 100 * run.test.accuracy for seed, run in runs.items()})
    paired = by_attention.get(base_of(name), {})
    delta = pd.Series(
        [accuracy[seed] - 100 * paired[seed].test.accuracy for seed in runs if seed in paired],
        dtype=float,
    )
    costs = pd.DataFrame([cost_columns(run.measurement) for run in runs.values()])
    return {
        "attention": name,
        "n": len(runs),
        "accuracy": accuracy.mean(),
        "std": accuracy.std(),
        "delta": delta.mean(),
        "delta n": len(delta),
        **costs.median(),
    }


def cost_columns(measured: Measurement) -> dict[str, float]:
    """A measurement as the cost columns of a table."""
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


def presented(frame: pd.DataFrame) -> str:
    """A frame of `table`, or of cost columns alone, as people read it, in GitHub Markdown."""
    shown = pd.DataFrame(index=frame.index)
    for column in frame:
        if column == "accuracy":
            spreads = frame["std"].map(lambda std: "" if pd.isna(std) else f" ± {std:.1f}")
            shown["test accuracy %"] = frame[column].map("{:.1f}".format) + spreads
        elif column == "delta":
            shown["Δ over base"] = [
                NONE if pd.isna(delta) else f"{delta:+.1f} (n={n:.0f})"
                for delta, n in zip(frame[column], frame["delta n"], strict=True)
            ]
        elif column not in ("std", "delta n"):
            shown[column] = frame[column].map(_cell)
    return shown.to_markdown(index=False, tablefmt="github", disable_numparse=True)


def _cell(value: object) -> str:
    """Text as it is, numbers to three significant digits, whole numbers whole."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return NONE
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


def heading(task: str, protocol: Protocol, modified: dict[str, Any]) -> str:
    """Task and protocol, where it was left, and what its results may be compared with."""
    changes = ", ".join(f"{key}={value}" for key, value in modified.items())
    left = f" modified ({changes})" if changes else ""
    return f"{task}, protocol {protocol.name}{left}: {protocol.comparable}."


def caption(records: Sequence[Record]) -> list[str]:
    """What stands with a table: protocol, data, trivial rules, machine and versions."""
    first = records[0]
    protocol, environment = first.protocol, first.environment
    commits = sorted({record.environment.commit or "no commit" for record in records})
    n = first.test.count
    return [
        heading(first.task, protocol, first.modified),
        f"Data: {first.data.source}, fingerprint {first.data.fingerprint}, {n:,} test examples "
        f"(binomial standard error {50 / n**0.5:.1f} points at most). In brackets: rules that "
        "read one token or none.",
        f"Cost: median training step and forward pass, batch {first.measurement.batch}, "
        f"N = {first.measurement.length:,}, {first.precision}; memory of one "
        "training step.",
        f"Machine: {environment.device}, {environment.threads} threads, "
        f"torch {environment.versions.get('torch')}, Python {environment.python}; "
        f"commit {', '.join(commit[:12] for commit in commits)}.",
    ]


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
                comparable=part[0].protocol.comparable,
                machine=part[0].environment.device,
                threads=part[0].environment.threads,
                torch=part[0].environment.versions.get("torch"),
                precision=part[0].precision,
            )
            for part in parts
        ]
        return pd.concat(frames).to_csv(index=False)
    blocks = []
    for part in parts:
        body = presented(table(part))
        blocks.append("\n".join([body, "", *caption(part)]))
    return "\n\n".join(blocks) + "\n"
