"""`prepare`: reads, draws or verifies a task's data."""

import argparse
from typing import TYPE_CHECKING

from attention_zoo import UsageError
from lra.cli.common import say, table_of
from lra.cli.options import PROGRAM, Parser, add, require_settings
from lra.protocols import expand, get_protocol, override, with_source
from lra.system import interrupts
from lra.tasks import get_task

if TYPE_CHECKING:
    from lra.data.prepare import Source
    from lra.data.store import Store


def parser() -> Parser:
    made = Parser(
        f"{PROGRAM} prepare",
        "Makes a task's data from its official files, or draws them, or verifies what is there; "
        "says what is missing and where it is from.",
        require_settings,
    )
    add(made, "--task", required=True)
    add(made, "--protocol", "--source", "--set", "--plugin", "--data-dir")
    add(made.add_mutually_exclusive_group(), "--download", "--verify")
    add(made, "--workers")
    return made


@interrupts.obeyed()
def carry_out(options: argparse.Namespace) -> int:
    from lra.data.obtain import obtain
    from lra.data.prepare import prepare, verified
    from lra.grid.plan import decided

    asked = with_source(get_protocol(options.protocol, options.task), options.source)
    for settings in expand(options.set):
        protocol, modified = override(asked, settings)
        if not options.verify:
            obtain(get_task(options.task), protocol.task, options.data_dir, options.download, say)
        _, source = decided(protocol, options.task, options.data_dir, modified)
        if options.verify:
            if not source.path.exists():
                raise UsageError(f"nothing is prepared: {source.path} does not exist")
            print_store(verified(source), source)
        else:
            print_store(prepare(source, say, options.workers), source)
    return 0


def print_store(store: "Store", source: "Source") -> None:
    import numpy as np

    rows = [
        {
            "split": name,
            "examples": f"{len(split):,}",
            "tokens": f"{split.lengths.min():,}–{split.lengths.max():,}",
            "mean": f"{split.lengths.mean():,.0f}",
            "labels %": " ".join(
                f"{100 * share:.1f}" for share in np.bincount(split.labels) / len(split)
            ),
            "sha256 of members": store.sha256[f"{name}.members.npy"][:16],
            "of labels": store.sha256[f"{name}.labels.npy"][:16],
        }
        for name, split in store.splits.items()
    ]
    print(table_of(rows))
    rules = ", ".join(f"{name} {100 * share:.1f} %" for name, share in store.baselines.items())
    count = len(store.splits["test"].offsets) - 1
    print(f"\n{store.recipe['source']}, fingerprint {store.fingerprint}, verified; {rules}")
    print(f"{count:,} distinct sequences, sha256 of tokens {store.sha256['tokens.npy']}")
    for note in store.notes:
        print(note)
    if source.folder:
        print(f"read from {source.folder}")
    print(store.path)
