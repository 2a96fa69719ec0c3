"""Forms of incidents and reports. Times are entered in the zone that stands beside them."""

import hashlib
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms

from accounts.forms import SigningForm
from assurance.models import Deployment
from vigilance import catalogue
from vigilance.models import CorrectiveAction

MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
MOMENTS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
MOST_REPORT_BYTES = 50 * 2**20
BY_COUNTRY = {  # what is ticked at first; anybody can tick more
    "United Kingdom": ("uk-pms",),
    "United States": ("cfr-803",),
}
EUROPE = ("eu-mdr", "eu-ai-act", "gdpr")


def wall_clock(moment: datetime, zone: str) -> datetime:
    """What a clock on the wall in ``zone`` shows; without a zone, since form fields would turn it back to UTC."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def in_zone(moment: datetime, zone: str) -> datetime:
    """The wall-clock time that was typed, as a moment in ``zone``."""
    return moment.replace(tzinfo=ZoneInfo(zone))


class IncidentForm(forms.Form):
    deployment = forms.ModelChoiceField(label="Deployment", queryset=Deployment.objects.none(), to_field_name="slug")
    event_kind = forms.ChoiceField(label="What kind of event it is")
    title = forms.CharField(label="In one line", max_length=200)
    description = forms.CharField(
        label="What happened", widget=forms.Textarea(attrs={"rows": 6}),
        help_text="Facts, without names or birth dates of patients. This text goes into the audit trail.",
    )  # fmt: skip
    aware_at = forms.DateTimeField(
        label="Learnt of at", widget=MOMENT, input_formats=MOMENTS,
        help_text="The clocks count from when somebody of the organisation first knew. The day itself is day 0.",
    )  # fmt: skip
    time_zone = forms.ChoiceField(label="In the time zone")
    frameworks = forms.MultipleChoiceField(label="Law to count under", widget=forms.CheckboxSelectMultiple)
    is_device = forms.BooleanField(
        label="The system is a medical device", required=False, initial=True,
        help_text="Then the AI Act leaves most reporting to device law (Article 73(10)).",
    )  # fmt: skip
    alarm = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, deployments: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["deployment"].queryset = deployments
        fields["event_kind"].choices = [("", "choose"), *catalogue.event_kinds().items()]
        fields["frameworks"].choices = list(catalogue.frameworks().items())
        fields["time_zone"].choices = [(zone, zone) for zone in sorted(available_timezones())]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("aware_at") and cleaned.get("time_zone"):
            cleaned["aware_at"] = in_zone(cleaned["aware_at"], cleaned["time_zone"])
        return cleaned


class ReportForm(SigningForm):
    """When the report went out, under which reference, and the signature of who says so."""

    reported_at = forms.DateTimeField(label="Sent at", widget=MOMENT, input_formats=MOMENTS)
    reference = forms.CharField(label="The recipient's reference", max_length=120)
    late_reason = forms.CharField(
        label="Why it is late", required=False, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Needed when the report went out after its due date.",
    )  # fmt: skip
    report = forms.FileField(
        label="The report as it was sent", required=False,
        help_text="Its SHA-256 is kept and signed; the file itself is not stored.",
    )  # fmt: skip
    field_order = ("reported_at", "reference", "late_reason", "report", "password", "code")

    def __init__(self, zone: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    def clean_reported_at(self) -> datetime:
        return in_zone(self.cleaned_data["reported_at"], self.zone)

    def clean_report(self) -> str:
        """The file's SHA-256, read in pieces."""
        file = self.cleaned_data["report"]
        if not file:
            return ""
        if file.size > MOST_REPORT_BYTES:
            raise forms.ValidationError(f"The file has {file.size:,} bytes: at most {MOST_REPORT_BYTES:,} are read.")
        digest = hashlib.sha256()
        for piece in file.chunks():
            digest.update(piece)
        return digest.hexdigest()


class ReasonForm(forms.Form):
    reason = forms.CharField(label="Reason", widget=forms.Textarea(attrs={"rows": 2}), max_length=2000)


class KindForm(ReasonForm):
    event_kind = forms.ChoiceField(label="What kind of event it is now")
    field_order = ("event_kind", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["event_kind"].choices = list(catalogue.event_kinds().items())  # type: ignore[attr-defined]


class DueForm(ReasonForm):
    due_at = forms.DateTimeField(label="Due at", widget=MOMENT, input_formats=MOMENTS)
    field_order = ("due_at", "reason")


class ActionForm(forms.Form):
    kind = forms.ChoiceField(label="Kind", choices=CorrectiveAction.Kind.choices)
    text = forms.CharField(label="What is done", widget=forms.Textarea(attrs={"rows": 2}), max_length=2000)
    responsible = forms.CharField(label="By whom", max_length=200)
    due_on = forms.DateField(label="Until", widget=forms.DateInput(attrs={"type": "date"}))
