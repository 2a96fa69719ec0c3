"""A sandbox with its people: developer, hospital, regulator, each with one-time codes, and a file to submit."""

from dataclasses import dataclass, field
from datetime import timedelta

from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache
from django.utils import timezone

from accounts.models import Organisation, Person, Role
from assurance import regulation
from assurance.evidence.finding import Finding, Interval, Method, State, Window
from assurance.models import FindingRecord, InformationRequest, StateChange, Submission
from assurance.services.cards import save_card
from assurance.services.findings import store_finding
from assurance.services.plans import freeze_plan, save_plan, sign_plan
from assurance.services.proceedings import prepare_decision, sign_assessment
from assurance.services.submissions import add_evidence, answer, ask, declare, move_submission, start_submission
from records.actor import Actor
from tests.factories import (
    DeploymentFactory,
    MembershipFactory,
    ModelFactory,
    ModelVersionFactory,
    OrganisationFactory,
    PersonFactory,
    SiteFactory,
    sha256,
)

PASSWORD = "a long enough phrase"
PLAN = {
    "question": "Does sensitivity hold at a second hospital?", "method": "Paired reading of consecutive films",
    "answer_criterion": "Sensitivity at least 0.90 with its interval above 0.85", "environments": ["virtual"],
    "safeguards": ["A reader sees every film"], "stop_rules": ["Two missed pneumothoraces in a week"],
    "thresholds": {"sensitivity": 0.9}, "test_sets": [{"name": "second hospital", "sha256": sha256("test set")}],
    "personal_data": False,
}  # fmt: skip
WORDS = {  # kinds that words prove, filed in a draft
    "sandbox.application": "Question, reason for a sandbox, eligibility.", "risk_management": "Risk file, revision 3.",
    "human_oversight": "A radiologist confirms each result.", "monitoring.plan": "Weekly, thresholds as in the plan.",
    "privacy.protection": "No personal data leave the hospital.", "standards.list": "AI Act, MDR.",
}  # fmt: skip


