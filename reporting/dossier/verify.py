#!/usr/bin/env python3
"""Check an evidence dossier without its maker: one file, standard library only, no network.

    python3 verify.py FOLDER_OR_ZIP_OR_PDF [--trust KEY.pem] [--json]

Exit status 0 when every check that could be made holds, 1 when one fails, 2 when the file cannot be read at all.
What is checked: the manifest (every file, no other), the instance's seal over it, the audit chain with its signed
checkpoints, the frozen contents against the chain, every finding against its digest, the twin inside the PDF, the
digests of its signatures, and every number that the summaries of the bundle allow to be computed again.
"""

from __future__ import annotations

import argparse
import base64
import bisect
import datetime
import hashlib
import itertools
import json
import math
import re
import statistics
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

MANIFEST, SEAL, SUMS, CONTENTS, FINDINGS = (
    "manifest.json",
    "manifest.seal.json",
    "SHA256SUMS",
    "dossier.json",
    "findings.json",
)
TRAIL, STATES, KEY = "audit/trail.json", "recompute/states.json", "keys/instance-public-key.pem"
UNLISTED = {MANIFEST, SEAL, SUMS}
MOST_BYTES = 4 << 30


class Report:
    """Checks in the order in which they were made; ``state`` is ok, failed or open (could not be made here)."""

    def __init__(self) -> None:
        self.checks: list[dict[str, str]] = []

    def add(self, key: str, title: str, state: str, told: str) -> None:
        self.checks.append({"key": key, "title": title, "state": state, "told": told})

    def verdict(self, key: str, title: str, wrong: list[str], fine: str) -> None:
        shown = "; ".join(wrong[:8]) + (f"; and {len(wrong) - 8} more" if len(wrong) > 8 else "")
        self.add(key, title, "failed" if wrong else "ok", shown or fine)

    @property
    def failed(self) -> bool:
        return any(check["state"] == "failed" for check in self.checks)


# Reading


class Unreadable(Exception):
    pass


def read_bundle(path: Path, report: Report) -> dict[str, bytes]:
    """Every file by its path in the bundle; names that are twice or lead outside are failed checks."""
    files: dict[str, bytes] = {}
    wrong: list[str] = []
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                files[file.relative_to(path).as_posix()] = file.read_bytes()
    else:
        try:
            with zipfile.ZipFile(path) as bundle:
                if sum(entry.file_size for entry in bundle.infolist()) > MOST_BYTES:
                    raise Unreadable("the bundle unpacks to more than 4 GiB")
                for entry in bundle.infolist():
                    name = entry.filename
                    if name in files:
                        wrong.append(f"{name} is in the zip twice")
                    if name.startswith("/") or ".." in name.split("/") or "\\" in name:
                        wrong.append(f"{name} leads outside of the bundle")
                    try:
                        files[name] = bundle.read(entry)
                    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
                        wrong.append(f"{name} cannot be unpacked ({error})")
                        files[name] = b""
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise Unreadable(f"{path.name} is not a readable zip: {error}") from error
    report.verdict("container", "Container", wrong, f"{len(files)} files, each once")
    return files


def parsed(files: dict[str, bytes], name: str) -> Any:
    try:
        return json.loads(files[name])
    except (KeyError, ValueError):
        return None


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# Manifest and seal


def root_hash(listed: dict[str, Any]) -> str:
    """SHA-256 over the lines ``<sha256>  <path>`` in the order of the paths."""
    return sha256("".join(f"{listed[name]['sha256']}  {name}\n" for name in sorted(listed)).encode())


