"""Faults done to real servers: every accepted row is there once, every refused one is reported once.

One instance of its own: PostgreSQL, Valkey, web process and ingest worker, each of which is killed in turn; and the
commands that run for long, as an operator starts and ends them.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests import dicom_objects as made
from tests.live_servers import ROOT, live_servers

HEADER = "case_id,study_time,score,meta_view,q_snr\n"


def body(start, rows, *, bad=()):
    lines = [
        f"c{at},2026-03-{1 + at % 28:02d}T08:00:00Z,{'seven' if at in bad else at % 1000 / 1000},PA,{at % 97}\n"
        for at in range(start, start + rows)
    ]
    return (HEADER + "".join(lines)).encode()


@pytest.fixture(scope="module")
def servers():
    with live_servers() as found:
        yield found


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


def cases_in(servers):
    return servers.query('SELECT count(*), count(DISTINCT "case") FROM monitoring_prediction')


def test_the_watch_command_takes_in_what_is_put_into_its_folder_until_it_is_ended(servers, tmp_path):
    before = cases_in(servers)[0]
    servers.command("watch", "watch", servers.access["id"], str(tmp_path), "--every", "0.2")
    (tmp_path / "day.csv").write_bytes(body(1_000_000, 40))
    (tmp_path / "notes.doc").write_text("no predictions")
    servers.until(lambda: (tmp_path / "done" / "day.csv").exists() and (tmp_path / "refused" / "notes.doc").exists())
    status, told = servers.ended("watch")
    assert (status, told.splitlines()[-1]) == (0, "stopped")
    assert "day.csv: 40 in, 0 known already, 0 refused" in told
    assert cases_in(servers)[0] == before + 40


def test_the_receive_command_answers_a_real_sender_until_it_is_ended(servers):
    from pynetdicom import AE
    from pynetdicom.sop_class import ComprehensiveSRStorage

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    before = cases_in(servers)[0]
    servers.command("receive", "receive", servers.access["id"], "--port", str(port), "--peer", "PACS")
    log = servers.home / "receive.log"
    servers.until(lambda: "listens on" in log.read_text())
    sender = AE(ae_title="PACS")
    sender.add_requested_context(ComprehensiveSRStorage, "1.2.840.10008.1.2.1")
    association = sender.associate("127.0.0.1", port, ae_title="VIGIL")
    assert association.is_established
    assert association.send_c_store(made.loose_report(study="1.2.3.77")).Status == 0xB007  # taken, with its defects
    association.release()
    assert cases_in(servers)[0] == before + 1
    status, told = servers.ended("receive")
    assert (status, told.splitlines()[-1]) == (0, "stopped")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


LOOP = """
import sys
from vigil_client import Vigil
url, deployment, token, spool, start = sys.argv[1:]
vigil = Vigil(url, deployment=deployment, token=token, spool=spool, attempts=1)
for batch in range(3):
    cases = [f"{start}-{batch}-{at}" for at in range(8)]
    vigil.log_predictions([{"case_id": c, "study_time": "2026-03-01T08:00:00Z", "score": 0.5} for c in cases])
print("flushed", vigil.flush())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The client as pip installs it, without anything of this project beside it."""
    folder = tmp_path_factory.mktemp("client")
    source = shutil.copytree(ROOT / "client", tmp_path_factory.mktemp("source") / "client")  # building leaves files
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
               "--target", str(folder), str(source)]  # fmt: skip
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-1000:]
    return folder


def test_the_installed_client_keeps_rows_while_the_server_is_away_and_sends_them_once(servers, installed, tmp_path):
    def loop(start):
        url = f"http://127.0.0.1:{servers.port}"
        command = [sys.executable, "-c", LOOP, url, servers.access["id"], servers.access["token"], str(tmp_path), start]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed)}
        answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr[-1000:]

    before = cases_in(servers)[0]
    loop("with")
    assert cases_in(servers)[0] == before + 24
    servers.kill("web")
    loop("away")
    assert len(list(tmp_path.glob("*.ndjson.gz"))) == 3
    servers.web()
    loop("back")
    assert list(tmp_path.glob("*.ndjson.gz")) == []
    rows, cases = cases_in(servers)
    assert (rows, cases) == (before + 72, rows)


@pytest.mark.slow
def test_the_example_with_a_monai_model_logs_every_score_of_its_loop(servers, installed, tmp_path):
    before = cases_in(servers)[0]
    example = ROOT / "client" / "examples" / "monai_loop.py"
    command = [sys.executable, str(example), f"http://127.0.0.1:{servers.port}", servers.access["id"],
               servers.access["token"]]  # fmt: skip
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-1000:]
    assert answer.stdout.count("'accepted': 16") == 2
    assert cases_in(servers)[0] == before + 32
