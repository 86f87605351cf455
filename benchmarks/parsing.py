"""Parses DAG files as Airflow's DAG processor does: `python -m benchmarks.parsing warm|cold ROUNDS FILE…`.

Each parse is a process of its own, forked from one that has imported Airflow, and ends with the DAGs serialized. Cold:
`MODEL_RELEASE_CACHE` is emptied before each. Prints JSON, one line a file.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import selectors
import shutil
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from airflow.dag_processing.processor import DagFileParsingResult, DagFileProcessorProcess

from model_release.local_cache import CACHE_VARIABLE


def parse(file: Path) -> tuple[float, DagFileParsingResult]:
    """Parse a file once; return the seconds of processor time that it took and what came of it."""
    selector = selectors.DefaultSelector()
    with open(os.devnull, "wb") as log:  # noqa: PTH123 - Airflow wants a file object
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = DagFileProcessorProcess.start(
            id=uuid4(),
            path=file,
            bundle_path=file.parent,
            bundle_name="benchmark",
            dag_file_rel_path=file.name,
            callbacks=[],
            selector=selector,
            logger=structlog.get_logger(),
            logger_filehandle=log,
            client=None,  # type: ignore[arg-type]
        )
        while not process.is_ready:
            for key, _ in selector.select(timeout=0.002):
                handler, on_close = key.data
                if not handler(key.fileobj):
                    on_close(key.fileobj)
        process.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if process.parsing_result is None:
        raise RuntimeError(f"{file} came to nothing; run `airflow dags list-import-errors`")
    return seconds, process.parsing_result


def main(state: str, rounds: int, files: list[Path]) -> None:
    """Parse every file in each round, and print what was measured."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    told: dict[Path, dict[str, Any]] = {file: {"file": str(file), "seconds": []} for file in files}
    for file in files:
        parse(file)  # so that what the file asks Airflow for is imported here, as in a processor that stands
    for _ in range(rounds):
        for file in files:
            if state == "cold":
                shutil.rmtree(os.environ[CACHE_VARIABLE])
            seconds, result = parse(file)
            told[file]["seconds"].append(seconds)
            tasks = [len(each.data["dag"]["tasks"]) for each in result.serialized_dags]
            told[file] |= {"dags": len(tasks), "tasks": max(tasks, default=0), "errors": result.import_errors or {}}
    for line in told.values():
        print(json.dumps(line))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), [Path(each) for each in sys.argv[3:]])