def check_manifest(files: dict[str, bytes], report: Report) -> dict[str, Any]:
    manifest = parsed(files, MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        report.add("manifest", "Manifest", "failed", f"{MANIFEST} is missing or not readable")
        return {}
    listed, wrong = manifest["files"], []
    for name in sorted(listed):
        if name not in files:
            wrong.append(f"{name} is missing")
        elif sha256(files[name]) != listed[name].get("sha256"):
            wrong.append(f"{name} was changed: its SHA-256 is not the listed one")
        elif len(files[name]) != listed[name].get("size"):
            wrong.append(f"{name} has {len(files[name])} bytes, listed are {listed[name].get('size')}")
    wrong += [f"{name} is not listed" for name in sorted(set(files) - set(listed) - UNLISTED)]
    if root_hash(listed) != manifest.get("root_sha256"):
        wrong.append("the root hash is not that of the list")
    sums = "".join(f"{listed[name]['sha256']}  {name}\n" for name in sorted(listed)).encode()
    if files.get(SUMS) != sums:
        wrong.append(f"{SUMS} does not say the same as {MANIFEST}")
    report.verdict("manifest", "Manifest", wrong, f"{len(listed)} files listed, all present and unchanged")
    return manifest


def check_seal(files: dict[str, bytes], manifest: dict[str, Any], trusted: bytes | None, report: Report) -> None:
    seal, pem = parsed(files, SEAL), files.get(KEY)
    if not isinstance(seal, dict) or pem is None:
        report.add("seal", "Seal of the instance", "failed", f"{SEAL} or {KEY} is missing or not readable")
        return
    wrong = []
    key = public_key(pem)
    statement = seal.get("statement")
    if not isinstance(statement, dict) or statement.get("root_sha256") != root_hash(manifest.get("files", {})):
        wrong.append("the seal is for another manifest")
    elif not ed25519_holds(key, canonical(statement), seal.get("signature", "")):
        wrong.append("the seal's signature does not hold: the manifest was rewritten")
    trail = parsed(files, TRAIL) or {}
    if public_key(str(trail.get("public_key_pem", "")).encode()) != key:
        wrong.append("the manifest is sealed by another key than the audit trail's")
    if trusted is not None and key != trusted:
        wrong.append("the key is not the trusted one")
    told = f"key {sha256(key)[:16]}…" if key else "no key"
    told += (
        ", the trusted one"
        if trusted is not None
        else ": compare it with the one that the instance has published (--trust)"
    )
    report.verdict("seal", "Seal of the instance", wrong, told)


# Audit trail


def check_trail(files: dict[str, bytes], report: Report) -> dict[str, Any]:
    trail = parsed(files, TRAIL)
    if not isinstance(trail, dict) or not trail.get("links"):
        report.add("trail", "Audit trail", "failed", f"{TRAIL} is missing, empty or not readable")
        return {}
    key = public_key(str(trail.get("public_key_pem", "")).encode())
    wrong: list[str] = []
    previous, position = trail.get("previous", ""), None
    hashes: dict[int, str] = {}
    events = 0
    for link in trail["links"]:
        here = link.get("position")
        if position is not None and here != position + 1:
            wrong.append(f"link {here} stands after link {position}: events were removed or re-ordered")
        position = here
        if link.get("event") is not None:
            events += 1
            if sha256(canonical(link["event"])) != link.get("event_sha256"):
                wrong.append(f"the event at link {here} ({link['event'].get('action')}) was changed")
        expected = sha256(f"{previous}:{here}:{link.get('event_sha256')}".encode())
        if expected != link.get("sha256"):
            wrong.append(f"link {here} does not follow from the one before it")
        previous = link.get("sha256", "")
        hashes[here] = previous
    good = 0
    for point in trail.get("checkpoints", []):
        statement = {name: point.get(name) for name in ("position", "sha256", "at", "key_id")}
        if hashes.get(point.get("position")) != point.get("sha256"):
            wrong.append(f"the checkpoint at link {point.get('position')} does not match the chain")
        elif point.get("key_id") != sha256(key) or not ed25519_holds(
            key, canonical(statement), point.get("signature", "")
        ):
            wrong.append(f"the signature of the checkpoint at link {point.get('position')} does not hold")
        else:
            good += 1
    if not any(point.get("position") == position for point in trail.get("checkpoints", [])):
        wrong.append(f"no signed checkpoint covers the end of the chain at link {position}")
    report.verdict(
        "trail",
        "Audit trail",
        wrong,
        f"{len(trail['links'])} links, {events} events in full, {good} signed checkpoints",
    )
    return trail


# Contents and findings


def check_contents(
    files: dict[str, bytes], manifest: dict[str, Any], trail: dict[str, Any], report: Report
) -> dict[str, Any]:
    contents = parsed(files, CONTENTS)
    if not isinstance(contents, dict) or contents.get("format") != "vigil-dossier-contents":
        report.add("contents", "Frozen contents", "failed", f"{CONTENTS} is missing or not a dossier's contents")
        return {}
    wrong = []
    digest = sha256(files[CONTENTS])
    if canonical(contents) != files[CONTENTS]:
        wrong.append(f"{CONTENTS} is not in canonical form: it was written by another hand")
    if manifest.get("contents_sha256") != digest:
        wrong.append("the manifest names other contents")
    frozen = [
        link["event"] for link in trail.get("links", []) if (link.get("event") or {}).get("action") == "dossier.freeze"
    ]
    number = contents.get("identity", {}).get("number")
    if digest not in [
        (event.get("new") or {}).get("contents_sha256")
        for event in frozen
        if (event.get("new") or {}).get("number") == number
    ]:
        wrong.append("the audit trail has no event that froze these contents: they were changed after freezing")
    for name, expected in contents.get("files", {}).items():
        if sha256(files.get(name, b"")) != expected:
            wrong.append(f"{name} is not the file that was frozen")
    report.verdict("contents", "Frozen contents", wrong, f"{digest}, as the audit trail recorded it")
    return contents


def check_findings(files: dict[str, bytes], contents: dict[str, Any], report: Report) -> dict[str, Any]:
    evidence = contents.get("evidence", {})
    public = contents.get("identity", {}).get("audience") == "public"
    wrong = []
    for key, item in evidence.items():
        if item.get("digest", "")[:12] != key or item.get("id") != key:
            wrong.append(f"evidence {key} has another id than its digest")
        elif not public and sha256(canonical(item.get("finding"))) != item["digest"]:
            wrong.append(f"evidence {key} was changed: its digest is not that of its content")
    if parsed(files, FINDINGS) != [evidence[key] for key in sorted(evidence)]:
        wrong.append(f"{FINDINGS} does not say the same as {CONTENTS}")
    cited = set()
    for section in contents.get("sections", []):
        for block in section.get("blocks", []):
            cited.update(block.get("evidence", []))
            if block.get("kind") == "figure" and not public:
                wrong += [
                    f"figure {block['id']} is missing" for name in (f"figures/{block['id']}.svg",) if name not in files
                ]
    wrong += [f"evidence {key} is cited and not there" for key in sorted(cited - set(evidence))]
    told = f"{len(evidence)} findings, {len(cited)} cited"
    report.verdict(
        "findings",
        "Findings",
        wrong,
        told + (", digests are those of the unredacted findings" if public else ", each with its digest"),
    )
    return evidence


# The PDF


def check_pdf(content: bytes, twin: bytes | None, report: Report) -> None:
    if not content.startswith(b"%PDF-"):
        report.add("pdf", "PDF", "failed", "the file is not a PDF")
        return
    found = attached(content)
    wrong = []
    if found is None:
        wrong.append("no readable twin is attached")
    else:
        if twin is not None and found != twin:
            wrong.append(f"the attached twin is not {CONTENTS} of the bundle")
        if sha256(found).encode() not in content.replace(b"\r", b""):
            wrong.append("the attached twin does not have the content hash that the metadata state")
    report.verdict("pdf", "PDF and its twin", wrong, f"attached twin has the content hash {sha256(found or b'')}")
    check_signed_digests(content, report)


def attached(content: bytes) -> bytes | None:
    """The embedded file that is a dossier's contents, whatever its compression."""
    for place in re.finditer(rb"/Type\s*/EmbeddedFile", content):
        start = content.find(b"stream", place.end())
        if start < 0:
            continue
        start += 8 if content[start + 6 : start + 8] == b"\r\n" else 7
        end = content.find(b"endstream", start)
        body = content[start:end]
        try:
            text = zlib.decompressobj().decompress(body)
        except zlib.error:
            text = body
        if b'"format":"vigil-dossier-contents"' in text:
            return text
    return None


def check_signed_digests(content: bytes, report: Report) -> None:
    """Each signature's digest over its byte range, and that the last one covers the whole file."""
    ranges = [
        tuple(map(int, m.groups()))
        for m in re.finditer(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]", content)
    ]
    if not ranges:
        report.add("signed", "Signatures of the PDF", "open", "the PDF is not signed")
        return
    wrong = []
    for number, (a, b, c, d) in enumerate(ranges, start=1):
        held = content[a + b + 1 : c - 1]
        try:
            cms = bytes.fromhex(held.decode("ascii"))
        except ValueError:
            wrong.append(f"signature {number} is damaged")
            continue
        digest = hashlib.sha256(content[a : a + b] + content[c : c + d]).digest()
        marker = bytes.fromhex("06092a864886f70d010904312204 20".replace(" ", ""))
        at = cms.find(marker)
        if at < 0 or cms[at + len(marker) : at + len(marker) + 32] != digest:
            wrong.append(f"the bytes that signature {number} covers were changed")
        size = _der_size(cms)
        if size is None or any(cms[size:]):
            wrong.append(f"signature {number} is damaged")
    a, b, c, d = ranges[-1]
    if a != 0 or c + d != len(content):
        wrong.append("the last signature does not cover the whole file: something was added after it")
    told = (
        f"{len(ranges)} signature{'s' if len(ranges) > 1 else ''} over unchanged bytes; who signed is checked by "
        "`vigil dossier verify` or a PDF viewer"
    )
    report.verdict("signed", "Signatures of the PDF", wrong, told)


def _der_size(content: bytes) -> int | None:
    if len(content) < 2 or content[0] != 0x30:
        return None
    if content[1] < 0x80:
        return 2 + content[1]
    count = content[1] & 0x7F
    return 2 + count + int.from_bytes(content[2 : 2 + count], "big") if count else None


# Ed25519 (RFC 8032), verification only

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)


