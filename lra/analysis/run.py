"""The analysis of one finished run, from its checkpoint."""

import shlex
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from attention_zoo import Filter, UsageError
from attention_zoo.build import FilteredAttention
from attention_zoo.errors import one_line
from attention_zoo.layer import SelfAttention
from gfsa.analysis import Observation, head_maps, observe, states
from gfsa.analysis.dominance import ASSUMPTIONS
from lra.analysis.depth import Smoothness, depth_of, smoothness
from lra.analysis.sequence import Measured, measure, operators_of, rank_of
from lra.analysis.subset import SEED, Chosen, choose
from lra.analysis.summary import filter_states, head_of, mean, ranks_of
from lra.analysis.swap import output_changes, swap, swappable
from lra.evaluate import Finished, open_run
from lra.failures import OutOfMemory, memory_errors
from lra.results.analysis import FREQUENCIES, SCHEMA, Analysis, Layer, Subset, Swap
from lra.run.describe import now, with_plugins
from lra.system.environment import environment
from lra.training.fit import padding

Say = Callable[[str], None]
PRECISION = "model float32, spectra float64"
LONG = 1_000  # tokens from which on an Ā that is written down takes many seconds


class Watched:
    """One attention layer, and what was measured of each sequence that went through it."""

    def __init__(self, layer: SelfAttention) -> None:
        self.layer = layer
        attention = layer.attention
        filtered = isinstance(attention, FilteredAttention)
        self.filters: list[Filter] = list(attention.filters) if filtered else []
        self.maps = head_maps(layer)
        self.measured: list[Measured] = []
        self.changes: list[Tensor] = []
        self.operator, self.rank = "", None  # of the last sequence


def analyze(
    folder: Path,
    data_dir: Path,
    *,
    examples: int,
    length: int | None,
    test: bool,
    accelerator: str | None = None,
    plugins: tuple[str, ...] = (),
    say: Say = lambda line: None,
    progress: Say = lambda line: None,
) -> Analysis:
    """Looks at a run's model on a subset of its validation data.

    Args:
        folder: of the run
        examples: of the validation split
        length: tokens to which each sequence is cut, but for the accuracies of swaps
        test: whether swaps are evaluated on the test split, too
        accelerator: None for the one of the record
        say: is told what makes it slow, and of data that are made
        progress: is told what is done now

    Raises:
        UsageError: the run has no checkpoint, or no attention that gives its Ā in this memory
    """
    run = open_run(folder, data_dir, accelerator=accelerator, plugins=plugins, say=say)
    chosen = choose(run.store.splits["val"], examples, length)
    device = torch.device(run.config.accelerator)
    model = run.module.model.to(device).eval()
    layers = [Watched(one) for one in model.modules() if isinstance(one, SelfAttention)]
    if not layers:
        raise UsageError(f"{run.record.attention} has no Ā to analyze")
    with torch.no_grad():
        try:
            with memory_errors():
                depth, lengths = look(run, layers, chosen, device, say, progress)
                progress("accuracy with the other form")
                swaps = swaps_of(run, chosen, test)
        except OutOfMemory as error:
            raise OutOfMemory(f"{run.record.attention}: memory ran out: use --length") from error
        except (UsageError, torch.linalg.LinAlgError) as error:
            raise UsageError(f"{run.record.attention}: {one_line(error)}") from error
    return Analysis(
        schema=SCHEMA,
        identity=run.record.identity,
        checkpoint=run.record.training.checkpoint,
        task=run.record.task,
        attention=run.record.attention,
        seed=run.record.seed,
        finished=now(),
        command=command(folder, len(chosen), length, test, run.config.accelerator, plugins),
        precision=PRECISION,
        assumptions=ASSUMPTIONS,
        subset=Subset(
            split="val",
            seed=SEED,
            examples=len(chosen),
            sequences=len(lengths),
            length=length,
            tokens=sum(lengths),
            shortest=min(lengths),
            longest=max(lengths),
        ),
        frequencies=FREQUENCIES,
        layers=[layer_of(i, one, run) for i, one in enumerate(layers)],
        depth=[depth_of(blocks, of) for blocks, of in enumerate(depth)],
        swaps=swaps,
        environment=environment(device),
    )


def look(
    run: Finished,
    layers: list[Watched],
    chosen: Chosen,
    device: torch.device,
    say: Say,
    progress: Say,
) -> tuple[list[list[Smoothness]], list[int]]:
    """Puts each example through the model; how smooth the states are at each depth, and the tokens
    of each sequence."""
    model = run.module.model
    depth: list[list[Smoothness]] = [[] for _ in range(len(layers) + 1)]
    for i, (tokens, keep) in enumerate(chosen.one_by_one(padding(run.config)), start=1):
        progress(f"example {i} of {len(chosen)}")
        with observe(model) as seen, states(model.blocks) as through:
            model(tokens.to(device), keep.to(device))
        for into, of in zip(depth, through, strict=True):
            into += [found for one in of for found in smoothness(one)]
        for watched, observations in zip(layers, seen, strict=True):
            for one in observations:
                watched.operator, watched.rank = type(one.base).__name__, rank_of(one.base)
                if watched is layers[0] and i == 1 and (slow := slowness(one)):
                    say(f"{run.record.attention}: {slow}")
                for operator in operators_of(one):
                    watched.measured.append(measure(operator, one.filters, watched.maps))
                if swappable(watched.layer):
                    watched.changes += output_changes(watched.layer, one)
    lengths = [one.tokens for one in layers[0].measured]
    if not lengths:
        raise UsageError("the examples that were chosen have no tokens")
    return depth, lengths


def slowness(one: Observation) -> str | None:
    """What to know of an Ā that is written down and LONG."""
    N = one.x.shape[1]
    if rank_of(one.base) or N <= LONG:
        return None
    return f"the spectrum of an Ā of {N:,} tokens takes N³ operations; --length makes it less"


def layer_of(i: int, watched: Watched, run: Finished) -> Layer:
    weights, heads = run.record.filters, watched.layer.heads
    ranks = ranks_of(watched.measured)
    filters = filter_states(
        watched.filters, weights.initial, weights.learned, i, heads, watched.measured
    )
    return Layer(
        layer=i + 1,
        operator=watched.operator,
        rank=watched.rank,
        ranks=ranks,
        heads=[head_of(h, watched.measured, ranks, filters[h]) for h in range(heads)],
        output_change=mean(watched.changes) if watched.changes else None,
    )


def swaps_of(run: Finished, chosen: Chosen, test: bool) -> list[Swap]:
    """On whole sequences; none where no filter has two forms that differ."""
    model = run.module.model
    if not swappable(model):
        return []
    found = [swap(model, chosen.split, "val subset", run.config)]
    if test:
        found.append(swap(model, run.store.splits["test"], "test", run.config))
    return found


def command(
    folder: Path,
    examples: int,
    length: int | None,
    test: bool,
    accelerator: str,
    plugins: tuple[str, ...],
) -> str:
    words = ["python", "run_lra.py", "analyze", folder.resolve().name, "--examples", str(examples)]
    words += ["--length", str(length)] if length else []
    words += [] if test else ["--no-test"]
    return shlex.join([*words, "--accelerator", accelerator, *with_plugins(plugins)])
