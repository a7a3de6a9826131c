"""Tables from run records alone."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from attention_zoo.spec import base_of
from lra.measure.variant import Measurement
from lra.protocols import Protocol
from lra.results.record import Failure, Record, learned
from lra.system.files import fingerprint
from lra.tasks import get_task

NONE = "–"


def comparable(record: Record | Failure) -> tuple:
    """Records that agree in this may stand in one table: accuracy, time and memory alike."""
    environment = record.environment
    return (
        record.task,
        fingerprint(record.protocol.settings),
        record.data.fingerprint,
        record.precision,
        record.micro_batch,
        environment.device,
        environment.threads,
        environment.versions.get("torch"),
    )


def groups(records: Iterable[Record | Failure]) -> list[list[Record | Failure]]:
    """Records by what is comparable, in the order in which each group first appears."""
    found: dict[tuple, list[Record | Failure]] = {}
    for record in records:
        found.setdefault(comparable(record), []).append(record)
    return list(found.values())


def table(records: Sequence[Record | Failure]) -> pd.DataFrame:
    """A row per attention of one comparable group, then one per trivial rule, in numbers.

    Accuracy in percent: mean and sample standard deviation over seeds; s.e.: the binomial standard
    error of one run of that accuracy; learned: the runs that are better than a constant answer; Δ
    over the seeds that an attention shares with its base. Costs: medians over seeds. What is
    missing is missing; runs that failed are counted, by kind, and enter no figure.
    """
    by_attention: dict[str, dict[int, Record]] = {record.attention: {} for record in records}
    failed: dict[str, list[str]] = {}
    rules: dict[str, float] = {}
    for record in sorted(records, key=lambda record: record.finished):
        if isinstance(record, Failure):
            failed.setdefault(record.attention, []).append(record.kind)
        else:
            by_attention[record.attention][record.seed] = record
            rules = record.data.baselines
    rows = [
        _row(name, by_attention, failed.get(name, []) if failed else None)
        for name in sorted(by_attention)
    ]
    rows += [{"attention": f"({rule})", "accuracy": 100 * share} for rule, share in rules.items()]
    return pd.DataFrame(rows)


def _row(
    name: str, by_attention: dict[str, dict[int, Record]], failed: list[str] | None
) -> dict[str, object]:
    """failed: how its other runs ended, None where no row has any."""
    runs = by_attention[name]
    counts = [f"{failed.count(kind)} {kind}" for kind in dict.fromkeys(failed or ())]
    accuracy = pd.Series({seed: 100 * run.test.accuracy for seed, run in runs.items()}, dtype=float)
    paired = by_attention.get(base_of(name), {})
    delta = pd.Series(
        [accuracy[seed] - 100 * paired[seed].test.accuracy for seed in runs if seed in paired],
        dtype=float,
    )
    costs = pd.DataFrame([cost_columns(run.measurement) for run in runs.values()])
    return {
        "attention": name,
        "n": len(runs),
        **({} if failed is None else {"failed": ", ".join(counts) or None}),
        "accuracy": accuracy.mean(),
        "std": accuracy.std(),
        "s.e.": binomial_error(accuracy.mean(), runs),
        "learned": f"{sum(map(learned, runs.values()))} of {len(runs)}" if runs else None,
        "delta": delta.mean(),
        "delta n": len(delta),
        **costs.median(),
    }


def binomial_error(percent: float, runs: dict[int, Record]) -> float | None:
    """√(p(1 − p) / n), in points, of a test split of n examples."""
    if not runs:
        return None
    n = next(iter(runs.values())).test.count
    return (percent * (100 - percent) / n) ** 0.5


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
            means = frame[column].map(lambda mean: NONE if pd.isna(mean) else f"{mean:.1f}")
            shown["test accuracy %"] = means + spreads
        elif column == "s.e.":
            shown[column] = frame[column].map(lambda e: NONE if pd.isna(e) else f"{e:.1f}")
        elif column == "delta":
            shown["Δ over base"] = [
                NONE if pd.isna(delta) else f"{delta:+.1f} (n={n:.0f})"
                for delta, n in zip(frame[column], frame["delta n"], strict=True)
            ]
        elif column == "over softmax %":
            shown[column] = frame[column].map(
                lambda more: _cell(more) + " (LRA allows 10)" * (more > 10)
            )
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
    """Task, data and protocol, where it was left, and what its results may be compared with."""
    changes = ", ".join(f"{key}={value}" for key, value in modified.items())
    left = f" modified ({changes})" if changes else ""
    source = protocol.task.source
    return f"{task}, {source} data, protocol {protocol.name}{left}: {comparable_with(protocol)}."


def comparable_with(protocol: Protocol) -> str:
    if protocol.task.source == "sample":
        return "not comparable with LRA: made-up data in the official format"
    return protocol.comparable


def caption(records: Sequence[Record | Failure]) -> list[str]:
    """What stands with a table: protocol, data, trivial rules, machine and versions."""
    first = next((record for record in records if isinstance(record, Record)), records[0])
    protocol, environment = first.protocol, first.environment
    commits = sorted({short(record.environment.commit) for record in records})
    data = f"Data: {first.data.source}, fingerprint {first.data.fingerprint}"
    lines = [heading(first.task, protocol, first.modified)]
    if isinstance(first, Record):
        chance = get_task(first.task).metadata.chance
        lines += [
            f"{data}, {first.test.count:,} test examples; chance {100 * chance:.0f} %. s.e.: "
            "binomial. Learned: two s.e. above chance and the majority class. In brackets: rules "
            "that read one token or none.",
            "Cost: median training step and forward pass, batch "
            f"{batch_of(protocol, first.micro_batch)}, N = {protocol.task.max_len:,}, "
            f"{first.precision}; memory of one training step.",
        ]
    else:
        lines += [f"{data}. No run has ended with a result."]
    return [
        *lines,
        f"Machine: {environment.device}, {environment.threads} threads, "
        f"torch {environment.versions.get('torch')}, Python {environment.python}; "
        f"commit {', '.join(commits)}.",
    ]


def batch_of(protocol: Protocol, micro: int | None) -> str:
    """The batch, and the parts in which it went through the model."""
    return str(protocol.training.batch) + (f" in parts of {micro}" if micro else "")


def short(commit: str | None) -> str:
    return "unknown" if commit is None else commit[:12] + "+" * commit.endswith("+")


def render(records: Iterable[Record | Failure], style: str) -> str:
    """Every comparable group as GitHub Markdown with its caption, or all as one CSV."""
    parts = groups(records)
    if style == "csv":
        frames = [
            table(part).assign(
                task=part[0].task,
                protocol=part[0].protocol.name,
                modified=";".join(f"{k}={v}" for k, v in part[0].modified.items()),
                source=part[0].data.source,
                data=part[0].data.fingerprint,
                comparable=comparable_with(part[0].protocol),
                machine=part[0].environment.device,
                threads=part[0].environment.threads,
                torch=part[0].environment.versions.get("torch"),
                precision=part[0].precision,
                micro_batch=part[0].micro_batch,
            )
            for part in parts
        ]
        return pd.concat(frames).to_csv(index=False)
    blocks = []
    for part in parts:
        body = presented(table(part))
        blocks.append("\n".join([body, "", *caption(part)]))
    return "\n\n".join(blocks) + "\n"
