"""The ``vigil`` command: gives a command the servers it needs, and none to those that need none."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

WITHOUT_SERVICES = {
    "drift", "sequential", "performance", "estimate", "explain", "shift", "model", "up", "demo", "help", "version",
    "--help", "-h", "--version", "makemigrations", "collectstatic", "check", "compilemessages", "makemessages",
}  # fmt: skip


def needs_services(arguments: list[str]) -> bool:
    """True for commands that read or write rows. The others run on a machine without any server."""
    if not arguments or "--help" in arguments or "-h" in arguments:
        return False
    if arguments[:2] == ["dossier", "verify"] or arguments[:2] == ["audit", "key"]:
        return False
    if arguments[:2] == ["audit", "verify"] and any(word.startswith("--file") for word in arguments):
        return False
    return arguments[0] not in WITHOUT_SERVICES


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        if not needs_services(sys.argv[1:]):
            execute_from_command_line(sys.argv)
            return
        from config.embedded import CannotStart, services

        try:
            with services():
                execute_from_command_line(sys.argv)
        except CannotStart as error:
            sys.exit(f"vigil: {error}")
    except ImproperlyConfigured as error:
        sys.exit(f"vigil: {error}")