def public_key(pem: bytes) -> bytes:
    """The raw 32 bytes of a PEM public key; empty when it is none."""
    lines = [line for line in pem.decode("ascii", "replace").splitlines() if line and not line.startswith("-")]
    try:
        der = base64.b64decode("".join(lines), validate=True)
    except ValueError:
        return b""
    return der[-32:] if der[:12] == bytes.fromhex("302a300506032b6570032100") and len(der) == 44 else b""


def ed25519_holds(key: bytes, message: bytes, signature: str) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
    except (ValueError, TypeError):
        return False
    if len(raw) != 64 or len(key) != 32:
        return False
    a, r = _point(key), _point(raw[:32])
    s = int.from_bytes(raw[32:], "little")
    if a is None or r is None or s >= _L:
        return False
    h = int.from_bytes(hashlib.sha512(raw[:32] + key + message).digest(), "little") % _L
    left, right = _times(s, _BASE), _add(r, _times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (left[1] * right[2] - right[1] * left[2]) % _P == 0


def _point(raw: bytes) -> tuple[int, int, int, int] | None:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _add(p: tuple[int, int, int, int], q: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(s: int, p: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    q = (0, 1, 1, 0)
    while s:
        if s & 1:
            q = _add(q, p)
        p = _add(p, p)
        s >>= 1
    return q


_BASE = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little")) or (0, 1, 1, 0)


# Numbers computed again


class Masses:
    """Sorted positions with the cases at each, from a stored state."""

    def __init__(self, state: dict[str, Any]) -> None:
        if state["kind"] == "binned":
            width = (state["high"] - state["low"]) / state["bins"]
            pairs = [(state["low"] + width * (int(b) + 0.5), n) for b, n in state["counts"].items()]
            pairs += [(state["low"], state["under"]), (state["high"], state["over"])]
        else:
            pairs = list(zip(state["positions"], state["masses"], strict=True))
        pairs = sorted((x, n) for x, n in pairs if n > 0)
        self.x = [x for x, _ in pairs]
        self.cumulative = [0.0]
        for _, n in pairs:
            self.cumulative.append(self.cumulative[-1] + n)
        self.pairs = pairs
        self.n = self.cumulative[-1]

    def cdf(self, at: float) -> float:
        return self.cumulative[bisect.bisect_right(self.x, at)] / self.n

    def quantile(self, share: float) -> float:
        place = bisect.bisect_left(self.cumulative, share * self.n - 1e-9, 1) - 1
        return self.x[min(place, len(self.x) - 1)]

    @property
    def sd(self) -> float:
        mean = sum(x * n for x, n in self.pairs) / self.n
        return math.sqrt(sum((x - mean) ** 2 * n for x, n in self.pairs) / self.n)


def psi(p: list[float], q: list[float]) -> float:
    ps, qs = [a + 0.5 for a in p], [b + 0.5 for b in q]
    return sum(
        (b / sum(qs) - a / sum(ps)) * math.log((b / sum(qs)) / (a / sum(ps))) for a, b in zip(ps, qs, strict=True)
    )


def js(p: list[float], q: list[float]) -> float:
    total = 0.0
    for a, b in zip((x / sum(p) for x in p), (x / sum(q) for x in q), strict=True):
        m = (a + b) / 2
        total += (a * math.log2(a / m) if a else 0.0) + (b * math.log2(b / m) if b else 0.0)
    return math.sqrt(max(0.0, total / 2))


def decile_counts(reference: Masses, current: Masses, bins: int) -> tuple[list[float], list[float]]:
    edges = sorted({reference.quantile(k / bins) for k in range(1, bins)})
    edges = [e for e in edges if e < reference.x[-1]]

    def counts(sample: Masses) -> list[float]:
        bounds = [0.0, *(sample.cumulative[bisect.bisect_right(sample.x, e)] for e in edges), sample.n]
        return [b - a for a, b in itertools.pairwise(bounds)]

    return counts(reference), counts(current)


def ks(reference: Masses, current: Masses) -> float:
    return max(abs(reference.cdf(x) - current.cdf(x)) for x in {*reference.x, *current.x})


def w1(reference: Masses, current: Masses) -> float:
    points = sorted({*reference.x, *current.x})
    return sum(abs(reference.cdf(a) - current.cdf(a)) * (b - a) for a, b in itertools.pairwise(points))


def cramer_v(p: list[float], q: list[float]) -> float:
    n, total = (sum(p), sum(q)), sum(p) + sum(q)
    statistic = 0.0
    for row, size in ((p, n[0]), (q, n[1])):
        for level, value in enumerate(row):
            expected = size * (p[level] + q[level]) / total
            statistic += (value - expected) ** 2 / expected
    k = len(p)
    phi = max(0.0, statistic / total - (k - 1) / (total - 1))
    width = k - (k - 1) ** 2 / (total - 1)
    return math.sqrt(phi / min(width - 1, 1 - 1 / (total - 1))) if width > 1 else 0.0


def auroc_of_ranks(ranks: list[list[int]]) -> tuple[float, float, int, int]:
    """AUROC, DeLong's variance, positives and negatives from [positives, negatives] at each distinct score,
    ascending."""
    positives, negatives = sum(r[0] for r in ranks), sum(r[1] for r in ranks)
    below_p = below_n = 0
    of_p: list[tuple[float, int]] = []
    of_n: list[tuple[float, int]] = []
    for p, n in ranks:
        if p:
            of_p.append(((below_n + n / 2) / negatives, p))
        if n:
            of_n.append((1 - (below_p + p / 2) / positives, n))
        below_p, below_n = below_p + p, below_n + n
    area = sum(v * w for v, w in of_p) / positives

    def spread(values: list[tuple[float, int]], size: int) -> float:
        mean = sum(v * w for v, w in values) / size
        return sum(w * (v - mean) ** 2 for v, w in values) / (size - 1) / size if size > 1 else math.nan

    return area, spread(of_p, positives) + spread(of_n, negatives), positives, negatives


def z_of(level: float) -> float:
    low, high = 0.0, 40.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle / math.sqrt(2)) < level else (low, middle)
    return (low + high) / 2


def auroc_interval(
    area: float, variance: float, p: int, n: int, method: str, level: float
) -> tuple[float, float] | None:
    z = z_of(level)
    reach = z * math.sqrt(variance) if variance == variance else math.nan
    if method == "delong":
        return max(0.0, area - reach), min(1.0, area + reach)
    if method == "delong_logit":
        centre, reach = math.log(area / (1 - area)), reach / (area * (1 - area))
        return 1 / (1 + math.exp(reach - centre)), 1 / (1 + math.exp(-reach - centre))
    if method == "newcombe":
        size = (p + n) / 2 - 1

        def excess(t: float) -> float:
            s = t * (1 - t) / (p * n) * (1 + size * (1 - t) / (2 - t) + size * t / (1 + t))
            return (area - t) ** 2 - z * z * s

        return (0.0 if area == 0 else _root(excess, 0.0, area - 1e-12)), (
            1.0 if area == 1 else _root(excess, area + 1e-12, 1.0)
        )
    return None


def _root(f: Any, low: float, high: float) -> float:
    rising = f(high) > f(low)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if (f(middle) < 0) == rising else (low, middle)
    return (low + high) / 2


def wilson(hits: float, n: float, level: float) -> tuple[float, float]:
    z, share = z_of(level), hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def check_numbers(files: dict[str, bytes], evidence: dict[str, Any], report: Report) -> None:
    """Compute again what the bundle allows, and say how many numbers that were of how many."""
    states = parsed(files, STATES) or {}
    wrong: list[str] = []
    equal, near, bounds = 0, 0, 0
    done: set[str] = set()
    for entry in states.get("comparisons", []):
        reference = states["references"].get(entry["reference"])
        for key in entry["evidence"]:
            finding = (evidence.get(key) or {}).get("finding")
            if finding is None or finding.get("value") is None or reference is None:
                continue
            again = _again(finding, reference, entry["state"])
            if again is None:
                continue
            value, tolerance = again
            done.add(key)
            if abs(value - finding["value"]) <= 1e-9 * max(1.0, abs(value)):
                equal += 1
            elif abs(value - finding["value"]) <= tolerance:
                near += 1
            else:
                wrong.append(
                    f"{finding['quantity']} of {finding['signal']} ({key}) is {finding['value']:.6g}, computed "
                    f"again {value:.6g}"
                )
    for entry in states.get("rankings", []):
        finding = (evidence.get(entry["evidence"]) or {}).get("finding")
        if finding is None or finding.get("value") is None:
            continue
        area, variance, p, n = auroc_of_ranks(entry["ranks"])
        done.add(entry["evidence"])
        if abs(area - finding["value"]) > 1e-9:
            wrong.append(f"auroc ({entry['evidence']}) is {finding['value']:.6g}, computed again {area:.6g}")
            continue
        equal += 1
        interval = finding.get("interval")
        again_bounds = interval and auroc_interval(area, variance, p, n, interval["method"], interval["level"])
        if again_bounds:
            bounds += 1
            if max(abs(again_bounds[0] - interval["low"]), abs(again_bounds[1] - interval["high"])) > 1e-6:
                wrong.append(f"the interval of auroc ({entry['evidence']}) is not the one computed again")
    for key, item in evidence.items():
        finding = item.get("finding") or {}
        told = _from_details(finding)
        if told is None or finding.get("value") is None:
            continue
        value, interval_again = told
        if abs(value - finding["value"]) > 1e-9:
            wrong.append(f"{finding['quantity']} ({key}) is {finding['value']:.6g}, its counts give {value:.6g}")
            continue
        equal += key not in done
        done.add(key)
        if interval_again is not None:
            bounds += 1
            interval = finding["interval"]
            if max(abs(interval_again[0] - interval["low"]), abs(interval_again[1] - interval["high"])) > 1e-6:
                wrong.append(f"the interval of {finding['quantity']} ({key}) is not the one computed again")
    charts, charts_wrong = check_charts(states, evidence, done)
    equal += charts
    wrong += charts_wrong + _day_sums(states)
    known = sum(1 for item in evidence.values() if (item.get("finding") or {}).get("value") is not None)
    if not known:
        report.add("numbers", "Numbers computed again", "open", "the dossier holds no value")
        return
    told_words = (
        f"{len(done)} of {known} values: {equal} equal, {near} within the error of their summary, {bounds} "
        f"intervals equal, {charts} control charts point by point; "
        f"{known - len(done)} need cases or draws that the bundle does not hold"
    )
    report.verdict("numbers", "Numbers computed again", wrong, told_words)


def _again(finding: dict[str, Any], reference: dict[str, Any], current: dict[str, Any]) -> tuple[float, float] | None:
    """The value computed again, and how far a summary may stray (sketches are merged with random choices)."""
    quantity = finding["quantity"]
    if quantity == "chi_square" and reference["kind"] == "categories":
        levels = list(reference["counts"]) + [name for name in current["counts"] if name not in reference["counts"]]
        p = [reference["counts"].get(name, 0) for name in levels]
        q = [current["counts"].get(name, 0) for name in levels]
        if reference["missing"] or current["missing"]:
            p, q = [*p, reference["missing"]], [*q, current["missing"]]
        return cramer_v(p, q), 1e-9
    if reference["kind"] == "categories" or current["kind"] == "categories":
        return None
    a, b = Masses(reference), Masses(current)
    loose = reference["kind"] == "masses" and (
        max(reference["masses"], default=1) > 1 or max(current["masses"], default=1) > 1
    )
    if quantity == "ks":
        return ks(a, b), 0.02 if loose else 1e-9
    if quantity == "w1_sd":
        value = w1(a, b) / a.sd
        return value, 0.02 + 0.02 * abs(value) if loose else 1e-9
    if quantity in ("psi", "js"):
        wanted = 10
        p_counts, q_counts = decile_counts(a, b, wanted)
        value = psi(p_counts, q_counts) if quantity == "psi" else js(p_counts, q_counts)
        return value, 0.02 + 0.1 * abs(value) if loose else 1e-9
    return None


def _from_details(finding: dict[str, Any]) -> tuple[float, tuple[float, float] | None] | None:
    """Proportions from their numerator and denominator, PSI from its own counts."""
    details = finding.get("details") or {}
    if "numerator" in details and "denominator" in details and details["denominator"]:
        hits, n = details["numerator"], details["denominator"]
        interval = finding.get("interval") or {}
        effect = details.get("design_effect") or 1.0
        again = wilson(hits / effect, n / effect, interval["level"]) if interval.get("method") == "wilson" else None
        return hits / n, again
    if finding.get("quantity") == "psi" and "reference_counts" in details:
        return psi(details["reference_counts"], details["current_counts"]), None
    return None


# Control charts computed again from the days


def check_charts(states: dict[str, Any], evidence: dict[str, Any], done: set[str]) -> tuple[int, list[str]]:
    """Every point of every control chart that the bundle allows; how many charts were equal, and what was not."""
    equal, wrong = 0, []
    for entry in states.get("charts", []):
        key, finding = entry["evidence"], (evidence.get(entry["evidence"]) or {}).get("finding")
        if finding is None:
            continue
        told = _chart_again(finding, _weeks(states, entry, finding["signal"]))
        done.add(key)
        equal += told is None
        if told is not None:
            wrong.append(f"the {finding['quantity']} chart of {finding['signal']} ({key}) {told}")
    for entry in states.get("outcomes", []):
        key, finding = entry["evidence"], (evidence.get(entry["evidence"]) or {}).get("finding")
        if finding is None:
            continue
        told = _process_again(finding, entry["outcomes"])
        done.add(key)
        equal += told is None
        if told is not None:
            wrong.append(f"the e-process of {finding['signal']} ({key}) {told}")
    for key, item in evidence.items():
        finding = item.get("finding") or {}
        if states and (finding.get("details") or {}).get("weeks") and key not in done:
            wrong.append(f"the {finding['quantity']} chart of {finding['signal']} ({key}) has no days in the bundle")
        told = _chart_agrees_with_itself(finding)
        if told is not None:
            wrong.append(f"the {item['finding']['quantity']} chart ({key}) {told}")
    return equal, wrong


def _weeks(states: dict[str, Any], entry: dict[str, Any], signal: str) -> list[tuple[str, int, float]]:
    """(first day, cases, mean) of each week from the days of the bundle."""
    start = datetime.date.fromisoformat(entry["start"])
    sums: dict[int, tuple[int, float]] = {}
    for day in states.get("days", []):
        if day.get("deployment") == entry["deployment"] and day["signal"] == signal and day.get("valued"):
            place = (datetime.date.fromisoformat(day["day"]) - start).days // 7
            n, total = sums.get(place, (0, 0.0))
            sums[place] = (n + day["valued"], total + _day_total(day))
    return [
        ((start + datetime.timedelta(days=7 * place)).isoformat(), n, total / n)
        for place, (n, total) in sorted(sums.items())
        if n >= 20
    ]


def _day_total(day: dict[str, Any]) -> float:
    if "bins" not in day:
        return float(day["total"])
    width = (day["high"] - day["low"]) / day["bins"]
    inside = sum((day["low"] + width * (int(b) + 0.5)) * n for b, n in day["counts"].items())
    return float(inside + day["low"] * day["under"] + day["high"] * day["over"])


def _chart_again(finding: dict[str, Any], weeks: list[tuple[str, int, float]]) -> str | None:
    details, settings = finding["details"], finding["method"]["parameters"]
    if [[week["start"], week["n"]] for week in details["weeks"]] != [[start, n] for start, n, _ in weeks]:
        return "has other weeks than the days give"
    z = self_starting([mean for _, _, mean in weeks])
    quantity = finding["quantity"]
    if quantity == "cusum":
        up = down = 0.0
        path = []
        for value in z:
            up, down = max(0.0, up + value - settings["k"]), max(0.0, down - value - settings["k"])
            path.append({"two": max(up, down), "upper": up, "lower": down}[settings["side"]])
        limits = [settings["h"]] * len(path)
    elif quantity == "ewma":
        level, path, limits, weight = 0.0, [], [], settings["weight"]
        for place, value in enumerate(z, start=1):
            level += weight * (value - level)
            path.append(level)
            spread = weight / (2 - weight) * (1 - (1 - weight) ** (2 * place))
            limits.append(settings["limit"] * math.sqrt(spread))
    else:
        path, limits = z, [settings["limit"]] * len(z)
    return _differs(finding, path, details["path"], limits, both=quantity != "cusum")


def _process_again(finding: dict[str, Any], outcomes: str) -> str | None:
    details, settings = finding["details"], finding["method"]["parameters"]
    p0, path = settings["p0"], []
    logs = [-math.inf] * len(settings["rates"])
    for outcome in outcomes:
        for place, rate in enumerate(settings["rates"]):
            step = math.log(rate / p0) if outcome == "1" else math.log((1 - rate) / (1 - p0))
            logs[place] = max(logs[place], 0.0) + math.log1p(math.exp(-abs(logs[place]))) + step
        top = max(logs)
        whole = top + math.log(sum(math.exp(v - top) for v in logs) / len(logs))
        path.append(math.exp(min(whole, 700.0)))
    if finding["n_cases"] != len(outcomes) or details["errors"] != outcomes.count("1"):
        return "has other cases than its outcomes"
    every = details["every"]
    return _differs(finding, path, details["path"], [settings["arl0"]] * len(path), both=False, every=every)


def _differs(
    finding: dict[str, Any], path: list[float], told: list[float], limits: list[float], *, both: bool, every: int = 1
) -> str | None:
    thinned = path[::every]
    if len(thinned) != len(told):
        return f"has {len(told)} points, computed again {len(thinned)}"
    for place, (mine, theirs) in enumerate(zip(thinned, told, strict=True)):
        if not _near(mine, theirs):
            return f"is {theirs:.6g} at point {place * every + 1}, computed again {mine:.6g}"
    if not _near(path[-1], finding["value"]):
        return f"is {finding['value']:.6g} at its end, computed again {path[-1]:.6g}"
    if not _near(limits[-1], finding["details"]["limit"]):
        return f"has the limit {finding['details']['limit']:.6g}, its design gives {limits[-1]:.6g}"
    for place, value in enumerate(finding["details"].get("upper") or []):
        if not _near(value, limits[place]):
            return f"has the limit {value:.6g} at point {place + 1}, its design gives {limits[place]:.6g}"
    beyond = [v >= limit or (both and v <= -limit) for v, limit in zip(path, limits, strict=True)]
    alarm = beyond.index(True) if True in beyond else None
    if alarm != finding["details"]["alarm_index"] or (finding["state"] == "act") != (alarm is not None):
        words = "no point" if alarm is None else f"point {alarm + 1}"
        return f"is in state {finding['state']}, but {words} is the first beyond the limit"
    return None


def _chart_agrees_with_itself(finding: dict[str, Any]) -> str | None:
    """What can be said of a chart whose cases the bundle does not hold: its path, its alarm and its state agree."""
    details = finding.get("details") or {}
    path, limit, every = details.get("path"), details.get("limit"), details.get("every", 1)
    if not path or limit is None or "alarm_index" not in details or details.get("weeks"):
        return None
    alarm = details["alarm_index"]
    if (finding["state"] == "act") != (alarm is not None):
        return f"is in state {finding['state']}, its alarm is {alarm}"
    first = next((place * every for place, value in enumerate(path) if value >= limit), None)
    if first is not None and (alarm is None or alarm > first):
        return f"passes its limit at case {first + 1} without an alarm there"
    if len(path) != -(-finding["n_cases"] // every):
        return f"has {len(path)} points for {finding['n_cases']} cases"
    return None


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * max(1.0, abs(a), abs(b))


def self_starting(values: list[float]) -> list[float]:
    """Hawkins' statistic: each value's t against all before it, as the normal deviate of the same probability."""
    z = [0.0] * len(values)
    total = squares = 0.0
    for place, value in enumerate(values):
        x = value - values[0]
        if place >= 2:
            mean = total / place
            spread = math.sqrt(max(squares - place * mean * mean, 0.0) / (place - 1))
            if spread > 0:
                t = math.sqrt(place / (place + 1)) * (x - mean) / spread
                tail = statistics.NormalDist().inv_cdf(max(t_tail(abs(t), place - 1), 1e-15))
                z[place] = math.copysign(tail, t) if t else 0.0
        total, squares = total + x, squares + x * x
    return z


def t_tail(t: float, freedom: int) -> float:
    """P(T ≥ t) of Student's distribution for t ≥ 0, by the incomplete beta function (Lentz's continued fraction)."""
    x, a, b = freedom / (freedom + t * t), freedom / 2, 0.5
    return 0.5 * (_beta(x, a, b) if x < (a + 1) / (a + b + 2) else 1 - _beta(1 - x, b, a))


def _beta(x: float, a: float, b: float) -> float:
    if x <= 0:
        return 0.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1 / _away_from_0(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, 1000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / _away_from_0(1 + step * d), _away_from_0(1 + step / c)
            found *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * found


def _away_from_0(value: float) -> float:
    return value if abs(value) > 1e-300 else 1e-300


def _day_sums(states: dict[str, Any]) -> list[str]:
    """Whether the windows are the sums of the days that the bundle holds (counts that add up exactly)."""
    wrong = []
    for entry in states.get("comparisons", []):
        days = entry.get("days")
        if days is None or entry["state"]["kind"] == "masses":
            continue
        whole: dict[str, int] = {}
        for place in days:
            for name, n in states["days"][place].get("counts", {}).items():
                whole[name] = whole.get(name, 0) + n
        if whole != {name: n for name, n in entry["state"]["counts"].items() if n}:
            wrong.append(
                f"the days of {entry['signal']} from {entry['window']['start'][:10]} do not add up to its window"
            )
    return wrong


# The whole


def verify_path(path: Path, *, trusted: bytes | None = None) -> Report:
    report = Report()
    if not path.exists():
        raise Unreadable(f"{path} is not there")
    if path.is_file() and path.open("rb").read(5) == b"%PDF-":
        check_pdf(path.read_bytes(), None, report)
        twin = attached(path.read_bytes())
        if twin is not None:
            contents = json.loads(twin)
            check_findings(
                {
                    FINDINGS: canonical([contents["evidence"][k] for k in sorted(contents["evidence"])]),
                    **_all_figures(contents),
                },
                contents,
                report,
            )
            check_numbers({}, contents["evidence"], report)
        return report
    files = read_bundle(path, report)
    manifest = check_manifest(files, report)
    check_seal(files, manifest, trusted, report)
    trail = check_trail(files, report)
    contents = check_contents(files, manifest, trail, report)
    evidence = check_findings(files, contents, report)
    check_pdf(files.get("dossier.pdf", b""), files.get(CONTENTS), report)
    check_numbers(files, evidence, report)
    return report


def _all_figures(contents: dict[str, Any]) -> dict[str, bytes]:
    return {
        f"figures/{b['id']}.svg": b"" for s in contents["sections"] for b in s["blocks"] if b.get("kind") == "figure"
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check an evidence dossier: bundle (zip or folder) or PDF.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--trust", type=Path, help="PEM public key that the instance has published")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    try:
        trusted = public_key(options.trust.read_bytes()) if options.trust else None
        if trusted == b"":
            raise Unreadable(f"{options.trust} holds no Ed25519 public key")
        report = verify_path(options.file, trusted=trusted)
    except (Unreadable, OSError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({"holds": not report.failed, "checks": report.checks}, ensure_ascii=False, indent=1))
    else:
        for check in report.checks:
            print(f"{check['state']:>6}  {check['title']}: {check['told']}")
        print("FAILED" if report.failed else "Every check that could be made holds.")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
