"""The data of a run."""

from collections.abc import Callable
from pathlib import Path

from attention_zoo import UsageError
from lra.config import RunConfig
from lra.data.batches import require_examples
from lra.data.prepare import find_source, prepare
from lra.data.store import Store
from lra.tasks import get_task


def open_data(
    config: RunConfig, data_dir: Path, say: Callable[[str], None], *, verify: bool = True
) -> Store:
    """verify: False where this command has verified them."""
    source = find_source(get_task(config.task), config.protocol.task, data_dir)
    if source.fingerprint != config.data:
        where = source.folder or data_dir
        raise UsageError(f"the data in {where} are not those that this run began with")
    return prepare(source, say, verify=verify)


def require_batch(config: RunConfig, store: Store) -> None:
    """Raises UsageError where the training split, less what preparing left out, is smaller than
    the batch."""
    settings = config.protocol.training
    require_examples(len(store.splits["train"]), settings.batch, settings.bucket)
