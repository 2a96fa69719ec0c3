"""A hospital with two sites whose south scanner is updated in the middle: made by the services that real data take."""

from datetime import UTC, date, datetime, timedelta

import numpy as np

from accounts.models import Organisation, Role
from monitoring.services.day_states import summarise_batch
from monitoring.services.intake import accept_batch
from monitoring.services.plans import freeze_plan
from monitoring.services.references import freeze_reference
from monitoring.services.windows import compute_due
from records.actor import SYSTEM
from tests.browser.walking import PASSWORD
from tests.factories import (
    DeploymentFactory,
    MembershipFactory,
    ModelVersionFactory,
    OrganisationFactory,
    PersonFactory,
    SiteFactory,
)

BEGIN, WINDOWS, UPDATE = date(2026, 1, 5), 6, 4
CASES = 420  # in a window and site: enough for every statistic to speak


def person(name, organisation, role):
    made = PersonFactory(name=name)
    made.set_password(PASSWORD)
    made.save()
    MembershipFactory(person=made, organisation=organisation, role=role)
    return made


def rows(rng, *, first, n, days, site, prefix, updated=False):
    """CSV as a PACS exports it; after the update views change, noise falls and scores rise a little."""
    truth = rng.random(n) < 0.3
    scores = np.clip(rng.beta(2, 6, n) + 0.35 * truth + (0.12 if updated else 0), 0, 1)
    at = [
        datetime(first.year, first.month, first.day, 6, tzinfo=UTC) + timedelta(days=float(d))
        for d in rng.uniform(0, days - 0.3, n)
    ]
    table = {
        "case_id": [f"{prefix}{site}{i}" for i in range(n)], "patient_id": [f"{prefix}{site}{i}" for i in range(n)],
        "study_time": [time.isoformat() for time in at], "site": [site] * n, "score": scores.round(4),
        "label": truth.astype(int), "meta_sex": np.where(rng.random(n) < 0.5, "F", "M"),
        "meta_view": np.where(rng.random(n) < (0.62 if updated else 0.31), "AP", "PA"),
        "meta_software_versions": ["B4" if updated else "B3"] * n, "meta_age": rng.normal(58, 15, n).round(),
        "q_noise_sd": (rng.normal(12, 2, n) - (3 if updated else 0)).round(3),
    }  # fmt: skip
    lines = [",".join(table)] + [",".join(str(table[name][i]) for name in table) for i in range(n)]
    return "\n".join(lines).encode()


def watched_deployment(hospital=None, developer=None):
    """A deployment with six windows of two weeks, judged, with alarms where the south moved."""
    hospital = hospital or OrganisationFactory(name="Northfield Hospital", kind=Organisation.Kind.HOSPITAL)
    developer = developer or OrganisationFactory(name="Chestlight", kind=Organisation.Kind.DEVELOPER)
    version = ModelVersionFactory(model__organisation=developer, model__name="Chest reader", version="2.1")
    deployment = DeploymentFactory(
        slug="chest-reader-northfield", name="Chest reader at Northfield", organisation=hospital, version=version
    )
    for code in ("north", "south"):
        deployment.sites.add(
            SiteFactory(organisation=hospital, code=code, name=f"{code.title()} campus", time_zone="Europe/Berlin")
        )
    rng = np.random.default_rng(11)
    reference = rows(rng, first=date(2025, 11, 3), n=1500, days=40, site="north", prefix="r")
    accept_batch(deployment, content=reference, media_type="text/csv", purpose="reference")
    freeze_reference(deployment, name="Acceptance", description="acceptance cases of both sites", by=SYSTEM)
    plan = {
        "window_days": 14, "start": BEGIN.isoformat(), "numeric": ["w1_sd", "ks"], "limits": {"auroc": 0.8},
        "second_opinion": False, "context": False,
    }  # fmt: skip
    freeze_plan(deployment, plan, by=SYSTEM)
    for window in range(WINDOWS):
        for site in ("north", "south"):
            content = rows(
                rng, first=BEGIN + timedelta(days=14 * window), n=CASES, days=14, site=site, prefix=f"w{window}",
                updated=site == "south" and window >= UPDATE,
            )  # fmt: skip
            summarise_batch(accept_batch(deployment, content=content, media_type="text/csv").pk)
    compute_due(deployment, today=BEGIN + timedelta(days=14 * WINDOWS))
    return deployment


def quality_lead(deployment):
    return person("QA lead", deployment.organisation, Role.HOSPITAL_QA)
