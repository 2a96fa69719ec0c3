"""A dossier from stored cases to a bundle that verifies alone; its doors, its signatures, its resumption."""

import hashlib
import io
import json
import re
import shutil
import subprocess
import zipfile
from datetime import UTC, date, datetime, timedelta

import pypdf
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.urls import reverse

from accounts.models import Organisation, Role
from assurance.evidence.errors import InvalidInput
from assurance.models import FindingRecord, Job
from assurance.selectors.coverage import coverage_of, frameworks
from assurance.services.artefacts import read_artefact
from monitoring.services.windows import compute_due
from records.actor import SYSTEM
from records.models import AuditEvent
from reporting.dossier import contents as c
from reporting.dossier import numbers
from reporting.dossier.contents import thaw
from reporting.models import Dossier
from reporting.selectors import governance
from reporting.selectors.compare import compare, contents_of
from reporting.services import build
from reporting.services.build import run_build
from reporting.services.dossiers import build_dossier, sign_dossier
from reporting.signing import authority
from reporting.signing.check import certificates, check_signatures
from reporting.signing.pdf_signature import sign_pdf
from reporting.signing.signers import signer_of
from reporting.verification import verify_file
from tests.factories import DeploymentFactory, MembershipFactory, OrganisationFactory, PersonFactory
from tests.integration.test_windows import watched  # noqa: F401 -- the same stored cases
from tests.sandbox import make_cast, submit

pytestmark = pytest.mark.django_db
PERIOD = {"start": datetime(2026, 2, 1, tzinfo=UTC), "end": datetime(2026, 3, 1, tzinfo=UTC)}


@pytest.fixture(autouse=True)
def instance(settings, tmp_path):
    settings.KEY_DIR = tmp_path / "keys"
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path / "files")}}
    settings.STORAGES = {**settings.STORAGES, "default": files}


def built(deployment, **options):
    dossier = build_dossier(deployment=deployment, by=SYSTEM, **({"audience": "regulator"} | PERIOD | options))
    return run_build(Dossier.objects.get(pk=dossier.pk))


def text_of(path):
    """By pdftotext where it is installed, else by a PDF parser."""
    if program := shutil.which("pdftotext"):
        done = subprocess.run([program, "-layout", str(path), "-"], capture_output=True, text=True, check=True)
        return done.stdout
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


def test_from_stored_cases_to_a_bundle_that_holds(watched, tmp_path):  # noqa: F811
    deployment, *_ = watched
    compute_due(deployment, today=date(2026, 4, 1))
    dossier = built(deployment)
    assert dossier.status == Dossier.Status.READY, dossier.verification
    contents = thaw(read_artefact(dossier.contents))

    # every current finding of the period is in it, and every number on the pages is the database's
    records = FindingRecord.objects.filter(deployment=deployment, superseded_by=None, window_start__isnull=False)
    assert set(contents.evidence) == {record.evidence_id for record in records} and len(contents.evidence) > 80
    pdf = read_artefact(dossier.pdf)
    path = tmp_path / "dossier.pdf"
    path.write_bytes(pdf)
    text = text_of(path)
    squeezed = re.sub(r"\s+", " ", text)
    for record in records:
        assert record.evidence_id in squeezed, record
        if record.value is not None:
            value = numbers.with_unit(record.value, record.content["unit"]).split(" ")[0]
            spots = [
                squeezed[max(0, m.start() - 260) : m.end() + 260] for m in re.finditer(record.evidence_id, squeezed)
            ]
            assert any(value in spot for spot in spots), (record.evidence_id, record.quantity, value)

    # the bundle is complete, and its numbers are computed again by a bare Python
    bundle = zipfile.ZipFile(io.BytesIO(read_artefact(dossier.bundle)))
    names = set(bundle.namelist())
    assert {
        "dossier.pdf",
        "dossier.json",
        "findings.json",
        "findings.parquet",
        "fhir-bundle.json",
        "model-card.xml",
        "ml-bom.json",
        "coverage.json",
        "audit/trail.json",
        "recompute/states.json",
        "verify.py",
        "manifest.json",
        "ro-crate-metadata.json",
        "SHA256SUMS",
        "keys/instance-ca.pem",
    } <= names
    assert {f"figures/{f.id}.{form}" for f in contents.figures() for form in ("svg", "png")} <= names
    bundle.extractall(tmp_path / "bundle")
    done = subprocess.run(
        [shutil.which("python3"), "-I", "-S", "verify.py", "."],
        cwd=tmp_path / "bundle",
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) of (\d+) values: (\d+) equal, (\d+) within", done.stdout)
    assert found and int(found[1]) > 0.55 * int(found[2]) and int(found[3]) + int(found[4]) == int(found[1]), (
        done.stdout
    )

    # a page is really set: charts are vectors, no image stands in for one
    kinds = {b.chart for b in contents.figures()}
    assert {"forest", "reliability", "roc", "subgroup_gaps"} <= kinds
    fhir = json.loads(bundle.read("fhir-bundle.json"))
    areas = [e["resource"] for e in fhir["entry"] if e["resource"].get("code", {}).get("text") == "auroc"]
    values = {r.value for r in records if r.quantity == "auroc"}
    assert areas and {a["valueQuantity"]["value"] for a in areas} <= values

    # the twin of a second, later dossier is compared with this one
    later = built(deployment)
    assert later.supersedes == dossier and later.number != dossier.number
    made = compare(contents, contents_of(later))
    assert made.counts == {"same": len(contents.evidence)} and not made.gaps_opened


