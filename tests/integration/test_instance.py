"""A whole instance as a user starts it: embedded servers, web, four workers and beat, and nothing left after Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Instance:
    """``vigil up`` on its own home and port."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        environment = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
        self.environment = environment | {"VIGIL_HOME": str(home), "VIGIL_PORT": str(self.port)}
        self.environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"], cwd=ROOT, env=self.environment, stderr=subprocess.PIPE, text=True
        )
        return self.process

    def answer(self, path: str) -> dict[str, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
            return dict(json.load(response))

    def wait_until_ready(self, limit_s: float = 90) -> dict[str, str]:
        end = time.monotonic() + limit_s
        while True:
            try:
                return self.answer("/readyz")
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(self.stop()) from None
                time.sleep(0.5)

    def stop(self) -> str:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=60)
        return said

    def processes(self) -> list[int]:
        """Every process that still knows this home."""
        mark = f"VIGIL_HOME={self.home}\0".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes() and int(folder.name) != os.getpid():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found


@pytest.fixture
def instance(tmp_path):
    started = Instance(tmp_path / "a home with spaces")
    yield started
    started.stop()


def test_an_instance_starts_serves_refuses_a_twin_stops_cleanly_and_starts_again(instance):
    assert instance.wait_until_ready()["status"] == "ok"

    twin = subprocess.run(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=instance.environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert twin.returncode == 1
    assert "another instance already runs" in twin.stderr
    assert instance.answer("/healthz") == {"status": "ok"}

    instance.stop()
    assert instance.process.returncode == 0
    assert instance.processes() == []

    instance.start()
    assert instance.wait_until_ready()["status"] == "ok"


def test_a_killed_supervisor_leaves_no_orphan(instance):
    instance.wait_until_ready()
    instance.process.kill()
    instance.process.wait(10)
    end = time.monotonic() + 30
    while instance.processes() and time.monotonic() < end:
        time.sleep(0.3)
    assert instance.processes() == []


def test_a_taken_port_is_one_clear_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = os.environ | {
            "VIGIL_HOME": str(tmp_path),
            "VIGIL_PORT": str(port),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        answer = subprocess.run(
            [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    assert answer.returncode == 1
    assert f"127.0.0.1:{port} is taken" in answer.stderr
    assert "Traceback" not in answer.stderr
