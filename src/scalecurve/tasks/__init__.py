"""What is asked: readers of task files, and where tasks come from."""

from scalecurve.tasks.reader import read_task
from scalecurve.tasks.registry import Listing
from scalecurve.tasks.sources import list_tasks, load_tasks

__all__ = ["Listing", "list_tasks", "load_tasks", "read_task"]