@pytest.fixture
def deployment():
    return DeploymentFactory()


def test_each_step_of_the_build_is_done_once_and_a_dead_build_goes_on(deployment, monkeypatch):
    dossier = build_dossier(deployment=deployment, audience="regulator", by=SYSTEM, **PERIOD)
    dossier = Dossier.objects.get(pk=dossier.pk)
    monkeypatch.setattr(build, "_seal", lambda d: (_ for _ in ()).throw(RuntimeError("the worker died")))
    with pytest.raises(RuntimeError):
        run_build(dossier)
    half = Dossier.objects.get(pk=dossier.pk)
    assert half.contents_sha256 and half.unsigned_pdf and half.pdf is None
    monkeypatch.undo()
    again = run_build(half)
    assert again.contents_sha256 == dossier.contents_sha256 and again.status == Dossier.Status.READY
    actions = list(AuditEvent.objects.filter(subject_id=str(dossier.pk)).values_list("action", flat=True))
    assert actions == ["dossier.build", "dossier.freeze", "dossier.seal", "dossier.bundle"]


@pytest.mark.django_db(transaction=True)
def test_the_job_shows_progress_and_ends_ready(deployment):
    dossier = build_dossier(deployment=deployment, audience="public", by=SYSTEM, **PERIOD)
    dossier.refresh_from_db()
    job = Job.objects.get(pk=dossier.job_id)
    assert (job.status, job.percent, job.step) == ("done", 100, "Ready")
    assert dossier.status == Dossier.Status.READY and dossier.pages > 25


def test_frozen_contents_cannot_be_changed_and_no_dossier_deleted(deployment):
    dossier = built(deployment)
    for change in ({"contents_sha256": "0" * 64}, {"files": {}}, {"number": "D-1"}):
        with pytest.raises(DatabaseError, match="frozen"), transaction.atomic():
            Dossier.objects.filter(pk=dossier.pk).update(**change)
    with pytest.raises(DatabaseError, match="kept"), transaction.atomic():
        dossier.delete()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"audience": "press"}, "audience 'press': choose one of public, regulator, internal"),
        ({"start": PERIOD["end"]}, "is not before end"),
        ({"start": datetime(2026, 2, 1)}, "has no time zone"),
        ({"start": datetime(1999, 1, 1, tzinfo=UTC)}, "give at most 3660"),
    ],
)
def test_a_wrong_order_is_refused_in_a_sentence(deployment, options, words):
    with pytest.raises(InvalidInput, match=words):
        build_dossier(deployment=deployment, by=SYSTEM, **({"audience": "regulator"} | PERIOD | options))
    assert not Dossier.objects.exists()


def person(organisation, role):
    made = PersonFactory()
    made.set_password("correct horse battery")
    made.save()
    MembershipFactory(person=made, organisation=organisation, role=role)
    return made


def code_for(who):
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(who, secret)
    return totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))


def test_a_person_signs_visibly_and_the_bundle_follows(deployment, tmp_path):
    dossier = built(deployment)
    signer = person(deployment.organisation, Role.HOSPITAL_SIGNATORY)
    before = read_artefact(dossier.pdf)
    sign_dossier(
        dossier, person=signer, password="correct horse battery", code=code_for(signer), meaning="Approval for release."
    )
    dossier = Dossier.objects.get(pk=dossier.pk)
    pdf = read_artefact(dossier.pdf)
    assert pdf.startswith(before), "an earlier signature covers bytes that stay"
    checks = check_signatures(pdf, trusted=certificates(authority.root().certificate_pem))
    assert [(c.name, c.state) for c in checks] == [("Vigil instance seal", "ok"), (signer.name, "ok")]
    path = tmp_path / "signed.zip"
    path.write_bytes(read_artefact(dossier.bundle))
    outcome = verify_file(path, trust=authority.root().certificate_pem)
    assert outcome.holds, outcome.checks
    stranger = person(OrganisationFactory(), Role.HOSPITAL_SIGNATORY)
    with pytest.raises(PermissionDenied):
        sign_dossier(dossier, person=stranger, password="correct horse battery", code="000000", meaning="x")
    assert Authenticator.objects.filter(user=signer).exists()


