"""Forms of people, their roles, keys and signatures. They check shapes; what is allowed the services decide."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import ROLES_OF_KIND, Organisation, Role
from accounts.tokens import LONGEST_DAYS, VERBS

DATE = forms.DateInput(attrs={"type": "date"})
NEW_PASSWORD = forms.PasswordInput(attrs={"autocomplete": "new-password"})
VERB_WORDS = {
    "see": "read findings and states",
    "send_predictions": "send predictions and labels",
    "ask_explanation": "ask for maps",
    "build_dossier": "build dossiers",
    "edit_submission": "write submissions",
    "open_incident": "open incidents",
}


class SigningForm(forms.Form):
    """Password and one-time code, asked for at each signing. Pages subclass it or put it beside their own form."""

    password = forms.CharField(
        label="Your password", max_length=200, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip
    code = forms.CharField(
        label="One-time code", max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "pattern": "[0-9 ]*"}),
    )  # fmt: skip

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).replace(" ", "")

    def credentials(self) -> dict[str, Any]:
        """The two arguments that ``accounts.signing.sign`` wants; never stored, never logged."""
        return {"password": self.cleaned_data["password"], "code": self.cleaned_data["code"]}


class ProfileForm(forms.Form):
    time_zone = forms.ChoiceField(
        label="Time zone", choices=[(name, name.replace("_", " ")) for name in sorted(available_timezones())],
        help_text="The zone printed beside your signatures.",
    )  # fmt: skip


class ChoosePasswordForm(forms.Form):
    """For a one-time link."""

    password = forms.CharField(label="New password", widget=NEW_PASSWORD, strip=False, max_length=200)
    again = forms.CharField(label="The same again", widget=NEW_PASSWORD, strip=False, max_length=200)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "again" in cleaned and cleaned.get("password") != cleaned["again"]:
            raise ValidationError("The two passwords differ.")
        return cleaned


class OrganisationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Organisation
        fields = ("name", "slug", "kind", "country")
        help_texts = {"slug": "Short name in addresses: small letters, digits and hyphens."}


class RoleForm(forms.Form):
    """A role for somebody who has an account, or an invitation for somebody new: then the name is needed too."""

    email = forms.EmailField(label="E-mail")
    name = forms.CharField(
        label="Printed name", max_length=200, required=False,
        help_text="As it stands under signatures. Leave it empty for somebody who has an account already.",
    )  # fmt: skip
    role = forms.ChoiceField(label="Role")
    site = forms.ModelChoiceField(label="Only at this site", queryset=None, required=False, empty_label="all sites")
    ends_at = forms.DateField(label="Until", widget=DATE, required=False, help_text="Empty: until it is ended.")

    def __init__(self, organisation: Organisation, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = ROLES_OF_KIND[organisation.kind]
        self.fields["role"].choices = [choice for choice in Role.choices if choice[0] in roles]  # type: ignore[attr-defined]
        self.fields["site"].queryset = organisation.sites.all()  # type: ignore[attr-defined]
        if organisation.kind != Organisation.Kind.HOSPITAL:
            del self.fields["site"]


class SiteForm(forms.Form):
    code = forms.SlugField(label="Code", max_length=60, help_text="What prediction files carry; it never changes.")
    name = forms.CharField(label="Name", max_length=200)
    time_zone = forms.CharField(label="Time zone", max_length=60, initial="UTC")


class TokenForm(forms.Form):
    name = forms.CharField(label="What it is for", max_length=120)
    verbs = forms.MultipleChoiceField(
        label="It may", choices=[(str(verb), VERB_WORDS[str(verb)]) for verb in VERBS],
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    deployment = forms.ChoiceField(label="Only for", required=False)
    days = forms.IntegerField(label="Valid for days", min_value=1, max_value=LONGEST_DAYS, initial=90)

    def __init__(self, organisation: Organisation, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        deployments = [(str(key), name) for key, name in organisation.deployments.values_list("pk", "name")]  # type: ignore[attr-defined]
        self.fields["deployment"].choices = [("", "all deployments"), *deployments]  # type: ignore[attr-defined]
