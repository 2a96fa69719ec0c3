"""Tampering with a finished bundle, one kind after another: the verifier names each, under a bare Python."""

import hashlib
import json
import random
import shutil
import subprocess
import zipfile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from records.canonical import canonical_json, content_hash
from reporting.dossier import bundle
from tests.dossiers import Instance, bundle_files, resealed, zipped

PYTHON = shutil.which("python3")


@pytest.fixture(scope="module")
def instance():
    return Instance()


@pytest.fixture(scope="module")
def files(instance):
    return bundle_files(instance=instance)


def run(folder, content, *more):
    """Exit status and words of verify.py under ``python3 -I -S``: no site-packages, no environment, another folder."""
    path = folder / "bundle.zip"
    path.write_bytes(content)
    program = folder / "verify.py"
    program.write_bytes(bundle.VERIFIER.read_bytes())
    done = subprocess.run(
        [PYTHON, "-I", "-S", str(program), str(path), *more],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        env={},
    )
    return done.returncode, done.stdout + done.stderr


def test_an_untouched_bundle_holds(files, tmp_path, instance):
    (tmp_path / "key.pem").write_bytes(instance.pem)
    status, words = run(tmp_path, zipped(files), "--trust", str(tmp_path / "key.pem"))
    assert status == 0, words
    assert "the trusted one" in words and "Every check that could be made holds" in words
    # five statistics, AUROC and sensitivity in 12 windows, three charts of weeks and two e-processes: all again
    assert "89 of 89 values: 89 equal" in words and "5 control charts point by point" in words


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def change_json(files, name, change):
    content = json.loads(files[name])
    change(content)
    return {**files, name: bundle.indented(content)}


def better_auroc(finding):
    finding["value"] = round(finding["value"] + 0.02, 6)
    finding["interval"]["high"] = max(finding["interval"]["high"], finding["value"])


def calmer_chart(finding):
    """An alarm taken back: the whole path halved, its end with it, and the state set to ok."""
    assert finding["state"] == "act"
    finding["details"]["path"] = [value / 2 for value in finding["details"]["path"]]
    finding["details"]["alarm_index"], finding["value"], finding["state"] = None, finding["value"] / 2, "ok"


def wider_limit(finding):
    """An alarm taken back by a limit that its design does not give."""
    finding["details"]["limit"] = finding["details"]["limit"] * 3
    finding["details"]["alarm_index"], finding["state"] = None, "ok"


def quieter_week(finding):
    finding["details"]["path"][4] *= 0.99


def fewer_errors(finding):
    finding["details"]["errors"] -= 5


def forged(files, instance, *, reseal, quantity="auroc", forge=better_auroc):
    """One finding changed everywhere: contents, findings, digests, ids, and the manifest made anew."""
    contents = json.loads(files["dossier.json"])
    key = next(k for k, e in contents["evidence"].items() if e["finding"]["quantity"] == quantity)
    item = contents["evidence"].pop(key)
    finding = item["finding"]
    forge(finding)
    digest = content_hash(finding)
    contents["evidence"][digest[:12]] = {**item, "id": digest[:12], "digest": digest}
    text = canonical_json(contents).decode().replace(key, digest[:12])
    rows = [json.loads(text)["evidence"][k] for k in sorted(json.loads(text)["evidence"])]
    states = files["recompute/states.json"].replace(key.encode(), digest[:12].encode())
    changed = {
        **files,
        "dossier.json": text.encode(),
        "findings.json": bundle.indented(rows),
        "recompute/states.json": states,
    }
    return resealed(changed, instance=instance) if reseal else changed


def other_key(files, instance):
    stranger = Instance()
    stranger.key = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    return resealed({**files, "keys/instance-public-key.pem": stranger.pem}, instance=stranger)


def swap_events(trail):
    links = trail["links"]
    links[1]["event"], links[2]["event"] = links[2]["event"], links[1]["event"]
    links[1]["event_sha256"], links[2]["event_sha256"] = links[2]["event_sha256"], links[1]["event_sha256"]


def reorder_links(trail):
    trail["links"][1], trail["links"][2] = trail["links"][2], trail["links"][1]


