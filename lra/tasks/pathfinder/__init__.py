from lra.tasks.pathfinder.task import PATHFINDERS, PathfinderSettings

__all__ = ["PATHFINDERS", "PathfinderSettings"]
