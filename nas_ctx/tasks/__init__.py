"""Dense prediction tasks: one file each, named in :data:`TASKS`, created from options by :func:`make_tasks`."""

from nas_ctx.tasks.base import TASKS, Task, register_task
from nas_ctx.tasks.depth import Depth
from nas_ctx.tasks.edge import Edge
from nas_ctx.tasks.human_parts import HumanParts
from nas_ctx.tasks.make import make_tasks
from nas_ctx.tasks.normals import Normals
from nas_ctx.tasks.saliency import Saliency
from nas_ctx.tasks.semseg import ClassMap, SemSeg

__all__ = [
    "TASKS",
    "ClassMap",
    "Depth",
    "Edge",
    "HumanParts",
    "Normals",
    "Saliency",
    "SemSeg",
    "Task",
    "make_tasks",
    "register_task",
]