TAMPERINGS = {
    "a flipped byte in the PDF": (
        lambda f, i: {**f, "dossier.pdf": flipped(f["dossier.pdf"], 5000)},
        "dossier.pdf was changed",
    ),
    "a flipped byte in the twin": (
        lambda f, i: {**f, "dossier.json": flipped(f["dossier.json"], 900)},
        "dossier.json was changed",
    ),
    "a flipped byte in a figure": (
        lambda f, i: {**f, **{n: flipped(c, 40) for n, c in f.items() if n.endswith("F-18-P-1.svg")}},
        "F-18-P-1.svg was changed",
    ),
    "a removed file": (
        lambda f, i: {n: c for n, c in f.items() if n != "findings.parquet"},
        "findings.parquet is missing",
    ),
    "an added file": (lambda f, i: {**f, "note.txt": b"approved"}, "note.txt is not listed"),
    "two files exchanged": (
        lambda f, i: {**f, "ml-bom.json": f["coverage.json"], "coverage.json": f["ml-bom.json"]},
        "ml-bom.json was changed",
    ),
    "re-ordered audit events": (
        lambda f, i: resealed(change_json(f, "audit/trail.json", swap_events), instance=i),
        "does not follow from the one before it",
    ),
    "re-ordered links": (
        lambda f, i: resealed(change_json(f, "audit/trail.json", reorder_links), instance=i),
        "removed or re-ordered",
    ),
    "a changed audit event": (
        lambda f, i: resealed(
            change_json(f, "audit/trail.json", lambda t: t["links"][1]["event"].update(reason="x")), instance=i
        ),
        "event at link 2 (alarm.open) was changed",
    ),
    "a removed audit event": (
        lambda f, i: resealed(change_json(f, "audit/trail.json", lambda t: t["links"].pop(1)), instance=i),
        "removed or re-ordered",
    ),
    "a checkpoint signed by nobody": (
        lambda f, i: resealed(
            change_json(f, "audit/trail.json", lambda t: t["checkpoints"][0].update(at="2026-01-01T00:00:00+00:00")),
            instance=i,
        ),
        "signature of the checkpoint at link 5 does not hold",
    ),
    "no checkpoint at the end": (
        lambda f, i: resealed(change_json(f, "audit/trail.json", lambda t: t["checkpoints"].clear()), instance=i),
        "no signed checkpoint covers the end",
    ),
    "a forged number, manifest and sums recomputed": (
        lambda f, i: {**forged(f, i, reseal=True), "manifest.seal.json": f["manifest.seal.json"]},
        "the seal is for another manifest",
    ),
    "a forged number, even the seal stolen": (lambda f, i: forged(f, i, reseal=True), "computed again"),
    "a forged number against the trail": (lambda f, i: forged(f, i, reseal=True), "no event that froze these contents"),
    "a forged recompute input": (
        lambda f, i: resealed(
            change_json(
                f, "recompute/states.json", lambda s: s["comparisons"][0]["state"]["counts"].update({"990": 200})
            ),
            instance=i,
        ),
        "is not the file that was frozen",
    ),
    "a control chart made calmer, even the seal stolen": (
        lambda f, i: forged(f, i, reseal=True, quantity="cusum", forge=calmer_chart),
        "the cusum chart of score",
    ),
    "a control limit widened, even the seal stolen": (
        lambda f, i: forged(f, i, reseal=True, quantity="cusum", forge=wider_limit),
        "its design gives",
    ),
    "one point of a control chart moved by a hundredth": (
        lambda f, i: forged(f, i, reseal=True, quantity="ewma", forge=quieter_week),
        "at point 5, computed again",
    ),
    "the days of a control chart withheld, even the seal stolen": (
        lambda f, i: resealed(change_json(f, "recompute/states.json", lambda s: s["charts"].clear()), instance=i),
        "has no days in the bundle",
    ),
    "errors taken out of an e-process": (
        lambda f, i: forged(f, i, reseal=True, quantity="e_detector", forge=fewer_errors),
        "has other cases than its outcomes",
    ),
    "another key": (other_key, "sealed by another key than the audit trail's"),
    "the PDF of other contents": (
        lambda f, i: resealed(
            {**f, "dossier.pdf": f["dossier.pdf"].replace(b"/EmbeddedFile", b"/EmbeddedFilo")}, instance=i
        ),
        "no readable twin is attached",
    ),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_is_found_and_named(kind, files, instance, tmp_path):
    change, expected = TAMPERINGS[kind]
    status, words = run(tmp_path, zipped(change(files, instance)))
    assert status == 1, f"{kind} was not found:\n{words}"
    assert expected in words, words


def test_a_flipped_byte_anywhere_is_found(files, tmp_path, instance):
    """Thirty places drawn over the whole zip, by their share of it."""
    whole = zipped(files)
    rng = random.Random(11)
    from reporting.dossier import verify

    for place in (rng.randrange(len(whole)) for _ in range(30)):
        path = tmp_path / "flipped.zip"
        path.write_bytes(flipped(whole, place))
        try:
            held = not verify.verify_path(path).failed
        except verify.Unreadable:
            held = False
        if held:  # a bit of the container that no content depends on: names, contents and order are still exact
            with zipfile.ZipFile(path) as made:
                assert {n: made.read(n) for n in made.namelist()} == files


def test_a_file_twice_in_the_zip_is_found(files, tmp_path):
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in sorted(files):
            made.writestr(name, files[name])
        with pytest.warns(UserWarning):
            made.writestr("findings.json", b"[]")
    status, words = run(tmp_path, path.read_bytes())
    assert status == 1 and "findings.json is in the zip twice" in words


def test_a_wrong_trusted_key_is_found(files, tmp_path):
    stranger = Instance()
    stranger.key = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
    (tmp_path / "key.pem").write_bytes(stranger.pem)
    status, words = run(tmp_path, zipped(files), "--trust", str(tmp_path / "key.pem"))
    assert status == 1 and "not the trusted one" in words


def test_what_is_no_dossier_is_refused_in_a_sentence(tmp_path):
    status, words = run(tmp_path, b"PK nothing")
    assert status == 2 and "is not a readable zip" in words
    assert hashlib.sha256(b"").hexdigest() not in words
