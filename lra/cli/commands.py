"""The command that reads and makes data."""

import argparse

import numpy as np
from tabulate import tabulate

from attention_zoo import UsageError
from lra.cli.common import say
from lra.data.obtain import obtain
from lra.data.prepare import prepare, verified
from lra.data.store import Store
from lra.grid.plan import decided
from lra.protocols import expand, get_protocol, override, with_source
from lra.tasks import get_task


def prepare_data(options: argparse.Namespace) -> int:
    if options.workers is not None and options.workers < 1:
        raise UsageError(f"--workers must be 1 or more, not {options.workers}")
    asked = with_source(get_protocol(options.protocol, options.task), options.source)
    for settings in expand(options.set):
        protocol, modified = override(asked, settings)
        if not options.verify:
            obtain(get_task(options.task), protocol.task, options.data_dir, options.download, say)
        _, source = decided(protocol, options.task, options.data_dir, modified)
        if options.verify:
            if not source.path.exists():
                raise UsageError(f"nothing is prepared: {source.path} does not exist")
            print_store(verified(source))
        else:
            print_store(prepare(source, say, options.workers))
    return 0


def print_store(store: Store) -> None:
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
    print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))
    rules = ", ".join(f"{name} {100 * share:.1f} %" for name, share in store.baselines.items())
    count = len(store.splits["test"].offsets) - 1
    print(f"\n{store.recipe['source']}, fingerprint {store.fingerprint}, verified; {rules}")
    print(f"{count:,} distinct sequences, sha256 of tokens {store.sha256['tokens.npy']}")
    for note in store.notes:
        print(note)
    print(store.path)
