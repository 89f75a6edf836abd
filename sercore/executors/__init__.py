"""Executors: where the tasks of a run are done. Others than the local one are plugins."""

from __future__ import annotations

from sercore.executors.interface import ExecutionContext as ExecutionContext
from sercore.executors.interface import Executor as Executor
from sercore.executors.interface import Outcome as Outcome
from sercore.executors.interface import Outcomes as Outcomes
from sercore.executors.interface import TaskQueue as TaskQueue
from sercore.executors.task import Resources as Resources
from sercore.executors.task import Task as Task
from sercore.executors.task import TaskReport as TaskReport
