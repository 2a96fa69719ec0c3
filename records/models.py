"""The audit trail with its chain and checkpoints, and electronic signatures: all of it append-only."""

from django.db import models


class AuditEvent(models.Model):
    """Who did what, when, to what, and why. ``sha256`` is taken over the canonical JSON of all the rest."""

    append_only = True

    at = models.DateTimeField(help_text="clock of the database, UTC")
    person_id = models.BigIntegerField(null=True, db_index=True)
    person_name = models.CharField(max_length=200, blank=True)
    organisation_id = models.BigIntegerField(null=True, db_index=True)
    owner_id = models.BigIntegerField(null=True, db_index=True, help_text="organisation whose object it is")
    role = models.CharField(max_length=40)
    action = models.CharField(max_length=80, db_index=True)
    subject_kind = models.CharField(max_length=80)
    subject_id = models.CharField(max_length=64)
    subject_name = models.CharField(max_length=200, blank=True)
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ("pk",)
        indexes = (models.Index(fields=("subject_kind", "subject_id")),)

    def __str__(self) -> str:
        return f"{self.action} {self.subject_name}"

    def content(self) -> dict[str, object]:
        """What the hash is taken over; the order does not matter. An event without an owner has no such entry."""
        content: dict[str, object] = {
            "at": self.at, "person_id": self.person_id, "person_name": self.person_name,
            "organisation_id": self.organisation_id, "role": self.role, "action": self.action,
            "subject_kind": self.subject_kind, "subject_id": self.subject_id, "subject_name": self.subject_name,
            "old": self.old, "new": self.new, "reason": self.reason, "request_id": self.request_id,
        }  # fmt: skip
        if self.owner_id is not None:
            content["owner_id"] = self.owner_id
        return content


class AuditLink(models.Model):
    """The place of an event in the chain: sha256 = SHA-256(previous link + position + event)."""

    append_only = True

    position = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(AuditEvent, on_delete=models.PROTECT, related_name="link")
    previous = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ("position",)

    def __str__(self) -> str:
        return f"{self.position}: {self.sha256[:12]}"


class Checkpoint(models.Model):
    """The chain's end at one time, signed by the instance's key: what lies before it cannot be rewritten unseen."""

    append_only = True

    position = models.BigIntegerField(unique=True)
    sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()
    key_id = models.CharField(max_length=64)
    signature = models.CharField(max_length=200)

    class Meta:
        ordering = ("position",)

    def __str__(self) -> str:
        return f"checkpoint at {self.position}"


class Signature(models.Model):
    """A person's signature on exact content: name, time with zone, meaning, and the instance's seal over them."""

    append_only = True

    subject_kind = models.CharField(max_length=80)
    subject_id = models.CharField(max_length=64)
    subject_name = models.CharField(max_length=200, blank=True)
    content_sha256 = models.CharField(max_length=64, db_index=True)
    person_id = models.BigIntegerField(db_index=True)
    printed_name = models.CharField(max_length=200)
    organisation_id = models.BigIntegerField(null=True)
    role = models.CharField(max_length=40)
    meaning = models.CharField(max_length=200)
    signed_at = models.DateTimeField()
    time_zone = models.CharField(max_length=60)
    key_id = models.CharField(max_length=64)
    seal = models.CharField(max_length=200)

    class Meta:
        ordering = ("signed_at",)
        indexes = (models.Index(fields=("subject_kind", "subject_id")),)

    def __str__(self) -> str:
        return f"{self.printed_name}: {self.meaning}"

    def statement(self) -> dict[str, object]:
        """What the seal is taken over."""
        return {
            "content_sha256": self.content_sha256, "subject_kind": self.subject_kind, "subject_id": self.subject_id,
            "person_id": self.person_id, "printed_name": self.printed_name, "organisation_id": self.organisation_id,
            "role": self.role, "meaning": self.meaning, "signed_at": self.signed_at, "time_zone": self.time_zone,
        }  # fmt: skip

    def covers(self, content_sha256: str) -> bool:
        """True while the signed content is still this; one changed byte and it no longer is."""
        return self.content_sha256 == content_sha256
