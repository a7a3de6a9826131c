from lra.tasks.listops.task import LISTOPS, ListOpsSettings

__all__ = ["LISTOPS", "ListOpsSettings"]
