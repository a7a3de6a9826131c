"""The data of a run."""

from collections.abc import Callable
from pathlib import Path

from attention_zoo import UsageError
from lra.config import RunConfig
from lra.data.batches import require_examples
from lra.data.fractions import require_fraction, with_fraction
from lra.data.prepare import find_source, prepare
from lra.data.store import Store
from lra.tasks import get_task


def open_data(
    config: RunConfig, data_dir: Path, say: Callable[[str], None], *, verify: bool = True
) -> Store:
    """The data that a run reads: of the training split its fraction, which `require_batch` has
    found to be enough. verify: False where this command has verified them."""
    source = find_source(get_task(config.task), config.protocol.task, data_dir)
    if source.fingerprint != config.data:
        where = source.folder or data_dir
        raise UsageError(f"the data in {where} are not those that this run began with")
    if not source.path.exists():
        say(f"making the data in {source.path}, which does not exist")
    store = prepare(source, say, verify=verify)
    require_batch(config, store)
    return with_fraction(store, config.train_fraction)


def require_batch(config: RunConfig, store: Store) -> None:
    """Raises UsageError where the training split, less what preparing left out, is smaller than
    the batch, or the run's fraction of it is or lacks a class. store: whole."""
    settings, examples = config.protocol.training, len(store.splits["train"])
    require_examples(examples, settings.batch, settings.bucket)
    require_fraction(examples, config.train_fraction, settings.batch, settings.bucket)
    with_fraction(store, config.train_fraction)
