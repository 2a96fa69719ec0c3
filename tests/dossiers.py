"""A dossier made without a database: a year of windows of two sites, one real change, sealed by a key of the test."""

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assurance.evidence.finding import Finding, Window
from assurance.metrics.confusion import sensitivity
from assurance.metrics.roc_auc import auroc
from monitoring.drift.binned import BinnedState
from monitoring.drift.catalogue import DETECTORS
from monitoring.drift.categories import CategoryState
from records.canonical import canonical_json, content_hash
from records.chain import FIRST, link_sha256
from reporting.dossier import bundle
from reporting.dossier.contents import Evidence, Identity
from reporting.dossier.control_charts import DaySum, error_charts, outcomes_of, weekly_charts
from reporting.dossier.kinds import evidence_kind
from reporting.dossier.pdf.document import render
from reporting.dossier.recompute import ranks, state_json, total_of
from reporting.dossier.sources import Sources

FROZEN = datetime(2026, 11, 24, 21, 0, 3, tzinfo=UTC)


def as_evidence(family: str, finding: Finding) -> Evidence:
    content = json.loads(canonical_json(finding.as_dict()))
    digest = content_hash(content)
    return Evidence(id=digest[:12], digest=digest, family=family, kind=evidence_kind(family, content), finding=content)


def identity(**changes) -> Identity:
    facts = {
        "number": "D-2026-0007",
        "title": "Chest radiograph triage",
        "purpose": "Periodic safety report",
        "audience": "regulator",
        "programme": "",
        "submission": "",
        "submission_state": "",
        "deployment": "Triage at Example Hospital",
        "organisation": "Example Hospital",
        "developer": "Example Developer",
        "model": "CXR triage",
        "version": "1.2",
        "weights_sha256": "a1" * 32,
        "start": "2026-01-01T00:00:00+00:00",
        "end": "2027-01-01T00:00:00+00:00",
        "frozen_at": FROZEN.isoformat(),
        "built_by": "QA Lead, Example Hospital",
        "supersedes": "",
        "instance": "https://vigil.example",
        "software": {"vigil": "0.1.0"},
    }
    return Identity(**(facts | changes))


def version_facts() -> dict:
    return {
        "model": "CXR triage",
        "version": "1.2",
        "task": "classification",
        "modality": "CR",
        "adapter_key": "monai-densenet",
        "licence": "Apache-2.0",
        "weights_sha256": "a1" * 32,
        "preprocessing_sha256": "b2" * 32,
        "thresholds_sha256": "c3" * 32,
        "container_digest": "",
        "pretraining_sources": [],
        "known_contamination": "",
        "preprocessing": {"size": [224, 224]},
        "thresholds": {"finding": 0.5},
        "input_contract": {},
        "output_contract": {},
        "developer": "Example Developer",
    }


