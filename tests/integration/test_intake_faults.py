"""Faults done to real servers: every accepted row is there once, every refused one is reported once.

One instance of its own: PostgreSQL, Valkey, web process and ingest worker, each of which is killed in turn.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADER = "case_id,study_time,score,meta_view,q_snr\n"
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


def body(start, rows, *, bad=()):
    lines = [
        f"c{at},2026-03-{1 + at % 28:02d}T08:00:00Z,{'seven' if at in bad else at % 1000 / 1000},PA,{at % 97}\n"
        for at in range(start, start + rows)
    ]
    return (HEADER + "".join(lines)).encode()


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
        if name in ("web", "worker"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill(self.servers.pop(name), signal.SIGKILL)  # no farewell: as when the machine loses its power
        process.wait(30)

    def python(self, code):
        answer = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120,
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


@pytest.fixture(scope="module")
def servers():
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


def rows_of(servers, batch_id):
    return servers.query(
        f"SELECT count(*), count(DISTINCT \"case\") FROM monitoring_prediction WHERE batch_id = '{batch_id}'"
    )


def test_a_worker_that_is_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing(servers):
    bad = (7, 120_000)
    status, answer = servers.send(body(0, 130_000, bad=bad))
    assert (status, answer["status"]) == (202, "received")
    servers.until(lambda: servers.query("SELECT max(chunks_done) FROM monitoring_predictionbatch")[0] >= 1)
    servers.kill("worker")
    stored = rows_of(servers, answer["id"])[0]
    servers.worker()
    told = servers.settled(answer["id"])
    assert (told["rows"], told["accepted"], told["rejected"], told["duplicates"]) == (130_000, 129_998, 2, 0)
    assert [reject["row"] for reject in told["rejects"]] == [8, 120_001]
    assert rows_of(servers, answer["id"]) == (129_998, 129_998)
    assert 0 < stored < 129_998  # it really was in the middle


def test_a_database_that_is_killed_loses_nothing_that_was_accepted(servers):
    status, answer = servers.send(body(200_000, 25_000))
    assert status == 202
    servers.kill("database")
    assert servers.send(body(300_000, 10))[0] in (500, 503, 0)  # nothing is accepted that cannot be kept
    servers.database()
    servers.until(lambda: servers.send(body(400_000, 10))[0] == 202)
    told = servers.settled(answer["id"])
    assert told["accepted"] == 25_000
    assert rows_of(servers, answer["id"]) == (25_000, 25_000)
    assert servers.query("SELECT count(*) FROM monitoring_prediction p JOIN monitoring_caseplace c USING "
                         "(deployment_id, version_id, \"case\", study_time)") == servers.query(
                             "SELECT count(*) FROM monitoring_caseplace")  # fmt: skip


def test_while_the_broker_is_away_deliveries_are_accepted_and_go_in_later(servers):
    servers.kill("broker")
    start = time.monotonic()
    status, answer = servers.send(body(500_000, 5_000))
    assert (status, answer["status"]) == (202, "received")
    assert time.monotonic() - start < 4  # a sender does not wait for a broker that is away
    assert servers.batch(answer["id"])["accepted"] is None
    servers.broker()
    assert servers.settled(answer["id"])["accepted"] == 5_000


def test_the_same_delivery_sent_twice_at_once_is_one_batch(servers):
    for key, rows in (("small", 20), ("large", 4_000)):
        content = body(600_000 if key == "small" else 700_000, rows)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(servers.send(content, key=key))) for _ in range(4)]  # noqa: B023
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {status for status, _ in answers} == {202}
        assert len({answer["id"] for _, answer in answers}) == 1
        batch_id = answers[0][1]["id"]
        assert servers.settled(batch_id)["accepted"] == rows
        assert rows_of(servers, batch_id) == (rows, rows)


def test_an_upload_that_is_cut_leaves_nothing_behind(servers):
    content = body(800_000, 3_000)
    before = servers.query("SELECT count(*) FROM monitoring_predictionbatch")
    with socket.create_connection(("127.0.0.1", servers.port)) as line:
        head = (
            f"POST /api/v1/deployments/{servers.access['id']}/predictions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {servers.access['token']}\r\nContent-Type: text/csv\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        line.sendall(head.encode() + content[: len(content) // 2])
    servers.until(lambda: not list((servers.home / "artefacts" / "incoming").glob("*")))
    assert servers.query("SELECT count(*) FROM monitoring_predictionbatch") == before
    assert servers.send(content)[0] == 202


def test_a_disk_without_room_accepts_nothing_and_the_next_delivery_goes_in(servers):
    """The kernel's own limit on the size of a file stands for a quota: writing beyond it fails with an error."""
    servers.kill("web")
    environment = servers.environment
    limit = "import resource, signal, os, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " \
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY)); " \
            "os.execv(sys.argv[1], sys.argv[1:])"  # fmt: skip
    program = str(Path(sys.executable).parent / "granian")
    command = [
        sys.executable, "-c", limit, program, "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(servers.port),
        "--workers", "1", "--blocking-threads", "2", "--no-ws", "config.wsgi:application",
    ]  # fmt: skip
    with (servers.home / "web-limited.log").open("ab") as log:
        servers.parts["web"] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log,
                                                start_new_session=True)  # fmt: skip
    servers.until(lambda: servers.http("/healthz")[0] == 200)
    before = servers.query("SELECT count(*) FROM monitoring_predictionbatch")
    status, answer = servers.send(body(900_000, 5_000))
    assert (status, answer["code"]) == (503, "spool_full")
    assert servers.query("SELECT count(*) FROM monitoring_predictionbatch") == before
    assert list((servers.home / "artefacts" / "incoming").glob("*.part")) == []
    servers.kill("web")
    servers.web()
    status, answer = servers.send(body(900_000, 5_000))
    assert status == 202
    assert servers.settled(answer["id"])["accepted"] == 5_000
