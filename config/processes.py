"""What one instance runs, as command lines. ``vigil up`` starts them here, docker-compose.yml starts the same ones."""

import sys
from dataclasses import dataclass
from pathlib import Path

from config.environment import env_int, env_text


@dataclass(frozen=True, slots=True)
class Process:
    """``arguments`` follow the folder of the environment's programs: ("granian", ...) or ("celery", ...)."""

    name: str
    arguments: tuple[str, ...]

    def command(self) -> list[str]:
        program, *rest = self.arguments
        return [str(Path(sys.executable).parent / program), *rest]


def bind_address() -> tuple[str, int]:
    return env_text("VIGIL_HOST", default="127.0.0.1"), env_int("VIGIL_PORT", default=8000, at_least=1)


def web() -> Process:
    host, port = bind_address()
    return Process(
        "web",
        ("granian", "--interface", "wsgi", "--host", host, "--port", str(port), "--workers", "1",
         "--blocking-threads", "4", "--no-ws", "--log-level", "warning", "config.wsgi:application"),
    )  # fmt: skip


def worker(queue: str) -> Process:
    """Networks run faster two at a time with half the cores each than one after the other with all of them."""
    concurrency = "2" if queue == "inference" else "1"
    return Process(
        f"worker-{queue}",
        ("celery", "-A", "config.celery", "worker", "--queues", queue, "--concurrency", concurrency,
         "--loglevel", "warning", "--hostname", f"{queue}@%h", "--without-gossip", "--without-mingle"),
    )  # fmt: skip


def beat() -> Process:
    return Process("beat", ("celery", "-A", "config.celery", "beat", "--loglevel", "warning", "--pidfile="))


def all_processes() -> tuple[Process, ...]:
    return (web(), *(worker(queue) for queue in ("ingest", "statistics", "inference", "reports")), beat())
