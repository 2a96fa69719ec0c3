"""Alarms: a finding that calls a person, and what that person did."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from assurance.models import Deployment, FindingRecord, ModelVersion
from monitoring.words import SHORT_WORDS, capital, name_of, place_name, signal_name


class Alarm(models.Model):
    """One lasting condition of one signal in one stratum; later windows that say the same belong to it."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        CLOSED = "closed", "Closed"

    class Cause(models.TextChoices):
        NONE = "", "not yet judged"
        DEVICE = "device", "device performance"
        ACQUISITION = "acquisition", "acquisition or software change"
        POPULATION = "population", "change of patients or prevalence"
        DATA = "data", "data flow"
        FALSE = "false", "false alarm"

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="alarms")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    family = models.CharField(max_length=18)
    signal = models.CharField(max_length=120, blank=True)
    stratum = models.CharField(max_length=200, blank=True)
    quantity = models.CharField(max_length=60)
    finding = models.ForeignKey(FindingRecord, on_delete=models.PROTECT, related_name="+")
    finding_state = models.CharField(max_length=12)
    window_start = models.DateTimeField()
    last_window_end = models.DateTimeField()
    windows = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=12, choices=Status, default=Status.OPEN)
    cause = models.CharField(max_length=12, choices=Cause, blank=True, default=Cause.NONE)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-opened_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("deployment", "version", "family", "signal", "stratum"),
                condition=~models.Q(status="closed"),
                name="one_open_alarm_per_condition",
            ),
        )

    def __str__(self) -> str:
        place = place_name(self.stratum)
        name = capital(signal_name(self.signal) or name_of(self.quantity)) + (f" at {place}" if place else "")
        return f"{name}: {SHORT_WORDS.get(self.quantity, name_of(self.quantity))}" if self.signal else name


class AlarmNote(models.Model):
    """What a person wrote when handling an alarm; never edited."""

    append_only = True
    alarm = models.ForeignKey(Alarm, on_delete=models.PROTECT, related_name="notes")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=12, choices=Alarm.Status)
    cause = models.CharField(max_length=12, blank=True)
    text = models.TextField()
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("written_at",)

    def __str__(self) -> str:
        return self.text[:60]