def sources(*, windows: int = 4, seed: int = 3, **changes) -> tuple[Sources, dict]:
    """Sources whose numbers come from the real methods on drawn cases, and the summaries behind them."""
    rng = np.random.default_rng(seed)
    reference = {
        "score": BinnedState.from_values(rng.beta(2, 5, 2000)),
        "meta_sex": CategoryState.from_values(rng.choice(["F", "M"], 2000)),
    }
    summaries = {
        "format": "vigil-recompute",
        "version": 1,
        "references": {f"ref/{n}": state_json(s) for n, s in reference.items()},
        "comparisons": [],
        "days": [],
        "rankings": [],
    }
    found: list[Evidence] = []
    for number in range(windows):
        start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=28 * number)
        window = Window(start, start + timedelta(days=28))
        for site in ("", "north", "south"):
            n = 300 if site else 600
            scores = rng.beta(2 + (number > windows // 2), 5, n)
            labels = (rng.random(n) < scores).astype(int)
            stratum = {"site": site} if site else {}
            place = {
                "window": window,
                "stratum": stratum,
                "reference": "Acceptance 0011aabbccdd",
                "n_reference": 2000,
                "model_version": "CXR triage 1.2",
            }
            score, sex = BinnedState.from_values(scores), CategoryState.from_values(rng.choice(["F", "M"], n))
            for signal, state, keys in (
                ("score", score, ("w1_sd", "ks", "psi", "js")),
                ("meta_sex", sex, ("chi_square",)),
            ):
                made = [
                    replace(DETECTORS.load(key)(reference[signal], state, seed=0), signal=signal, n_patients=n, **place)
                    for key in keys
                ]
                items = [as_evidence("output" if signal == "score" else "input", finding) for finding in made]
                found += items
                summaries["comparisons"].append(
                    {
                        "signal": signal,
                        "stratum": f"site={site}" if site else "",
                        "window": {"start": start.isoformat(), "end": window.end.isoformat()},
                        "reference": f"ref/{signal}",
                        "state": state_json(state),
                        "evidence": [item.id for item in items],
                        "days": None,
                    }
                )
            area = as_evidence("performance", replace(auroc(labels, scores, limit=0.6), **place))
            summaries["rankings"].append({"evidence": area.id, "ranks": ranks(labels.astype(float), scores)})
            share = replace(sensitivity(labels, scores, threshold=0.3), **place)
            found += [
                area,
                as_evidence(
                    "performance",
                    replace(
                        share,
                        details={
                            **share.details,
                            "evaluation": {"start": start.isoformat(), "end": window.end.isoformat()},
                        },
                    ),
                ),
            ]
    charts, more = charted(rng)
    found += charts
    summaries |= more
    made = Sources(
        identity=identity(),
        evidence=tuple(found),
        version=version_facts(),
        lineage=[],
        sites=[
            {"name": "North Wing", "code": "north", "time_zone": "Europe/Berlin"},
            {"name": "South Wing", "code": "south", "time_zone": "UTC"},
        ],
        deployment={"name": "Triage", "status": "Running", "started_at": "2026-01-01", "note": ""},
        trail={"events": 3, "position": 3, "sha256": "e" * 64, "key_id": "k"},
    )
    return replace(made, **changes), summaries


def charted(rng: np.random.Generator) -> tuple[list[Evidence], dict]:
    """Control charts of sixteen weeks, the last six of them moved, and two e-processes; with what they rest on."""
    start, sums, days = date(2026, 1, 1), [], []
    period = {"start": "2026-01-01T00:00:00+00:00", "end": "2027-01-01T00:00:00+00:00"}
    for number in range(16 * 7):
        if number % 7 not in (0, 3):
            continue
        for site in ("north", "south"):
            state = BinnedState.from_values(rng.beta(2 + 4 * (number >= 70), 5, 30))
            plain, (n, total) = state_json(state), total_of(state)
            day = start + timedelta(days=number)
            sums.append(DaySum(day, site, "score", n, total))
            shape = {name: plain[name] for name in ("counts", "low", "high", "bins", "under", "over")}
            words = {"deployment": "Triage", "day": day.isoformat(), "site": site, "signal": "score"}
            days.append({**words, "n": n, "missing": 0, "valued": n, "total": total, **shape})
    labels = (rng.random(900) < 0.4).astype(float)
    scores = np.clip(labels * rng.beta(5, 2, 900) + (1 - labels) * rng.beta(2, 5, 900), 0, 1)
    limits = {"sensitivity": 0.8, "specificity": 0.9}
    charts = [
        as_evidence(
            "output" if "weeks" in finding.details else "performance",
            replace(finding, details={**finding.details, "evaluation": period}, model_version="CXR triage 1.2"),
        )
        for finding in [
            *weekly_charts(sums, start=start),
            *error_charts(labels, scores, limits=limits, threshold=0.5),
        ]
    ]
    outcomes = [
        {
            "evidence": item.id,
            "outcomes": "".join(
                map(str, outcomes_of(labels, scores, quantity=item.finding["details"]["quantity"], threshold=0.5))
            ),
        }
        for item in charts
        if item.finding["quantity"] == "e_detector"
    ]
    drawn = [
        {"evidence": item.id, "deployment": "Triage", "start": start.isoformat()}
        for item in charts
        if "weeks" in item.finding["details"]
    ]
    return charts, {"days": days, "charts": drawn, "outcomes": outcomes}


class Instance:
    """A key and a trail, as an instance has them."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))

    @property
    def pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def key_id(self) -> str:
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return hashlib.sha256(raw).hexdigest()

    def seal(self, statement: dict) -> str:
        return base64.b64encode(self.key.sign(canonical_json(statement))).decode()

    def trail(self, *, number: str, contents_sha256: str) -> dict:
        previous, links = FIRST, []
        steps = [
            ("plan.freeze", None),
            ("alarm.open", {"signal": "score"}),
            ("dossier.build", {"number": number}),
            ("dossier.freeze", {"number": number, "contents_sha256": contents_sha256}),
            ("dossier.seal", {}),
        ]
        for position, (action, new) in enumerate(steps, start=1):
            event = {
                "at": FROZEN.isoformat(),
                "action": action,
                "new": new,
                "old": None,
                "reason": "",
                "role": "system",
            }
            sha256 = content_hash(event)
            links.append(
                {
                    "position": position,
                    "event": event,
                    "event_sha256": sha256,
                    "sha256": link_sha256(previous=previous, position=position, event=sha256),
                }
            )
            previous = links[-1]["sha256"]
        point = {"position": len(links), "sha256": previous, "at": FROZEN.isoformat(), "key_id": self.key_id}
        return {
            "kind": "vigil-audit-trail",
            "format": 1,
            "public_key_pem": self.pem.decode(),
            "previous": FIRST,
            "links": links,
            "checkpoints": [{**point, "signature": self.seal(point)}],
        }


def bundle_files(*, instance: Instance, audience: str = "regulator", sign=lambda pdf: pdf) -> dict[str, bytes]:
    """Every file of a finished bundle, by path."""
    from reporting.services.evidence_files import evidence_files

    given, summaries = sources()
    given = replace(given, identity=identity(audience=audience))
    contents, files = evidence_files(given, summaries, salt="5a17")
    frozen = canonical_json(msgspec.to_builtins(contents))
    digest = hashlib.sha256(frozen).hexdigest()
    pdf = sign(render(frozen, content_sha256=digest, chai_xml=files["model-card.xml"]))
    files |= {
        "dossier.pdf": pdf,
        "dossier.json": frozen,
        "README.md": bundle.readme(contents),
        "verify.py": bundle.VERIFIER.read_bytes(),
        "audit/trail.json": bundle.indented(instance.trail(number=contents.identity.number, contents_sha256=digest)),
        "keys/instance-public-key.pem": instance.pem,
    }
    return resealed(files, instance=instance)


def resealed(files: dict[str, bytes], *, instance: Instance) -> dict[str, bytes]:
    """The manifest, sums and seal made anew over ``files``, by the key of ``instance``."""
    plain = {
        name: content
        for name, content in files.items()
        if name not in ("manifest.json", "manifest.seal.json", "SHA256SUMS")
    }
    digest = hashlib.sha256(files["dossier.json"]).hexdigest()
    whole, _ = bundle.sealed(
        plain, number="D-2026-0007", contents_sha256=digest, key_id=instance.key_id, at=FROZEN, seal=instance.seal
    )
    return whole


def zipped(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as made:
        for name in sorted(files):
            made.writestr(name, files[name])
    return target.getvalue()
