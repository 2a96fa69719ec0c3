"""Lineage: foundation model, what was adapted from it, and the device versions that hospitals run."""

import uuid

from django.db import models
from django.utils import timezone

from accounts.models import Organisation, Person
from assurance.models.fields import sha256_field


class Task(models.TextChoices):
    CLASSIFICATION = "classification", "Classification"
    SEGMENTATION = "segmentation", "Segmentation"
    REGISTRATION = "registration", "Registration"
    LOCALIZATION = "localization", "Localization"
    GENERATION = "generation", "Generation"


class Model(models.Model):
    """A line of versions: a foundation model, an adapter or fine-tune of one, or a device."""

    class Kind(models.TextChoices):
        FOUNDATION = "foundation", "Foundation model"
        ADAPTED = "adapted", "Adapter or fine-tune"
        DEVICE = "device", "Device"

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="models")
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    kind = models.CharField(max_length=12, choices=Kind)
    task = models.CharField(max_length=16, choices=Task)
    modality = models.CharField(max_length=40)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """One immutable version: what exactly ran is what its hashes say. The database refuses any later change."""

    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(max_length=40)
    base = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="descendants")
    adapter_key = models.SlugField(max_length=60)
    weights_sha256 = sha256_field()
    preprocessing = models.JSONField(default=dict)
    preprocessing_sha256 = sha256_field()
    thresholds = models.JSONField(default=dict)
    thresholds_sha256 = sha256_field()
    container_digest = models.CharField(max_length=80, blank=True)
    licence = models.CharField(max_length=120)
    input_contract = models.JSONField(default=dict)
    output_contract = models.JSONField(default=dict)
    prompt_types = models.JSONField(default=list)
    pretraining_sources = models.JSONField(default=list)
    known_contamination = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("model", "created_at")
        constraints = (models.UniqueConstraint(fields=("model", "version"), name="one_version_per_name"),)

    def __str__(self) -> str:
        return f"{self.model.name} {self.version}"


class VersionRequest(models.Model):
    """A version asked for with an uploaded weights file: a worker looks at the file, then registers or refuses it."""

    class Status(models.TextChoices):
        WAITING = "waiting", "The file is being checked"
        REGISTERED = "registered", "Registered"
        REFUSED = "refused", "Refused"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="version_requests")
    content = models.JSONField(help_text="what the form said, as the registry takes it")
    base = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, related_name="+")
    file_name = models.CharField(max_length=200)
    file_bytes = models.BigIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    reason = models.TextField(blank=True)
    result = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, related_name="+")
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=24)
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-asked_at",)

    def __str__(self) -> str:
        return f"{self.model.name} {self.content.get('version', '')}"
