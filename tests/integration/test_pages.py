"""Pages: who sees what, how many statements a page may cost, and what is said in words."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from accounts.models import Organisation, Role
from assurance.evidence.finding import Finding, Interval, Method, NullLaw, State, Window
from assurance.models import FindingRecord
from assurance.services.findings import store_finding
from monitoring.models import SavedView, Signal, WeeklySummary
from reporting.services.weekly import send_due_summaries
from tests.factories import DeploymentFactory, MembershipFactory, OrganisationFactory, PersonFactory, SiteFactory

pytestmark = pytest.mark.django_db
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
WEEKS, MOST_STATEMENTS = 12, 24


def finding(quantity, value, week, *, signal="", state="ok", stratum=None, details=None, n=210):
    window = Window(BEGIN + timedelta(weeks=week), BEGIN + timedelta(weeks=week + 1))
    interval = Interval(value - 0.02, value + 0.02, 0.95, "delong") if quantity == "auroc" else None
    null = None if quantity in ("auroc", "volume") else NullLaw("test", {"0.99": 0.14}, 0.4)
    return Finding(
        quantity=quantity, value=value, unit="cases" if quantity == "volume" else "1", state=State(state), n_cases=n,
        method=Method(quantity, "test", "1"), input_digest="0" * 64, signal=signal, window=window, interval=interval,
        null=null, stratum=stratum or {}, details=details or {}, reason="too few" if state == "insufficient" else "",
    )  # fmt: skip


@pytest.fixture
def hospital():
    return OrganisationFactory(kind=Organisation.Kind.HOSPITAL)


@pytest.fixture
def deployment(hospital):
    """Twelve weeks; from week 8 on the share of AP views is higher at the south site."""
    made = DeploymentFactory(organisation=hospital, slug="chest", name="Chest")
    for code in ("north", "south"):
        made.sites.add(SiteFactory(organisation=hospital, code=code, time_zone="Europe/Berlin"))
    Signal.objects.create(deployment=made, name="meta_view", kind="categorical", family="input")
    counts = {"levels": ["PA", "AP"], "reference_counts": [690, 310], "current_counts": [84, 116]}
    for week in range(WEEKS):
        moved = week >= 8
        rows = [
            ("input", finding("volume", 210.0, week)), ("performance", finding("auroc", 0.88, week)),
            ("output", finding("w1_sd", 0.08, week, signal="score")),
            ("input", finding("chi_square", 0.35 if moved else 0.02, week, signal="meta_view",
                              state="act" if moved else "ok", stratum={"site": "south"}, details=counts)),
        ]  # fmt: skip
        for family, one in rows:
            store_finding(one, family=family, deployment=made, version=made.version)
    return made


@pytest.fixture
def reader(hospital):
    return signed_in(hospital, Role.HOSPITAL_QA)


def signed_in(organisation, role):
    person = PersonFactory()
    MembershipFactory(person=person, organisation=organisation, role=role)
    client = Client()
    client.force_login(person)
    client.person = person
    return client


def statements(client, address):
    client.get(address)
    with CaptureQueriesContext(connection) as made:
        answer = client.get(address)
    assert answer.status_code == 200
    return len(made), answer.content.decode()


def test_the_fleet_costs_as_many_statements_for_one_deployment_as_for_nine(deployment, reader, hospital):
    one, page = statements(reader, "/")
    assert "Chest" in page
    for _ in range(8):
        other = DeploymentFactory(organisation=hospital, version=deployment.version)
        for week in range(2):
            one_more = finding("w1_sd", 0.1, week, signal="score")
            store_finding(one_more, family="output", deployment=other, version=other.version)
    nine, _ = statements(reader, "/")
    assert nine == one <= MOST_STATEMENTS


def test_a_deployment_page_keeps_its_budget_whatever_the_signals(deployment, reader):
    few, _ = statements(reader, "/deployments/chest")
    for place in range(20):
        for week in range(WEEKS):
            extra = finding("w1_sd", 0.1, week, signal=f"q_feature_{place}")
            store_finding(extra, family="input", deployment=deployment, version=deployment.version)
    many, page = statements(reader, "/deployments/chest")
    assert many == few <= MOST_STATEMENTS
    assert page.count('class="chart panel"') == 24
    assert len(page) < 400_000


def test_the_fleet_says_what_moved_from_where_to_where_and_since_when(deployment, reader):
    page = reader.get("/").content.decode()
    assert "View: the share of AP rose from 31 % to 58 % since 2 Mar 2026 at south." in page
    assert "AUROC holds at 0.88 (0.86 to 0.9)." in page


def test_a_window_of_maps_that_has_only_begun_hides_nothing(deployment, reader):
    before = reader.get("/").content.decode()
    later = finding("map_entropy", 1.6, 14, signal="seg_grad_cam", state="insufficient", n=1)
    store_finding(later, family="explanation", deployment=deployment, version=deployment.version)
    after = reader.get("/").content.decode()
    told = "the share of AP rose"
    assert told in before
    assert told in after


def test_without_labels_the_fleet_says_that_performance_is_not_known(deployment, reader):
    FindingRecord.objects.filter(quantity="auroc").delete()
    assert "Performance is not yet known: no labels came in." in reader.get("/").content.decode()


def test_the_developer_sees_findings_but_no_way_to_cases(deployment):
    developer = signed_in(deployment.version.model.organisation, Role.DEVELOPER_AUTHOR)
    page = developer.get("/deployments/chest").content.decode()
    assert "Chest" in page and "Cases and maps" not in page
    end = int((BEGIN + timedelta(weeks=WEEKS)).timestamp())
    window = developer.get(f"/deployments/chest/window?signal=meta_view&stratum=site%3Dsouth&end={end}")
    assert "Cases and images stay with the hospital." in window.content.decode()


@pytest.mark.parametrize(
    "address", ["/deployments/chest", "/deployments/chest/window?signal=score&end=1", "/deployments/chest/chart.csv"]
)
def test_a_stranger_finds_nothing(deployment, address):
    stranger = signed_in(OrganisationFactory(), Role.HOSPITAL_QA)
    assert stranger.get(address).status_code == 404
    assert "Chest" not in stranger.get("/").content.decode()
    assert "Chest" not in stranger.get("/search?q=chest").content.decode()


def test_the_span_and_the_stratum_choose_what_is_drawn(deployment, reader):
    page = reader.get("/deployments/chest?stratum=site%3Dsouth&from=2026-03-01&to=2026-03-20").content.decode()
    assert page.count('class="chart panel"') == 1 and "3 windows" in page  # ending 2, 9, 16 March
    page = reader.get("/deployments/chest?stratum=site%3Dnowhere").content.decode()
    assert page.count('class="chart panel"') == 4  # an unknown stratum shows all cases
    assert "No window in this span" in reader.get("/deployments/chest?from=2031-01-01").content.decode()


def test_a_chart_comes_as_csv_with_evidence(deployment, reader):
    text = reader.get("/deployments/chest/chart.csv?signal=&quantity=auroc&stratum=").content.decode()
    lines = text.splitlines()
    assert len(lines) == WEEKS + 1 and lines[0].startswith("window_start,window_end")
    evidence = FindingRecord.objects.filter(quantity="auroc").earliest("window_start").evidence_id
    assert evidence in lines[1] and ",0.88,1,0.86,0.9," in lines[1]


def test_the_search_finds_by_word_and_by_evidence_id(deployment, reader):
    record = FindingRecord.objects.filter(quantity="auroc").first()
    assert reverse_of(record) in reader.get(f"/search?q={record.digest[:8]}").content.decode()
    page = reader.get("/search?q=chest").content.decode()
    assert "/deployments/chest" in page
    assert "Nothing that you may see matches" in reader.get("/search?q=zzzz").content.decode()
    assert "Area under the ROC curve" in reader.get("/search?q=roc").content.decode()


def reverse_of(record):
    return f"/findings/{record.digest[:16]}"


def test_a_view_is_kept_for_its_person_alone(deployment, reader, hospital):
    asked = {"title": "South", "query": "stratum=site%3Dsouth", "deployment": "chest"}
    assert reader.post("/views/save", asked).url == "/deployments/chest?stratum=site%3Dsouth"
    assert "South" in reader.get("/deployments/chest").content.decode()
    colleague = signed_in(hospital, Role.HOSPITAL_QA)
    view = SavedView.objects.get()
    assert colleague.post(f"/views/{view.pk}/forget").status_code == 404
    assert reader.post(f"/views/{view.pk}/forget").status_code == 302 and not SavedView.objects.exists()
    assert signed_in(OrganisationFactory(), Role.HOSPITAL_QA).post("/views/save", asked).status_code == 404


def test_a_view_without_a_name_is_refused_with_a_sentence(deployment, reader):
    page = reader.post("/views/save", {"title": " ", "query": "", "deployment": "chest"}, follow=True)
    assert "title is empty: give the view a name" in page.content.decode()


def test_the_weekly_mail_is_asked_for_and_ended(deployment, reader):
    reader.post("/weekly-summary", {"wanted": "yes"})
    assert WeeklySummary.objects.get().person == reader.person
    reader.post("/weekly-summary", {"wanted": "no"})
    assert not WeeklySummary.objects.exists()


def test_the_weekly_mail_tells_the_fleet_once_a_week(deployment, reader, mailoutbox):
    reader.post("/weekly-summary", {"wanted": "yes"})
    assert send_due_summaries(today=date(2026, 4, 1)) == 1
    assert send_due_summaries(today=date(2026, 4, 3)) == 0  # the same week
    (mail,) = mailoutbox
    assert mail.to == [reader.person.email] and "2026-03-30" in mail.subject
    assert "1 deployment: 1 to act on" in mail.body and "the share of AP rose from 31 % to 58 %" in mail.body
    ((name, content, kind),) = mail.attachments
    assert (name, kind) == ("vigil-week-2026-03-30.pdf", "application/pdf")
    told = words_of(content)
    assert "the share of AP rose from 31 % to 58 %" in told and "Alarms opened from 2026-03-23 to 2026-03-29" in told
    assert "View, south: change of shares" in told  # a chart of what moved
    assert send_due_summaries(today=date(2026, 4, 6)) == 1


def words_of(pdf):
    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages)


def test_the_week_is_a_file_that_holds_what_its_reader_may_see_and_no_more(deployment, reader, client):
    answer = reader.get("/weekly.pdf")
    assert answer.headers["Content-Type"] == "application/pdf" and "attachment" in answer["Content-Disposition"]
    assert "1 deployment: 1 to act on" in words_of(answer.content)
    stranger = MembershipFactory(organisation__kind=Organisation.Kind.HOSPITAL, role=Role.HOSPITAL_READER).person
    client.force_login(stranger)
    told = words_of(client.get("/weekly.pdf").content)
    assert "0 deployments" in told and "Chest" not in told
    client.logout()
    assert client.get("/weekly.pdf").status_code == 302


def test_somebody_without_a_role_gets_no_mail(deployment, reader, mailoutbox):
    reader.post("/weekly-summary", {"wanted": "yes"})
    reader.person.memberships.update(ends_at=BEGIN, starts_at=BEGIN - timedelta(days=1))
    assert send_due_summaries(today=date(2026, 4, 1)) == 0 and not mailoutbox


def test_times_stand_in_the_zone_of_the_sites_with_utc_beside(deployment, reader):
    record = FindingRecord.objects.filter(quantity="auroc").first()
    page = reader.get(reverse_of(record)).content.decode()
    assert "CE" in page.split("Computed</dt>")[1][:200] and " UTC" in page.split("Computed</dt>")[1][:200]


def test_help_stands_beside_the_number_and_is_a_page(deployment, reader):
    page = reader.get("/deployments/chest").content.decode()
    assert 'href="/methods/auroc"' in page
    help_page = reader.get("/methods/auroc").content.decode()
    assert "<h2>How to read</h2>" in help_page and "DeLong" in help_page
    part = reader.get("/methods/auroc", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part and "<h3>How to read</h3>" in part
    assert reader.get("/methods/no-such-method").status_code == 404


def test_a_broken_page_names_the_request(settings):
    from django.test import RequestFactory

    from config.errors import server_error

    request = RequestFactory().get("/")
    request.request_id = "abc123"
    answer = server_error(request)
    assert answer.status_code == 500 and b"abc123" in answer.content


def test_the_strip_comes_as_csv(deployment, reader):
    rows = reader.get("/deployments/chest/strip.csv?stratum=site%3Dsouth").content.decode().splitlines()
    assert rows[0].startswith("family,signal,stratum,2026-01-12,")
    assert rows[1] == "input,meta_view,site=south," + ",".join(["ok"] * 8 + ["act"] * 4)


def test_label_maturity_is_the_share_of_cases_whose_truth_came_in(deployment, reader):
    late = finding("auroc", 0.9, WEEKS - 1, state="insufficient", n=42)
    store_finding(late, family="performance", deployment=deployment, version=deployment.version)
    page = reader.get("/deployments/chest").content.decode()
    assert "Label maturity" in page and "Last window: 20 %, n = 210: too few cases for a verdict" in page
    rows = reader.get("/deployments/chest/chart.csv?quantity=labelled_share").content.decode().splitlines()
    assert len(rows) == WEEKS + 1
    shares = [float(row.split(",")[5]) for row in rows[1:]]
    assert shares == pytest.approx([100.0] * (WEEKS - 1) + [20.0])  # 42 of 210
