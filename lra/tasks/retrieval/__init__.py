from lra.tasks.retrieval.task import RETRIEVAL, RetrievalSettings

__all__ = ["RETRIEVAL", "RetrievalSettings"]