@dataclass
class Cast:
    """Everybody who acts, by a short name, and the file."""

    people: dict[str, Person]
    submission: Submission | None
    secrets: dict[int, str]
    version: object
    findings: dict[str, FindingRecord] = field(default_factory=dict)

    def actor(self, name: str) -> Actor:
        membership = self.people[name].memberships.order_by("pk").first()
        return Actor(person_id=self.people[name].pk, organisation_id=membership.organisation_id, role=membership.role)

    def code(self, name: str) -> str:
        cache.clear()  # a code works once in half a minute; the clock of a test does not wait
        secret = self.secrets[self.people[name].pk]
        counters = list(totp.yield_hotp_counters_from_time())
        return totp.format_hotp_value(totp.hotp_value(secret, counters[len(counters) // 2]))

    def join(self, name: str, role: str, organisation: Organisation) -> None:
        """One more person, with one-time codes."""
        person = MembershipFactory(person=PersonFactory(name=name.title()), organisation=organisation, role=role).person
        person.set_password(PASSWORD)
        person.save()
        self.secrets[person.pk] = totp.generate_totp_secret()
        totp.TOTP.activate(person, self.secrets[person.pk])
        self.people[name] = person

    def signing(self, name: str) -> dict[str, object]:
        return {"person": self.people[name], "password": PASSWORD, "code": self.code(name)}

    def move(
        self, transition: str, name: str | None, reason: str = "because the test says so", **options
    ) -> Submission:
        terms = self.signing(name) if name else {"person": None}
        self.submission = move_submission(self.submission, transition=transition, reason=reason, **terms, **options)
        return self.submission

    def add(self, kind: str, name: str = "author", **options):
        return add_evidence(self.submission, kind=kind, by=self.actor(name), **options)


def answers_for(**changes):
    """Every developer's field answered in the plainest way its type allows."""
    plain = {
        "string": "text", "text": "Some text.", "url": "https://vigil.example/card", "date": "2026-01-31",
        "hash": sha256("hash"), "boolean": True, "object": {"text": "x"}, "party": {"name": "Developer"},
        "contact": {"email": "desk@developer.example"}, "signature": {"meaning": "approval"}, "table": [{"a": "b"}],
        "list_of_string": ["one"], "list_of_reference": ["One reference"], "list_of_dataset_ref": ["set A"],
        "list_of_party": [{"name": "Author"}],
    }  # fmt: skip
    answers = {}
    for one in regulation.card_schema():
        if one.local:
            continue
        if one.is_measure:
            answers[one.id] = {"status": "not_available", "reason": "measured in the sandbox"}
        else:
            value = one.values[0] if one.type == "enum" else plain[one.type]
            answers[one.id] = {"status": "answered", "value": value}
    return answers | changes


def finding(quantity="auroc", value=0.93, *, stratum=None, state=State.OK, seed=1) -> Finding:
    end = timezone.now().replace(microsecond=0)
    return Finding(
        quantity=quantity, value=value, unit="1", state=state, n_cases=400,
        method=Method(key=quantity, implementation="test", version="1", seed=seed), input_digest=sha256(f"{seed}"),
        interval=Interval(value - 0.02, value + 0.02, 0.95, "delong") if value is not None else None,
        window=Window(end - timedelta(days=30), end), stratum=stratum or {},
        reason="" if value is not None and state is not State.INSUFFICIENT else "too few cases",
    )  # fmt: skip


def make_cast(*, profile: str = "eu-ai-act-sandbox", real_world: bool = False) -> Cast:
    """A draft with nothing filed yet."""
    developer = OrganisationFactory(kind=Organisation.Kind.DEVELOPER)
    hospital = OrganisationFactory(kind=Organisation.Kind.HOSPITAL)
    regulator = OrganisationFactory(kind=Organisation.Kind.REGULATOR)
    roles = {
        "author": (developer, Role.DEVELOPER_AUTHOR), "approver": (developer, Role.DEVELOPER_APPROVER),
        "signatory": (hospital, Role.HOSPITAL_SIGNATORY), "qa": (hospital, Role.HOSPITAL_QA),
        "intake": (regulator, Role.REGULATOR_INTAKE), "assessor": (regulator, Role.REGULATOR_ASSESSOR),
        "decider": (regulator, Role.REGULATOR_DECIDER),
    }  # fmt: skip
    version = ModelVersionFactory(model=ModelFactory(organisation=developer))
    deployment = DeploymentFactory(version=version, organisation=hospital, sites=[SiteFactory(organisation=hospital)])
    cast = Cast(people={}, submission=None, secrets={}, version=version)
    for name, (organisation, role) in roles.items():
        cast.join(name, role, organisation)
    author = cast.actor("author")
    cast.submission = start_submission(
        organisation=developer, regulator=regulator, version=version, deployments=[deployment], profile=profile,
        title="Chest films at a second hospital", by=author,
    )  # fmt: skip
    if real_world:
        cast.submission = declare(cast.submission, fact="real_world", value=True, by=author)
    return cast


def fill(cast: Cast) -> None:
    """All that a complete draft holds."""
    save_card(cast.version, answers=answers_for(), by=cast.actor("author"))
    for kind, text in WORDS.items():
        cast.add(kind, text=text)
    deployment = cast.submission.deployments.get()
    for kind, stratum in (("performance.overall", None), ("performance.subgroup", {"sex": "F"})):
        record = store_finding(finding(stratum=stratum), family="performance", deployment=deployment)
        cast.findings[kind] = record
        cast.add(kind, finding=record)
    split = store_finding(finding("shared_patients", 0.0, seed=5), family="performance", deployment=deployment)
    cast.add("dataset.partitioning", finding=split)
    end = (timezone.now() + timedelta(days=90)).date().isoformat()
    save_plan(cast.submission, content=PLAN | {"end_date": end}, by=cast.actor("author"))


def submit(cast: Cast) -> None:
    fill(cast)
    cast.move("t02", "author")
    cast.move("t04", "approver")
    for fact in ("terms", "confidentiality"):
        cast.submission = declare(cast.submission, fact=fact, value=True, by=cast.actor("approver"))
    cast.move("t06", "approver")


def assess(cast: Cast, *, with_question: bool = True) -> None:
    cast.move("t07", "intake")
    cast.move("t09", "intake")
    if with_question:
        request: InformationRequest = ask(cast.submission, question="How were films chosen?", by=cast.actor("assessor"))
        cast.move("t11", "assessor")
        answer(request, text="Consecutively, none left out.", by=cast.actor("author"))
        cast.move("t13", "approver")
    criteria = {
        name: {"judgement": "met", "reason": "shown"}
        for name in regulation.profile_from(cast.submission.profile_terms).criteria
    }
    sign_assessment(cast.submission, criteria=criteria, recommendation="Admit.", **cast.signing("assessor"))


def admit(cast: Cast) -> None:
    prepare_decision(
        cast.submission, transition="t14", reasons="All criteria are met.", conditions=["Report each month"],
        by=cast.actor("decider"),
    )  # fmt: skip
    cast.move("t14", "decider")


def activate(cast: Cast) -> None:
    cast.move("t16", "author")
    plan = freeze_plan(cast.submission, by=cast.actor("author"))
    for name in ("approver", "signatory"):
        sign_plan(plan, **cast.signing(name))
    cast.move("t17", "decider")


def running_cast(**plan) -> Cast:
    """A submission whose test runs under a frozen plan, set there without its walk: for tests of what comes after."""
    cast = make_cast()
    end = (timezone.now() + timedelta(days=90)).date().isoformat()
    save_plan(cast.submission, content=PLAN | {"end_date": end} | plan, by=cast.actor("author"))
    freeze_plan(cast.submission, by=cast.actor("author"))
    now = timezone.now()
    Submission.objects.filter(pk=cast.submission.pk).update(state="active", state_since=now, submitted_at=now)
    cast.submission.refresh_from_db()
    StateChange.objects.create(
        submission=cast.submission, transition="t17", source="plan_negotiation", target="active", audit_event_id=0,
        person=cast.people["decider"], role=Role.REGULATOR_DECIDER, at=now,
    )  # fmt: skip
    return cast
