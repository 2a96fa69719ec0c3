"""``vigil up``: the instance without demo data."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.embedded import CannotStart
from config.processes import bind_address
from config.supervisor import running_instance, serve


class Command(BaseCommand):
    help = "Start web, workers and beat (and the embedded servers when no addresses are set) until Ctrl-C."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = bind_address()
        try:
            with running_instance() as supervisor:
                self.stderr.write(f"Vigil serves http://{host}:{port}  (Ctrl-C stops)")
                serve(supervisor)
        except CannotStart as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stderr.write("stopped")
