"""``vigil demo``: an instance lives through months of surveillance, tells what it found, and serves it."""

import os
import socket
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.embedded import CannotStart
from config.processes import bind_address
from config.supervisor import Supervisor, running_instance, serve

QUICK_EVERY_MM = 6  # between brain slices: the whole line in a minute or two, with states that are mostly insufficient


class Command(BaseCommand):
    help = "Live through the demo on real images and a real model, print what was found, then serve it."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="end after the demo life")
        parser.add_argument("--quick", action="store_true", help=f"brain slices {QUICK_EVERY_MM} mm apart")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["no_serve"] and "VIGIL_PORT" not in os.environ:
            os.environ["VIGIL_PORT"] = str(_free_port())  # nobody will look, so any port does
        try:
            with running_instance() as supervisor:
                self._live(supervisor, every=QUICK_EVERY_MM if options["quick"] else None)
                if not options["no_serve"]:
                    self.stdout.write(f"\nVigil serves {_base_url()}  (Ctrl-C stops)")
                    self.stdout.flush()
                    serve(supervisor)
        except CannotStart as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stderr.write("stopped")

    def _live(self, supervisor: Supervisor, *, every: int | None) -> None:
        from assurance.evidence.errors import Refusal
        from config.demo.life import already_lived, live

        _wait_for_web(supervisor)
        if already_lived():
            self.stdout.write("The demo was lived here before: its people keep the passwords that were printed then.")
            return
        try:
            outcome = live(supervisor, base_url=_base_url(), every=every)
        except (Refusal, TimeoutError) as reason:
            raise CommandError(f"the demo could not go on: {reason}") from reason
        self.stdout.write("\nWhat was found\n" + "\n".join(outcome.lines))
        self.stdout.write("\nFiles\n" + "\n".join(f"  {path}" for path in outcome.files))
        self.stdout.write("\nPeople (printed once; a signer's code generator takes the secret)")
        for login in outcome.logins:
            code = f"  code secret {login.totp_secret}" if login.totp_secret else ""
            self.stdout.write(f"  {login.role:<34} {login.email:<36} {login.password}{code}")
        self.stdout.write("\nAddresses\n" + "\n".join(f"  {_base_url()}{path}" for path in ADDRESSES))
        if outcome.failed:
            self.stdout.write("\nJobs that failed\n" + "\n".join(f"  {line}" for line in outcome.failed))
        if not outcome.verified or outcome.failed:
            raise CommandError("the demo ended with something that does not hold: see above")


ADDRESSES = (
    "/", "/deployments/brain-outline", "/deployments/chest-pneumonia", "/deployments/brain-outline/generalizability",
    "/models", "/submissions", "/dossiers", "/incidents", "/jobs/", "/audit", "/api/v1/docs",
)  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _base_url() -> str:
    host, port = bind_address()
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104


def _wait_for_web(supervisor: Supervisor, *, limit_s: float = 60) -> None:
    until = time.monotonic() + limit_s
    while True:
        try:
            with urllib.request.urlopen(f"{_base_url()}/healthz", timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > until:
                raise CannotStart(f"the web server at {_base_url()} did not answer within {limit_s:g} s") from error
            supervisor.tend()
            time.sleep(0.5)
