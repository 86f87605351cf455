"""The MLflow data's mirror in a bucket: pushed from a machine that has it, pulled to one that has nothing.

Knows SQLite and files, not MLflow.
"""

from model_release.mirror.manifest import Snapshot
from model_release.mirror.progress import Progress
from model_release.mirror.pull import Pulled, pull
from model_release.mirror.push import Pushed, Source, push

__all__ = ["Progress", "Pulled", "Pushed", "Snapshot", "Source", "pull", "push"]