def test_signatures_that_do_not_hold_are_named(deployment, tmp_path):
    dossier = built(deployment)
    unsigned, signed = read_artefact(dossier.unsigned_pdf), read_artefact(dossier.pdf)
    roots = certificates(authority.root().certificate_pem)
    now = datetime.now(UTC)
    expired = authority.issue(
        common_name="Old Seal", organisation="x", start=now - timedelta(days=900), end=now - timedelta(days=30)
    )
    old = sign_pdf(unsigned, signer=signer_of(expired), name="Old Seal", organisation="x", meaning="Seal", at=now)
    (check,) = check_signatures(old, trusted=roots)
    assert check.state == "failed" and f"the certificate expired on {now - timedelta(days=30):%Y-%m-%d}" in check.told
    (check,) = check_signatures(
        signed, trusted=certificates(authority.issue(common_name="y", organisation="y").certificate_pem)
    )
    assert check.state == "failed" and "does not lead to a trusted one" in check.told
    (tmp_path / "old.pdf").write_bytes(old)
    (tmp_path / "ca.pem").write_bytes(authority.root().certificate_pem)
    with pytest.raises(CommandError, match="does not hold: Signature 1") as caught:
        call_command("dossier", "verify", str(tmp_path / "old.pdf"), "--trust", str(tmp_path / "ca.pem"))
    assert caught.value.returncode == 1


def test_a_flipped_byte_anywhere_in_the_signed_pdf_is_found(deployment, tmp_path):
    signed = read_artefact(built(deployment).pdf)
    roots = authority.root().certificate_pem
    path = tmp_path / "flipped.pdf"
    path.write_bytes(signed)
    assert verify_file(path, trust=roots).holds
    step = len(signed) // 24
    gap = re.search(rb"/Contents\s*<", signed).end()
    for place in [*range(7, len(signed), step), gap, gap + 4000, len(signed) - 3]:
        path.write_bytes(signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :])
        try:
            held = verify_file(path, trust=roots).holds
        except ValueError:
            held = False
        assert not held, f"byte {place} of {len(signed)}"


def test_who_sees_takes_and_is_written_down(deployment, client):
    dossier = built(deployment)
    internal = built(deployment, audience="internal")
    owner = person(deployment.organisation, Role.HOSPITAL_QA)
    developer = person(deployment.version.model.organisation, Role.DEVELOPER_AUTHOR)
    stranger = person(OrganisationFactory(), Role.HOSPITAL_QA)
    addresses = [
        reverse("reporting:dossier", args=[dossier.pk]),
        reverse("reporting:dossier_file", args=[dossier.pk, "pdf"]),
        f"/api/v1/dossiers/{dossier.pk}.zip",
    ]
    for who, statuses in ((owner, (200, 200, 200)), (developer, (200, 200, 200)), (stranger, (404, 404, 403))):
        client.force_login(who)
        assert tuple(client.get(address).status_code for address in addresses) == statuses, who
    client.force_login(developer)
    assert client.get(reverse("reporting:dossier", args=[internal.pk])).status_code == 404
    taken = AuditEvent.objects.filter(action="dossier.download", subject_id=str(dossier.pk))
    assert [(e.person_id, e.new["form"]) for e in taken] == [
        (p.pk, f) for p in (owner, developer) for f in ("pdf", "zip")
    ]
    assert all(e.new["sha256"] in (dossier.pdf.sha256, dossier.bundle.sha256) for e in taken)
    assert client.get(addresses[1]).content == read_artefact(dossier.pdf)


def test_the_pages_speak(deployment, client, settings):
    first, second = built(deployment), built(deployment, end=datetime(2026, 4, 1, tzinfo=UTC))
    client.force_login(person(deployment.organisation, Role.HOSPITAL_QA))
    page = client.get(reverse("reporting:dossier_list")).content.decode()
    assert first.number in page and second.number in page and "Build a dossier" in page
    page = client.get(reverse("reporting:dossier", args=[second.pk])).content.decode()
    assert second.contents_sha256 in page and "Every check of the finished bundle holds" in page
    page = client.get(reverse("reporting:compare"), {"before": first.number, "after": second.number}).content.decode()
    assert "No finding differs" in page and "changed" in page
    address = reverse("reporting:verify")
    whole = read_artefact(second.bundle)
    for content, words in (
        (whole, "Every check that could be made holds"),
        (whole[:4000] + b"X" + whole[4001:], "does not hold"),
        (b"nothing", "is not a readable zip"),
    ):
        sent = io.BytesIO(content)
        sent.name = "dossier.zip"
        page = client.post(address, {"file": sent, "this_instance": "1"}).content.decode()
        assert words in page, words
    answer = client.post(
        reverse("reporting:dossier_build"),
        {"subject": f"deployment:{deployment.slug}", "start": "2026-02-30", "end": "2026-03-01", "audience": "public"},
        follow=True,
    )
    assert "is not a day" in answer.content.decode()


