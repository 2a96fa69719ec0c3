"""Organisations, sites, people and the roles that tie them."""

from typing import Any, ClassVar
from zoneinfo import available_timezones

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Organisation(models.Model):
    class Kind(models.TextChoices):
        DEVELOPER = "developer", "Developer"
        HOSPITAL = "hospital", "Hospital"
        REGULATOR = "regulator", "Regulator"
        OPERATOR = "operator", "Platform operator"

    name = models.CharField(max_length=200, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    kind = models.CharField(max_length=12, choices=Kind)
    country = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


def known_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"time_zone {name!r} is not known: give an IANA name such as Europe/Berlin")


class Site(models.Model):
    """A place of a hospital where studies are made. ``code`` is what prediction files carry in their site column."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="sites")
    code = models.SlugField(max_length=60)
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=60, default="UTC", validators=[known_time_zone])

    class Meta:
        ordering = ("organisation", "code")
        constraints = (models.UniqueConstraint(fields=("organisation", "code"), name="one_site_per_code"),)

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    DEVELOPER_AUTHOR = "developer_author", "Model developer (author)"
    DEVELOPER_APPROVER = "developer_approver", "Regulatory affairs lead (approver)"
    HOSPITAL_READER = "hospital_reader", "Hospital QA reader"
    HOSPITAL_QA = "hospital_qa", "Hospital QA lead"
    SAFETY_OFFICER = "safety_officer", "Clinical safety officer"
    HOSPITAL_SIGNATORY = "hospital_signatory", "Hospital signatory"
    REGULATOR_INTAKE = "regulator_intake", "Regulator intake"
    REGULATOR_ASSESSOR = "regulator_assessor", "Assessor"
    REGULATOR_DECIDER = "regulator_decider", "Decision maker"
    REGULATOR_OBSERVER = "regulator_observer", "Observer"
    AUDITOR = "auditor", "Auditor"
    PLATFORM_ADMIN = "platform_admin", "Administrator"
    INTEGRATION = "integration", "Integration (token only)"


_EVERYWHERE = {Role.AUDITOR, Role.PLATFORM_ADMIN}
ROLES_OF_KIND: dict[Any, set[Any]] = {  # which roles an organisation may give; integration is held by tokens alone
    Organisation.Kind.DEVELOPER: {Role.DEVELOPER_AUTHOR, Role.DEVELOPER_APPROVER, *_EVERYWHERE},
    Organisation.Kind.HOSPITAL: {
        Role.HOSPITAL_READER, Role.HOSPITAL_QA, Role.SAFETY_OFFICER, Role.HOSPITAL_SIGNATORY, *_EVERYWHERE,
    },
    Organisation.Kind.REGULATOR: {
        Role.REGULATOR_INTAKE, Role.REGULATOR_ASSESSOR, Role.REGULATOR_DECIDER, Role.REGULATOR_OBSERVER, *_EVERYWHERE,
    },
    Organisation.Kind.OPERATOR: _EVERYWHERE,
}  # fmt: skip


class PersonManager(BaseUserManager["Person"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> "Person":
        person = self.model(email=self.normalize_email(email).lower(), **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "Person":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class Person(AbstractBaseUser, PermissionsMixin):
    """One human being, one identity; rights come from memberships, never from the flags below."""

    email = models.EmailField(unique=True)
    name = models.CharField("printed name", max_length=200)
    time_zone = models.CharField(max_length=60, default="UTC", validators=[known_time_zone])
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects = PersonManager()

    class Meta:
        ordering = ("email",)
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name


class MembershipQuerySet(models.QuerySet["Membership"]):
    def current(self) -> "MembershipQuerySet":
        now = timezone.now()
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=now), starts_at__lte=now)


class Membership(models.Model):
    """A role of a person in an organisation, from a time to a time; ``site`` narrows it for hospitals."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="memberships")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=24, choices=Role)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, null=True, blank=True)
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ("organisation", "role")
        constraints = (
            models.UniqueConstraint(
                fields=("person", "organisation", "role", "site"),
                condition=Q(ends_at=None),
                nulls_distinct=False,
                name="one_open_membership",
            ),
        )

    def __str__(self) -> str:
        return f"{self.person}: {self.get_role_display()} at {self.organisation}"


class ApiToken(models.Model):
    """A key for a machine: hashed at rest, limited to verbs and maybe one deployment; it expires and can be revoked."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="tokens")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="tokens", help_text="who made it")
    name = models.CharField(max_length=120)
    token_sha256 = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=8)
    verbs = models.JSONField(default=list)
    deployment_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def valid(self) -> bool:
        return self.revoked_at is None and self.expires_at > timezone.now()


class OneTimeLink(models.Model):
    """A link that lets one person choose a password, once and for a short time; only the hash of its secret is kept."""

    class Purpose(models.TextChoices):
        INVITE = "invite", "Invitation"
        RESET = "reset", "New password"

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="links")
    purpose = models.CharField(max_length=8, choices=Purpose)
    secret_sha256 = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} for {self.person}"

    @property
    def valid(self) -> bool:
        return self.used_at is None and self.expires_at > timezone.now()


class AccessGrantQuerySet(models.QuerySet["AccessGrant"]):
    def current(self) -> "AccessGrantQuerySet":
        now = timezone.now()
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=now), starts_at__lte=now, revoked_at=None)


class AccessGrant(models.Model):
    """One object shown to one organisation, from a time to a time: a regulator sees what was submitted to it."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="grants")
    subject_kind = models.CharField(max_length=80)
    subject_id = models.CharField(max_length=64)
    subject_name = models.CharField(max_length=200, blank=True)
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    objects = AccessGrantQuerySet.as_manager()

    class Meta:
        ordering = ("-starts_at",)
        indexes = (models.Index(fields=("subject_kind", "subject_id")),)
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=models.F("starts_at")), name="access_ends_after_its_start"
            ),
        )

    def __str__(self) -> str:
        return f"{self.subject_name} for {self.organisation}"
