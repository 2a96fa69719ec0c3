"""Fail when Django's deployment check has a complaint about the production profile."""

import os
import subprocess
import sys

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "VIGIL_BASE_URL": "https://vigil.hospital.example",
    "VIGIL_ALLOWED_HOSTS": "vigil.hospital.example",
    "VIGIL_BEHIND_PROXY": "1",
}


def main() -> int:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, env={**os.environ, **PRODUCTION}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
