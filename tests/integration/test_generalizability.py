"""Sites pooled from stored findings, and robustness measured on a model of three lines."""

import numpy as np
import pytest
from scipy import special

from accounts.models import Role
from accounts.row_security import see_everything
from assurance.adapters.protocol import Prediction
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, Interval, Method, State
from assurance.services.case_files import keep_case_file
from assurance.services.findings import store_finding
from assurance.services.pseudonyms import pseudonym
from generalizability import services
from generalizability.selectors import severity_curves
from tests.factories import DeploymentFactory, MembershipFactory, sha256

pytestmark = pytest.mark.django_db


class BrightIsInside:
    """Everything above half of the largest grey value belongs to the mask."""

    def predict(self, image, prompt=None):
        return Prediction(mask=image > 0.5 * image.max())


@pytest.fixture
def deployment(settings, tmp_path):
    settings.STORAGES["default"]["OPTIONS"]["location"] = str(tmp_path)
    see_everything()
    return DeploymentFactory()


def site_auroc(deployment, site, value, half_width_on_logit):
    low, high = special.expit(special.logit(value) + np.array([-1, 1]) * half_width_on_logit)
    finding = Finding(
        quantity="auroc", value=value, unit="1", state=State.OK, n_cases=200, method=Method("auroc", "test", "1"),
        input_digest=sha256(site), interval=Interval(float(low), float(high), 0.95, "delong"), stratum={"site": site},
    )  # fmt: skip
    return store_finding(finding, family="performance", deployment=deployment, version=deployment.version)


def test_equal_sites_pool_to_their_common_value(deployment):
    for site in ("a", "b", "c"):
        site_auroc(deployment, site, 0.8, 1.96 * 0.2)
    record = services.pool_sites(deployment)
    assert record.value == pytest.approx(0.8, abs=1e-9)
    assert record.state == "insufficient"  # three sites tell little about a fourth
    assert record.family == "generalizability"
    assert record.content["details"]["tau"] == pytest.approx(0, abs=1e-6)
    assert services.pool_sites(deployment).pk == record.pk


def test_one_site_cannot_be_pooled_and_says_why(deployment):
    site_auroc(deployment, "a", 0.8, 0.4)
    with pytest.raises(NotComputable, match="1 sites have a usable auroc"):
        services.pool_sites(deployment)


def squares(deployment, n=6):
    cases = []
    for place in range(n):
        image = np.full((64, 64), 20.0)
        image[20 : 44 + place, 16:48] = 200.0
        case = pseudonym(deployment.organisation_id, f"case {place}")
        keep_case_file(deployment, case=case, role="image", values=image, facts={"patient": "p"})
        keep_case_file(deployment, case=case, role="truth", values=image > 100)
        cases.append(case)
    return cases


def test_robustness_is_paired_by_case_and_falls_with_severity(deployment):
    cases = squares(deployment)
    assert sorted(services.cases_with_truth(deployment, most=10)) == sorted(cases)
    steps = []
    records = services.measure_robustness(
        deployment, model=BrightIsInside(), kinds=["rician_noise", "contrast"], severities=[1, 2, 3, 4, 5], cases=cases,
        progress=lambda done, of, step: steps.append((done, of)),
    )  # fmt: skip
    assert steps[-1] == (66, 66)
    curve = severity_curves(deployment)["rician_noise"]
    assert [severity for severity, _ in curve] == [1, 2, 3, 4, 5]
    changes = [record.value for _, record in curve]
    # by hand: the clean Dice is 1 and at 2 % noise no pixel crosses the half, so nothing changes
    assert changes[0] == 0
    assert all(change <= 0 for change in changes)
    assert all(record.state == "insufficient" and record.n_cases == 6 for _, record in curve)
    assert {record.quantity for record in records} == {"change_under_shift", "severity_slope"}
    assert all(record.content["n_patients"] == 1 for _, record in curve)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"kinds": ["fog"]}, "unknown_key"), ({"severities": [0]}, "bad_severity"), ({"severities": []}, "bad_severity")],
)
def test_a_wrong_question_is_refused(deployment, change, code):
    question = {"kinds": ["contrast"], "severities": [1], "cases": squares(deployment, 1)} | change
    with pytest.raises(InvalidInput) as refusal:
        services.measure_robustness(deployment, model=BrightIsInside(), **question)
    assert refusal.value.code == code


def test_the_page_shows_it_to_the_hospital_and_not_to_a_stranger(deployment, client):
    for site in ("a", "b", "c"):
        site_auroc(deployment, site, 0.8, 0.4)
    services.pool_sites(deployment)
    services.measure_robustness(
        deployment, model=BrightIsInside(), kinds=["contrast"], severities=[1, 2], cases=squares(deployment, 3)
    )
    address = f"/deployments/{deployment.slug}/generalizability"
    client.force_login(MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person)
    page = client.get(address).content.decode()
    assert "AUROC" in page and "a further site" in page and "contrast" in page
    client.force_login(MembershipFactory(role=Role.HOSPITAL_QA).person)
    assert client.get(address).status_code == 404
    reader = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_READER).person
    client.force_login(reader)
    assert client.post(f"{address}/measure", {"what": "sites"}).status_code == 403
