"""``make bench``: every ``scripts/bench_*.py`` in its own process, one JSON line per result on standard output.

Each module gives ``results() -> Iterator[dict]`` with ``name``, ``value`` and ``unit``, and where they apply ``peer``
(what it is compared with), ``ratio`` and ``n``. A module that fails gives one line with its reason; the others run on.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOMS = [path.stem.removeprefix("bench_") for path in sorted(HERE.glob("bench_*.py"))]


@cache
def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    processor = ""
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
        processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "processor": processor or platform.processor(), "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1), "load_1min": round(os.getloadavg()[0], 2),
        "python": platform.python_version(), "system": platform.platform(terse=True),
    }  # fmt: skip


def run_here(room: str) -> int:
    """Print the results of one module. A refusal or crash is a line as well."""
    failed = 0
    try:
        for result in import_module(f"scripts.bench_{room}").results():
            line = {"room": room, "peer": None, "ratio": None, "n": None, **result, "machine": machine()}
            print(json.dumps(line, ensure_ascii=False, allow_nan=False), flush=True)
    except Exception as error:
        failed = 1
        reason = f"{type(error).__name__}: {error}"
        print(json.dumps({"room": room, "failed": reason, "machine": machine()}, ensure_ascii=False), flush=True)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", help=f"which to run; all by default: {', '.join(ROOMS)}")
    parser.add_argument("--here", metavar="ROOM", help="run one in this process")
    chosen = parser.parse_args()
    if chosen.here:
        return run_here(chosen.here)
    unknown = sorted(set(chosen.rooms) - set(ROOMS))
    if unknown:
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(ROOMS)}")
    failed = 0
    for room in chosen.rooms or ROOMS:
        print(f"bench: {room}", file=sys.stderr, flush=True)
        ended = subprocess.run([sys.executable, "-m", "scripts.bench", "--here", room], check=False).returncode
        if ended < 0:  # killed, so it could not say so itself
            print(json.dumps({"room": room, "failed": f"ended by signal {-ended}", "machine": machine()}), flush=True)
        failed |= ended != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
