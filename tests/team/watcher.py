"""Looks at `latest` of several models on three clouds, all along: `python -m team.watcher CLOUDS COUNTS FOLDER…`.

`latest` is one version, and its epoch never goes back; every byte of the version is there, as soon as `latest` changes
and again and again while it stays. A line on stdin, or its end, ends the watch; then what was found goes to the file
COUNTS.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from team.looking import Clouds, Read, Torn, is_missing, whole

LOOK_SECONDS = 0.2
WHOLE_SECONDS = 1.0
"""How often the files of a version are read again: reading them all the time would take a processor for itself."""


class Watch:
    """One cloud's and one model's `latest`, looked at again and again."""

    def __init__(self, name: str, read: Read, folder: str) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.epochs: list[int] = []
        self._read = read
        self._folder = folder
        self._seen = b""
        self._due = 0.0

    def look(self) -> None:
        """Look once."""
        try:
            pointer = self._read(f"{self._folder}/latest.json")
        except Exception as error:  # each SDK has its own
            missing = is_missing(error)
            self.counts["not there yet" if missing else "out of reach"] += 1
            if missing and self.epochs:
                self.faults.append(f"{self.name}: latest.json is gone")
            return
        epoch = json.loads(pointer)["epoch"]
        if self.epochs and epoch < self.epochs[-1]:
            self.faults.append(f"{self.name}: epoch went back from {self.epochs[-1]} to {epoch}")
        if not self.epochs or epoch != self.epochs[-1]:
            self.epochs.append(epoch)
        if pointer == self._seen and time.monotonic() < self._due:
            return
        self._seen, self._due = pointer, time.monotonic() + WHOLE_SECONDS
        try:
            whole(self._read, pointer, self._folder)
        except Torn as error:
            self.faults.append(f"{self.name}: {error}")
        except Exception as error:
            self.counts["out of reach"] += 1
            if is_missing(error):
                self.faults.append(f"{self.name}: a file of epoch {epoch} is missing: {error}")
        else:
            self.counts["whole"] += 1


def main(clouds: Clouds, counts: Path, folders: list[str]) -> None:
    """Watch, each cloud in a thread of its own, until told to end."""
    watches = [Watch(f"{name}:{folder}", read, folder) for name, read in clouds.readers().items() for folder in folders]
    ended = threading.Event()

    def watch(each: Watch) -> None:
        while not ended.wait(LOOK_SECONDS):
            each.look()

    threads = [threading.Thread(target=watch, args=[each], daemon=True) for each in watches]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    ended.set()
    for thread in threads:
        thread.join(20)
    found = {
        "counts": dict(sum((each.counts for each in watches), Counter())),
        "faults": [fault for each in watches for fault in each.faults],
        "epochs": {each.name: each.epochs for each in watches},
    }
    counts.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Clouds(**json.loads(sys.argv[1])), Path(sys.argv[2]), sys.argv[3:])
