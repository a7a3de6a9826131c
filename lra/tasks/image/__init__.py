from lra.tasks.image.task import IMAGE, ImageSettings

__all__ = ["IMAGE", "ImageSettings"]
