"""What a person sees of the runs: bars on a terminal, lines elsewhere."""

import sys

from tqdm import tqdm

from lra.grid.jobs import Run
from lra.training.report import duration

LAYOUT = "{desc}: {percentage:3.0f}% {bar} {n}/{total} [{elapsed}{postfix}]"


class Overview:
    """A bar for each run that trains, with loss, accuracy, step time and time left, and one line
    for all of them where there are several. Off a terminal, a line at each validation and end."""

    def __init__(self, runs: list[Run], jobs: int) -> None:
        self.runs, self.jobs = runs, jobs
        self.bars: dict[Run, tqdm] = {}
        self.last = ""
        self.terminal = sys.stderr.isatty()
        self.summary: tqdm | None = None

    def __enter__(self) -> "Overview":
        if self.terminal and len(self.runs) > 1:
            self.summary = tqdm(bar_format="{desc}", position=0, leave=False)
            self.refresh()
        return self

    def __exit__(self, *error: object) -> None:
        for bar in (*self.bars.values(), self.summary):
            if bar is not None:
                bar.close()

    def say(self, line: str, run: Run | None = None) -> None:
        """A line above the bars; the same one twice in a row is said once."""
        line = f"{run.title}: {line}" if run else line
        if line != self.last:
            self.last = line
            tqdm.write(line, file=sys.stderr)
            sys.stderr.flush()

    def progress(self, run: Run) -> None:
        report = run.report
        left = "" if report.left is None else duration(report.left)
        if self.terminal:
            bar = self.bars.get(run)
            if bar is None:
                position = run.slot + (self.summary is not None)
                bar = self.bars[run] = tqdm(
                    total=report.steps, desc=run.title, bar_format=LAYOUT, position=position
                )
            bar.n = report.step
            bar.set_postfix(report.shown | ({"left": left} if left else {}))
            self.refresh()
        elif report.validated:
            shown = ", ".join(f"{name} {value}" for name, value in report.shown.items())
            self.say(f"{report.step}/{report.steps} steps, {shown}, {left} left", run)

    def ended(self, run: Run) -> None:
        if run in self.bars:
            self.bars.pop(run).close()
        self.say(run.state + (f", {run.reason}" if run.reason else ""), run)
        if len(self.runs) > 1 and not self.terminal:
            self.say(self.counts())
        self.refresh()

    def refresh(self) -> None:
        if self.summary is not None:
            self.summary.set_description_str(self.counts())

    def counts(self) -> str:
        """How many runs are in which state, and for how long the rest will take."""
        states = [run.state for run in self.runs]
        shown = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        left = self.time_left()
        return f"{len(states)} runs: {shown}" + (f"; about {duration(left)} left" if left else "")

    def time_left(self) -> float | None:
        """Seconds, from the runs that have ended or report; None before there is one."""
        told = [run for run in self.runs if run.state == "running" and run.report]
        left = {run: run.report.left for run in told if run.report.left is not None}
        known = [run.elapsed() + more for run, more in left.items()]
        known += [run.seconds for run in self.runs if run.state == "done" and run.seconds]
        if not known:
            return None
        waiting = sum(run.state == "waiting" for run in self.runs)
        return (sum(left.values()) + waiting * sum(known) / len(known)) / self.jobs
