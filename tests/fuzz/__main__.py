"""`make fuzz`: python -m fuzz [INPUTS] [SEED]. Prints a line for each door, and ends with 1 if something was found."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from fuzz.airflow_doors import an_airflow
from fuzz.campaign import attack, watched
from fuzz.doors import doors
from fuzz.openapi import requests_by_schema


def main(inputs: int = 2000, seed: int = 0) -> None:
    """Go to each door in turn."""
    wrong, outside = list[str](), list[str]()
    print(f"{'door':<22}{'inputs':>8}{'taken':>8}{'refused':>9}{'crashes':>9}{'unclear':>9}")
    with tempfile.TemporaryDirectory(prefix="model-release-fuzz-") as folder:
        with (
            watched(Path(folder).resolve()) as beside,
            doors(Path.cwd()) as found,
            an_airflow(Path.cwd() / "airflow") as airflow,
        ):
            for name, door in {**found, **airflow}.items():
                tally = attack(door, name, inputs=inputs, seed=seed)
                print(
                    f"{name:<22}{tally.tried:>8,}{tally.taken:>8,}{tally.refused:>9,}"
                    f"{len(tally.crashes):>9,}{len(tally.unclear):>9,}",
                    flush=True,
                )
                wrong += [f"{name}: {each}" for each in tally.crashes + tally.unclear]
            asked, failures = requests_by_schema(Path.cwd() / "by_schema", inputs=max(5, inputs // 20), seed=seed)
            print(f"{'by our OpenAPI':<22}{asked:>8,}{'':>8}{'':>9}{len(failures):>9,}")
            wrong += failures
        outside += beside
    print(f"files outside the folder: {len(outside)}")
    print("\n".join([*wrong, *outside]))
    sys.exit(bool(wrong or outside))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
