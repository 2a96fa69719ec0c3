"""A real instance for tests: PostgreSQL, Valkey, web process and worker, each a process that a test may kill."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[1]
# Prepares the deployment, prints its id and a token for it.
PREPARE = """
import json, django; django.setup()
from accounts.models import Role
from accounts.row_security import see_everything
from accounts.tokens import issue_token
from tests.factories import DeploymentFactory, MembershipFactory, SiteFactory
see_everything()
deployment = DeploymentFactory()
deployment.sites.add(SiteFactory(organisation=deployment.organisation, code="north"))
lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
secret = issue_token(organisation=deployment.organisation, person=lead, name="x", verbs=["send_predictions"])[1]
print(json.dumps({"id": str(deployment.pk), "token": secret}))
"""
MIGRATE = """
import os
from config import embedded
os.environ["DATABASE_URL"] = embedded.database_url(role=embedded.OWNER)
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""
RESEND = "import django; django.setup(); from assurance.jobs import resend_lost_jobs; print(resend_lost_jobs())"


class Servers:
    """Each part as a process that a test may kill and start again."""

    def __init__(self, home):
        os.environ["VIGIL_HOME"] = str(home)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home = home
        self.environment = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
        self.environment |= {
            "VIGIL_HOME": str(home), "VIGIL_PORT": str(self.port), "DJANGO_SETTINGS_MODULE": "config.settings",
            "VIGIL_INTAKE_AT_ONCE_BYTES": "20000", "VIGIL_ARTEFACT_DIR": str(home / "artefacts"),
            "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self.parts, self.servers = {}, {}

    def keep(self, name, code):
        """``code`` starts an embedded server in a process that waits for it; the server's own id is remembered."""
        script = (
            f"from config.embedded import *; s = {code}; s.start(); print(s.process.pid, flush=True); s.process.wait()"
        )
        process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=self.environment, text=True,
                                   stdout=subprocess.PIPE)  # fmt: skip
        self.servers[name] = int(process.stdout.readline())
        self.parts[name] = process

    def program(self, name, *command):
        log = (self.home / f"{name}.log").open("ab")
        program = str(Path(sys.executable).parent / command[0])
        self.parts[name] = subprocess.Popen([program, *command[1:]], cwd=ROOT, env=self.environment, stdout=log,
                                            stderr=log, start_new_session=True)  # fmt: skip

    def database(self):
        self.keep("database", "EmbeddedPostgres()")

    def broker(self):
        self.keep("broker", "EmbeddedValkey()")

    def web(self):
        self.program("web", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port),
                     "--workers", "1", "--blocking-threads", "4", "--no-ws", "--log-level", "warning",
                     "config.wsgi:application")  # fmt: skip
        self.until(lambda: self.http("/healthz")[0] == 200)

    def worker(self):
        self.program("worker", "celery", "-A", "config.celery", "worker", "--queues", "ingest", "--concurrency", "1",
                     "--pool", "solo", "--loglevel", "warning", "--without-gossip", "--without-mingle")  # fmt: skip

    def kill(self, name):
        process = self.parts.pop(name)
        if name not in self.servers:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill(self.servers.pop(name), signal.SIGKILL)  # no farewell: as when the machine loses its power
        process.wait(30)

    def python(self, code):
        answer = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr[-2000:]
        return answer.stdout.strip().splitlines()[-1] if answer.stdout.strip() else ""

    def http(self, path, content=None, **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=content, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- the address above
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError as error:
            return 0, str(error).encode()

    def send(self, content, *, key="", kind="text/csv"):
        head = {"Authorization": f"Bearer {self.access['token']}", "Content-Type": kind}
        if key:
            head["Idempotency-Key"] = key
        status, answer = self.http(f"/api/v1/deployments/{self.access['id']}/predictions", content, **head)
        return status, (json.loads(answer) if answer.startswith(b"{") else {})

    def batch(self, batch_id):
        status, answer = self.http(f"/api/v1/batches/{batch_id}", Authorization=f"Bearer {self.access['token']}")
        return json.loads(answer) if status == 200 else {}

    def command(self, name, *arguments):
        """A command of ``manage.py`` that runs until it is told to end; its words go to ``NAME.log``."""
        log = (self.home / f"{name}.log").open("wb")
        command = [sys.executable, "manage.py", *arguments]
        self.parts[name] = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log,
                                            start_new_session=True)  # fmt: skip

    def ended(self, name):
        """Ask the command to end as an operator does; its exit status and what it said."""
        process = self.parts.pop(name)
        process.terminate()
        return process.wait(30), (self.home / f"{name}.log").read_text()

    def query(self, text):
        from config import embedded, home

        home.secrets_of.cache_clear()
        os.environ["VIGIL_HOME"] = str(self.home)
        with psycopg.connect(embedded.database_url(role=embedded.OWNER), connect_timeout=5) as connection:
            return connection.execute(text).fetchone()

    def until(self, holds, *, limit_s=60):
        end = time.monotonic() + limit_s
        while not holds():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.2)

    def settled(self, batch_id, *, limit_s=180):
        """Wait for the batch, sending lost jobs again as the beat does."""
        end = time.monotonic() + limit_s
        while self.batch(batch_id).get("status") != "done":
            assert time.monotonic() < end, self.batch(batch_id)
            self.python(RESEND)
        return self.batch(batch_id)


@contextmanager
def live_servers():
    before = os.environ.get("VIGIL_HOME")
    # Not under pytest's own folder: another run beside this one would close it to the database's user.
    home = Path(tempfile.mkdtemp(prefix="vigil-faults-"))
    home.chmod(0o711)
    found = Servers(home)
    try:
        found.database()
        found.broker()
        found.python(MIGRATE)
        found.access = json.loads(found.python(PREPARE))
        found.web()
        found.worker()
        yield found
    finally:
        for name in list(found.parts):
            found.kill(name)
        os.environ.pop("VIGIL_HOME")
        if before is not None:
            os.environ["VIGIL_HOME"] = before
        from config import home as settings_of_home

        settings_of_home.secrets_of.cache_clear()
        shutil.rmtree(home, ignore_errors=True)
