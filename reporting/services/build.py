"""The build of a dossier in steps that each leave something: a build that died goes on where it stopped.

1. freeze: evaluate, gather, assemble, store the contents and every evidence file, record their hash in the audit trail;
2. set: the PDF from the frozen contents alone;
3. seal: the instance's visible PAdES signature;
4. bundle: everything with its manifest, seal and verifier, checked by that verifier before it is offered.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from django.db import transaction

from accounts.row_security import seeing
from assurance.jobs import report_progress
from assurance.models import Artefact, Job
from assurance.services.artefacts import read_artefact, store_artefact
from records import keys
from records.actor import SYSTEM
from records.services import database_now, record_event
from reporting.dossier import bundle as pure_bundle
from reporting.dossier.contents import freeze, thaw
from reporting.dossier.exchange import fhir_bundle, ro_crate
from reporting.dossier.pdf.document import render
from reporting.models import Dossier
from reporting.selectors import governance
from reporting.selectors.findings import evidence_of
from reporting.selectors.labelled import labelled_cases
from reporting.selectors.sources import gather
from reporting.selectors.trail import trail_of
from reporting.services import evaluation
from reporting.services.evidence_files import evidence_files
from reporting.services.recompute_inputs import recompute_inputs
from reporting.signing import authority
from reporting.signing.pdf_signature import sign_pdf
from reporting.signing.signers import instance_signer, time_stamper
from reporting.verification import CA, verify_file

Say = Callable[[int, str], None]  # percent done, step
SEAL_MEANING = "Origin and integrity: this file was made by this instance from its records."
PAGES_A_PERCENT = 8


def run_build(dossier: Dossier, *, job: Job | None = None) -> Dossier:
    """Bring ``dossier`` to its bundle. Steps that are done already are not done again."""

    def say(percent: int, step: str) -> None:
        if job is not None:
            report_progress(job, done=percent, of=100, step=step)

    with seeing(readable(dossier)):
        if dossier.contents is None:
            _freeze(dossier, say)
        if dossier.unsigned_pdf is None:
            _set(dossier, say)
        if dossier.pdf is None:
            say(82, "Sealing the PDF")
            _seal(dossier)
        if dossier.bundle is None:
            say(88, "Packing the bundle and checking it")
            make_bundle(dossier)
    say(100, "Ready")
    return dossier


def readable(dossier: Dossier) -> list[int]:
    """The organisations whose rows the build reads and writes: the hospital's cases, its makers' files."""
    return sorted({dossier.organisation_id, *(one.organisation_id for one in dossier.deployments())})


def _store(dossier: Dossier, content: bytes, path: str) -> Artefact:
    return store_artefact(
        content,
        organisation_id=dossier.organisation_id,
        media_type=pure_bundle.media_type(path),
        description=f"{dossier.number}: {path}",
    )


def _freeze(dossier: Dossier, say: Say) -> None:
    say(2, "Evaluating labelled cases")
    deployments = dossier.deployments()
    cases, diagrams, curves = {}, [], []
    for one in deployments:
        found = labelled_cases(one, start=dossier.start, end=dossier.end)
        cases[one.name] = found
        records = evaluation.evaluate(dossier, one, found)
        evaluation.chart_weeks(dossier, one)
        where = f", {one.name}" if len(deployments) > 1 else ""
        diagrams += evaluation.reliability_diagrams(found, records, where=where)
        curves += evaluation.roc_curves(found, records, threshold=evaluation.threshold_of(dossier), where=where)
    say(15, "Gathering findings and records")
    evidence = evidence_of(deployments=deployments, version=dossier.version, start=dossier.start, end=dossier.end)
    frozen_at = database_now()
    pictures: dict[str, bytes] = {}
    sources = gather(
        dossier,
        evidence=evidence,
        frozen_at=frozen_at.isoformat(),
        files={},
        pictures=pictures,
        reliability=diagrams,
        roc=curves,
    )
    say(30, "Summaries for computing again")
    summaries = recompute_inputs(dossier, evidence, cases)
    say(40, "Sections, figures and evidence files")
    contents, files = evidence_files(
        sources, summaries, salt=dossier.salt, pictures=pictures, chai=governance.chai_card(dossier)
    )
    stored = {path: _store(dossier, content, path).sha256 for path, content in files.items()}
    content = freeze(contents)
    with transaction.atomic():
        artefact = _store(dossier, content, "dossier.json")
        dossier.contents, dossier.contents_sha256, dossier.frozen_at, dossier.files = (
            artefact,
            artefact.sha256,
            frozen_at,
            stored,
        )
        dossier.save(update_fields=("contents", "contents_sha256", "frozen_at", "files"))
        record_event(
            action="dossier.freeze",
            subject=dossier,
            by=SYSTEM,
            new={
                "number": dossier.number,
                "audience": dossier.audience,
                "contents_sha256": artefact.sha256,
                "findings": len(contents.evidence),
                "gaps": contents.banner.n_gaps,
            },
        )


def _set(dossier: Dossier, say: Say) -> None:
    assert dossier.contents is not None  # noqa: S101
    content = read_artefact(dossier.contents)
    pages = 0

    def progress(page: int) -> None:
        nonlocal pages
        pages = page
        say(min(80, 50 + page // PAGES_A_PERCENT), f"Setting page {page}")

    def read_file(path: str) -> bytes | None:
        return read_stored(dossier, path) if path in dossier.files else None

    pdf = render(
        content,
        content_sha256=dossier.contents_sha256,
        chai_xml=read_stored(dossier, "model-card.xml"),
        read_file=read_file,
        progress=progress,
    )
    dossier.unsigned_pdf, dossier.pages = _store(dossier, pdf, "dossier.pdf"), pages
    dossier.save(update_fields=("unsigned_pdf", "pages"))


def read_stored(dossier: Dossier, path: str) -> bytes:
    return read_artefact(Artefact.objects.get(organisation_id=dossier.organisation_id, sha256=dossier.files[path]))


def _seal(dossier: Dossier) -> None:
    assert dossier.unsigned_pdf is not None  # noqa: S101
    at = database_now()
    identity_name = "Instance seal"
    with instance_signer() as signer:
        signed = sign_pdf(
            read_artefact(dossier.unsigned_pdf),
            signer=signer,
            name=identity_name,
            organisation=thaw(read_artefact(dossier.contents)).identity.instance or "Vigil",  # type: ignore[arg-type]
            meaning=SEAL_MEANING,
            at=at,
            time_stamper=time_stamper(),
        )
    with transaction.atomic():
        dossier.pdf = _store(dossier, signed, "dossier.pdf")
        dossier.signers = [{"name": identity_name, "meaning": SEAL_MEANING, "at": at.isoformat()}]
        dossier.save(update_fields=("pdf", "signers"))
        record_event(
            action="dossier.seal",
            subject=dossier,
            by=SYSTEM,
            new={"pdf_sha256": dossier.pdf.sha256, "contents_sha256": dossier.contents_sha256},
        )


def make_bundle(dossier: Dossier) -> None:
    """Pack everything, run the bundle's own verifier on it, and keep what it said."""
    assert dossier.contents is not None and dossier.pdf is not None and dossier.frozen_at is not None  # noqa: S101
    content, pdf = read_artefact(dossier.contents), read_artefact(dossier.pdf)
    contents = thaw(content)
    files = {path: read_stored(dossier, path) for path in dossier.files}
    files |= {
        "dossier.pdf": pdf,
        "dossier.json": content,
        "README.md": pure_bundle.readme(contents),
        "verify.py": pure_bundle.VERIFIER.read_bytes(),
        "audit/trail.json": pure_bundle.indented(trail_of(dossier)),
        "keys/instance-public-key.pem": keys.public_key_pem(),
        CA: authority.root().certificate_pem,
        "fhir-bundle.json": pure_bundle.indented(fhir_bundle(contents, pdf_sha256=sha256(pdf).hexdigest())),
    }
    files["ro-crate-metadata.json"] = pure_bundle.indented(
        ro_crate(contents, {path: len(part) for path, part in files.items()})
    )
    files, root = pure_bundle.sealed(
        files,
        number=dossier.number,
        contents_sha256=dossier.contents_sha256,
        key_id=keys.key_id(),
        at=database_now(),
        seal=keys.seal,
    )
    packed = pure_bundle.packed(files, at=dossier.frozen_at)
    with tempfile.NamedTemporaryFile(suffix=".zip") as scratch:
        scratch.write(packed)
        scratch.flush()
        outcome = verify_file(Path(scratch.name))
    with transaction.atomic():
        dossier.bundle, dossier.verification = _store(dossier, packed, "bundle.zip"), outcome.as_dict()
        dossier.status = Dossier.Status.READY if outcome.holds else Dossier.Status.FAILED
        dossier.save(update_fields=("bundle", "verification", "status"))
        record_event(
            action="dossier.bundle",
            subject=dossier,
            by=SYSTEM,
            new={"bundle_sha256": dossier.bundle.sha256, "root_sha256": root, "holds": outcome.holds},
        )
