"""``python -m benchmarks [NAME...]``: run benchmarks and write their results."""

from __future__ import annotations

import argparse
import importlib

from benchmarks.common import Figure
from benchmarks.common import machine
from benchmarks.common import write_results

NAMES = (
    "startup",
    "manifest",
    "extraction",
    "store",
    "probe",
    "planning",
    "scores",
    "demo",
    "doctor",
    "overhead",
    "makespan",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}")
    parser.add_argument(
        "--quick", action="store_true", help="use small sizes; only tests the benchmarks"
    )
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"there is no benchmark {unknown[0]}; choose from {', '.join(NAMES)}")
    failed = []
    for name in options.names or NAMES:
        print(f"{name} ...", flush=True)
        record = machine()
        try:
            figures: list[Figure] = importlib.import_module(f"benchmarks.{name}").run(
                quick=options.quick
            )
        except Exception as error:  # noqa: BLE001 - the other benchmarks still run
            print(f"  failed: {type(error).__name__}: {error}", flush=True)
            failed.append(name)
            continue
        for figure in figures:
            ratio = "" if figure.ratio is None else f"  ratio {figure.ratio:.2f}"
            print(f"  {figure.what}: {figure.ours:.4g} {figure.unit}{ratio}", flush=True)
        if not options.quick:
            write_results({name: figures}, record)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
