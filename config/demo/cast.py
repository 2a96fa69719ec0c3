"""Who takes part in the demo life: example organisations and one person for each role, with generated secrets."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.db import transaction

from accounts.models import Organisation, Person, Role
from accounts.services.organisations import add_site, create_organisation
from accounts.services.people import add_person, enrol_totp
from accounts.services.roles import grant_role
from accounts.signing import has_totp
from config import home
from records.actor import SYSTEM

ORGANISATIONS = (
    ("example-imaging", "Example Imaging Devices", "developer", "Germany"),
    ("example-hospitals", "Example University Hospitals", "hospital", "Germany"),
    ("example-authority", "Example Health Authority", "regulator", "Germany"),
    ("vigil-operator", "Vigil platform operator", "operator", ""),
)
SITES = (  # code, name, time zone
    ("guangzhou", "Reference hospital (Guangzhou part of the log)", "Asia/Shanghai"),
    ("nih", "Hospital 2 (NIH Clinical Center part of the log)", "America/New_York"),
    ("hannover", "Hospital 3 (Hannover part of the log)", "Europe/Berlin"),
    ("scanner-a", "Scanner A", "Europe/Berlin"),
    ("scanner-b", "Scanner B", "Europe/Berlin"),
)
PEOPLE = (  # key, role, organisation, printed name
    ("author", Role.DEVELOPER_AUTHOR, "example-imaging", "Model Developer"),
    ("approver", Role.DEVELOPER_APPROVER, "example-imaging", "Regulatory Affairs Lead"),
    ("qa", Role.HOSPITAL_QA, "example-hospitals", "Hospital QA Lead"),
    ("reader", Role.HOSPITAL_READER, "example-hospitals", "Hospital QA Reader"),
    ("safety", Role.SAFETY_OFFICER, "example-hospitals", "Clinical Safety Officer"),
    ("signatory", Role.HOSPITAL_SIGNATORY, "example-hospitals", "Hospital Signatory"),
    ("intake", Role.REGULATOR_INTAKE, "example-authority", "Intake Officer"),
    ("assessor", Role.REGULATOR_ASSESSOR, "example-authority", "Assessor"),
    ("decider", Role.REGULATOR_DECIDER, "example-authority", "Decision Maker"),
    ("observer", Role.REGULATOR_OBSERVER, "example-authority", "Observer"),
    ("admin", Role.PLATFORM_ADMIN, "vigil-operator", "Platform Administrator"),
)
SIGNS = {"author", "approver", "safety", "signatory", "intake", "assessor", "decider"}


@dataclass(frozen=True, slots=True)
class Login:
    """What a person needs to sign in; ``totp_secret`` only for those who may sign."""

    key: str
    role: str
    email: str
    password: str
    totp_secret: str = ""


@dataclass(frozen=True)
class Cast:
    organisations: dict[str, Organisation]
    logins: dict[str, Login]
    tokens: dict[str, str] = field(default_factory=dict)  # slug of a deployment -> its sender's secret

    def person(self, key: str) -> Person:
        return Person.objects.get(email=self.logins[key].email)

    @property
    def developer(self) -> Organisation:
        return self.organisations["example-imaging"]

    @property
    def hospital(self) -> Organisation:
        return self.organisations["example-hospitals"]

    @property
    def regulator(self) -> Organisation:
        return self.organisations["example-authority"]


def assemble() -> Cast:
    """Make everybody who is not there yet. Secrets stay in the instance's folder until the demo life is over."""
    organisations = {slug: _organisation(slug, name, kind, country) for slug, name, kind, country in ORGANISATIONS}
    hospital = organisations["example-hospitals"]
    for code, name, zone in SITES:
        if not hospital.sites.filter(code=code).exists():
            add_site(hospital, code=code, name=name, time_zone=zone, by=SYSTEM)
    logins = _kept_logins()
    for key, role, slug, name in PEOPLE:
        email = f"{key}@{slug}.example"
        if not Person.objects.filter(email=email).exists():
            logins[key] = _person(key, role, organisations[slug], email, name)
            _keep_logins(logins)
    return Cast(organisations, logins)


def _organisation(slug: str, name: str, kind: str, country: str) -> Organisation:
    found = Organisation.objects.filter(slug=slug).first()
    return found or create_organisation(name=name, slug=slug, kind=kind, country=country, by=SYSTEM)


@transaction.atomic
def _person(key: str, role: str, organisation: Organisation, email: str, name: str) -> Login:
    password = secrets.token_urlsafe(15)
    person = add_person(email=email, name=f"{name}, {organisation.name}", password=password, by=SYSTEM)
    grant_role(person, organisation, role, by=SYSTEM, reason="the demo's cast")
    secret = enrol_totp(person) if key in SIGNS and not has_totp(person) else ""
    return Login(key, Role(role).label, email, password, secret)


def secrets_file() -> Path:
    return home.var("demo-logins.json")


def _kept_logins() -> dict[str, Login]:
    if not secrets_file().exists():
        return {}
    return {key: Login(**values) for key, values in json.loads(secrets_file().read_text()).items()}


def _keep_logins(logins: dict[str, Login]) -> None:
    scratch = secrets_file().with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({key: asdict(login) for key, login in logins.items()}, file)
    scratch.replace(secrets_file())


def forget_logins() -> None:
    """After the life is told: the instance keeps hashes only."""
    secrets_file().unlink(missing_ok=True)
