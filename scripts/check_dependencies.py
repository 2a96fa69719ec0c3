"""Fail when a pinned dependency has a known vulnerability. Passes, and says so, where the service cannot be asked.

A hospital's network often reaches no advisory service. Then nothing was found and nothing was checked, and the line
that is printed says the second.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LONGEST_S = 180
# Advisories that were read and do not concern this use, each with its reason. Empty it when a pin moves past them.
ACCEPTED: dict[str, str] = {}


def judge(report: dict[str, Any]) -> tuple[int, str]:
    """Exit status and what to print, from pip-audit's JSON."""
    packages = report.get("dependencies", [])
    asked = [one for one in packages if "skip_reason" not in one]
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in asked
        for flaw in one.get("vulns", [])
        if flaw["id"] not in ACCEPTED
    ]
    if found:
        return 1, "dependencies with known vulnerabilities:\n" + "\n".join(found)
    if not asked:
        return 0, f"dependencies: NOT CHECKED, the advisory service answered for none of {len(packages)} packages"
    left = f", {len(packages) - len(asked)} of them unknown to it" if len(asked) < len(packages) else ""
    return 0, f"dependencies: no known vulnerability in {len(packages)} packages{left}"


def main() -> int:
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / "constraints.txt"), "--no-deps",
        "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "10",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        report = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        print(f"dependencies: NOT CHECKED, the advisory service gave no answer within {LONGEST_S} s")
        return 0
    except json.JSONDecodeError:
        reason = done.stderr.strip().splitlines()[-1:] or ["no answer"]
        print(f"dependencies: NOT CHECKED, {reason[0][:300]}")
        return 0
    status, text = judge(report)
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
