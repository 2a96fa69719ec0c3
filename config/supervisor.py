"""One small supervisor: starts the processes of an instance, restarts one that dies, stops all of them cleanly."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from config import embedded, home
from config.environment import env_text
from config.processes import Process, all_processes, bind_address

STOP_PATIENCE_S = 20.0


@dataclass
class Child:
    process: Process
    handle: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)


class Supervisor:
    """Keeps ``processes`` alive between :meth:`start` and :meth:`stop`. Their output goes to ``var/log/<name>.log``."""

    def __init__(self, processes: tuple[Process, ...]) -> None:
        self.processes = processes
        self.children: list[Child] = []

    def start(self) -> None:
        self.children = [self._spawn(process) for process in self.processes]

    def _spawn(self, process: Process) -> Child:
        log = home.var("log", f"{process.name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            handle = subprocess.Popen(
                process.command(), stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=home.BASE_DIR,
                env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
                start_new_session=True, preexec_fn=embedded.die_with_parent,
            )  # fmt: skip
        return Child(process, handle)

    def tend(self) -> None:
        """Restart what has died; one that dies at once waits a little longer."""
        for place, child in enumerate(self.children):
            if child.handle.poll() is None:
                continue
            if time.monotonic() - child.started < 3:
                time.sleep(1)
            say(f"{child.process.name} ended with status {child.handle.returncode}: started again")
            self.children[place] = self._spawn(child.process)

    def stop(self) -> None:
        """Ask all to end, wait, then end those that did not; their own children go with their sessions."""
        for child in self.children:
            if child.handle.poll() is None:
                child.handle.terminate()
        limit = time.monotonic() + STOP_PATIENCE_S
        for child in self.children:
            try:
                child.handle.wait(max(0.1, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                say(f"{child.process.name} did not stop within {STOP_PATIENCE_S:g} s and was ended")
            _end_session(child.handle.pid)
            child.handle.wait()
        self.children = []


def _end_session(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def one_instance() -> Iterator[None]:
    """Refuse a second start on the same ``VIGIL_HOME``; the lock ends with this process, so none can be left behind."""
    import fcntl

    path = home.var("vigil.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise embedded.CannotStart(
                f"another instance already runs on {home.home()}: stop it, or set VIGIL_HOME to another folder"
            ) from error
        yield


def check_port_free() -> None:
    host, port = bind_address()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise embedded.CannotStart(
                f"{host}:{port} is taken ({error.strerror}): set VIGIL_PORT to a free port"
            ) from error


def prepare() -> None:
    """Bring tables and static files up to date. Tables belong to the owner's role, not to the application's."""
    environment = dict(os.environ)
    if not env_text("DATABASE_URL"):
        environment["DATABASE_URL"] = embedded.database_url(role=embedded.OWNER)
    manage = [sys.executable, str(Path(home.BASE_DIR, "manage.py"))]
    if env_text("VIGIL_MIGRATE", default="1") != "0":
        subprocess.run([*manage, "migrate", "--noinput", "-v", "0"], check=True, env=environment)
    subprocess.run([*manage, "collectstatic", "--noinput", "-v", "0"], check=True, env=environment)


@contextmanager
def running_instance(*, with_web: bool = True) -> Iterator[Supervisor]:
    """The whole instance within the block: servers, tables, static files, web, workers and beat."""
    processes = tuple(process for process in all_processes() if with_web or process.name != "web")
    with stop_signals_raise(), one_instance():
        if with_web:
            check_port_free()
        with embedded.services():
            prepare()
            supervisor = Supervisor(processes)
            try:
                supervisor.start()
                yield supervisor
            finally:
                with signals_ignored():
                    supervisor.stop()


@contextmanager
def stop_signals_raise() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that everything below is stopped in order."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = {kind: signal.signal(kind, stop) for kind in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


@contextmanager
def signals_ignored() -> Iterator[None]:
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.signal(kind, signal.SIG_IGN) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def serve(supervisor: Supervisor, *, each_second: Callable[[], None] = lambda: None) -> None:
    """Tend the processes until Ctrl-C or SIGTERM."""
    try:
        while True:
            supervisor.tend()
            each_second()
            time.sleep(1)
    except KeyboardInterrupt:
        say("stopping")