def test_the_api_starts_a_build(deployment, client):
    client.force_login(person(deployment.organisation, Role.HOSPITAL_QA))
    order = {
        "deployment": str(deployment.pk),
        "start": "2026-02-01T00:00:00Z",
        "end": "2026-03-01T00:00:00Z",
        "audience": "regulator",
    }
    answer = client.post("/api/v1/dossiers", order, content_type="application/json")
    assert answer.status_code == 202, answer.content
    assert client.get(f"/api/v1/dossiers/{answer.json()['id']}").json()["number"] == answer.json()["number"]
    assert client.get(f"/api/v1/dossiers/{answer.json()['id']}.pdf").status_code == 409
    wrong = client.post("/api/v1/dossiers", order | {"audience": "press"}, content_type="application/json")
    assert wrong.status_code == 422 and "choose one of" in wrong.json()["message"]


def test_the_command_builds_and_verifies(deployment, tmp_path, capsys):
    call_command(
        "dossier",
        "build",
        deployment.slug,
        "--out",
        str(tmp_path),
        "--start",
        "2026-02-01",
        "--end",
        "2026-03-01",
        "--json",
    )
    told = json.loads(capsys.readouterr().out)
    path = tmp_path / f"{told['number']}.zip"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == told["files"]["zip"]["sha256"]
    call_command("dossier", "verify", str(path))
    assert "Every check that could be made holds" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no submission and no deployment is called 'nowhere'") as caught:
        call_command("dossier", "build", "nowhere", "--out", str(tmp_path))
    assert caught.value.returncode == 2
    assert Organisation.objects.exists()


def test_a_submission_brings_its_card_coverage_plan_and_steps():
    cast = make_cast()
    submit(cast)
    dossier = build_dossier(submission=cast.submission, audience="regulator", by=cast.actor("author"), **PERIOD)
    dossier = run_build(Dossier.objects.get(pk=dossier.pk))
    assert dossier.status == Dossier.Status.READY, dossier.verification
    contents = thaw(read_artefact(dossier.contents))
    assert contents.identity.submission == str(cast.submission) and contents.identity.programme
    sections = {s.id: s for s in contents.sections}
    matrix = [b for b in sections["23-matrix"].blocks if isinstance(b, c.Table) and " requirements: " in b.title]
    for table, framework in zip(matrix, frameworks(), strict=True):
        covered = coverage_of(cast.submission, framework=framework.id)
        assert [row[0] for row in table.rows] == [row.id for row in covered], "no requirement is left out"
    facts: dict[str, str] = {}
    for section in contents.sections:
        for block in section.blocks:
            facts |= dict(block.rows) if isinstance(block, c.Facts) else {}
    assert facts["Number"] == cast.submission.label
    answered = [f for f in governance.card_fields(dossier) if "model_card.workflow" in f["kinds"]]
    assert answered and all(facts[f["label"]] for f in answered if f["state"] == "provided")
    steps = next(b for b in sections["02-question"].blocks if isinstance(b, c.Table) and "Decisions" in b.title)
    assert [row[2] for row in steps.rows] == [
        change.target.replace("_", " ") for change in cast.submission.changes.all()
    ]


def test_the_authority_sees_a_dossier_once_its_file_is_submitted_and_its_download_is_written_down(client):
    cast = make_cast()
    dossier = build_dossier(submission=cast.submission, audience="regulator", by=cast.actor("author"), **PERIOD)
    dossier = run_build(Dossier.objects.get(pk=dossier.pk))
    regulator = cast.people["intake"]
    client.force_login(regulator)
    address = reverse("reporting:dossier_file", args=[dossier.pk, "zip"])
    assert client.get(address).status_code == 404
    submit(cast)
    taken = client.get(address)
    assert taken.status_code == 200 and taken.content == read_artefact(dossier.bundle)
    event = AuditEvent.objects.get(action="dossier.download", subject_id=str(dossier.pk))
    assert (event.person_id, event.role, event.new["form"]) == (regulator.pk, Role.REGULATOR_INTAKE, "zip")
