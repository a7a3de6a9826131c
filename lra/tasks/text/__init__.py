from lra.tasks.text.task import TEXT, TextSettings

__all__ = ["TEXT", "TextSettings"]
