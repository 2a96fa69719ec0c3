"""Forms of people and their signatures."""

from typing import Any

from django import forms


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
