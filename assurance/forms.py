"""Forms of the registry: a model, one of its versions, a deployment at a hospital's sites."""

from typing import Any

from django import forms

from accounts.models import Organisation, Site
from assurance.adapters.catalogue import ADAPTERS
from assurance.evidence.errors import InvalidInput
from assurance.models import Model, ModelVersion
from assurance.models.registry import Task
from assurance.plain_yaml import read_plain
from assurance.services.registry import NOT_RUN_HERE

LINES = forms.Textarea(attrs={"rows": 3})
MONO = forms.Textarea(attrs={"rows": 4, "class": "mono"})
LARGEST_TEXT = 20_000


class Parts(forms.CharField):
    """Lines of ``name: value``, read as YAML into a mapping."""

    widget = MONO

    def clean(self, value: Any) -> dict[str, Any]:
        text = super().clean(value)
        try:
            content = read_plain(text, what=str(self.label)) if text.strip() else {}
        except InvalidInput as refusal:
            raise forms.ValidationError(refusal.message) from refusal
        if not isinstance(content, dict):
            raise forms.ValidationError("Write it as lines of name: value.")
        return content


class Lines(forms.CharField):
    """One entry a line."""

    widget = LINES

    def clean(self, value: Any) -> list[str]:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]


class ModelForm(forms.Form):
    organisation = forms.ModelChoiceField(label="Developer", queryset=Organisation.objects.none(), empty_label=None)
    name = forms.CharField(label="Name", max_length=200)
    kind = forms.ChoiceField(label="Kind", choices=Model.Kind.choices, initial=Model.Kind.DEVICE)
    task = forms.ChoiceField(label="Task", choices=Task.choices)
    modality = forms.CharField(label="Modality", max_length=40, help_text="As DICOM writes it: CR, CT, MR, US …")
    description = forms.CharField(label="In a few words", widget=LINES, required=False, max_length=2000)

    def __init__(self, organisations: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["organisation"].queryset = organisations


class VersionForm(forms.Form):
    version = forms.CharField(label="Version", max_length=40)
    weights = forms.FileField(
        label="Weights file", required=False,
        help_text="safetensors, TorchScript, ONNX or plain torch.save; a worker hashes it. A pickle is refused.",
    )  # fmt: skip
    weights_sha256 = forms.CharField(
        label="or the SHA-256 of the weights", required=False, max_length=64,
        help_text="64 hexadecimal digits. With a file too, both must agree.",
    )  # fmt: skip
    adapter_key = forms.ChoiceField(label="Adapter")
    base = forms.ModelChoiceField(
        label="Made from", queryset=ModelVersion.objects.none(), required=False, empty_label="nothing registered"
    )
    licence = forms.CharField(label="Licence", max_length=120, help_text="SPDX name or title")
    container_digest = forms.CharField(
        label="Container", required=False, max_length=80, help_text="sha256: and 64 hexadecimal digits, if one is used"
    )
    preprocessing = Parts(
        label="Preprocessing",
        required=False,
        max_length=LARGEST_TEXT,
        help_text="One name: value a line; hashed.",
    )
    thresholds = Parts(label="Thresholds", required=False, max_length=LARGEST_TEXT, help_text="As above.")
    input_contract = Parts(label="What it takes", required=False, max_length=LARGEST_TEXT)
    output_contract = Parts(label="What it gives", required=False, max_length=LARGEST_TEXT)
    prompt_types = Lines(label="Prompts, one a line", required=False, max_length=LARGEST_TEXT)
    pretraining_sources = Lines(label="Pre-training sources, one a line", required=False, max_length=LARGEST_TEXT)
    known_contamination = forms.CharField(
        label="Known contamination of test data", widget=LINES, required=False, max_length=LARGEST_TEXT
    )

    def __init__(self, bases: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["base"].queryset = bases
        fields["base"].label_from_instance = str
        run = [(key, f"{entry.title} ({key})") for key, entry in ADAPTERS.items()]
        fields["adapter_key"].choices = [("", "choose what runs it"), *run, (NOT_RUN_HERE, "not run on this instance")]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not cleaned.get("weights") and not cleaned.get("weights_sha256") and "weights" not in self.errors:
            self.add_error("weights_sha256", "Give the weights file, or their SHA-256.")
        return cleaned

    def content(self) -> dict[str, Any]:
        """What the registry takes, without the file and the base."""
        own = {name: value for name, value in self.cleaned_data.items() if name not in ("weights", "base")}
        return own | {"weights_sha256": own["weights_sha256"].strip().lower() or None}


class DeploymentForm(forms.Form):
    """The version is one that the hospital sees already, or is named by the hash that its developer handed over."""

    organisation = forms.ModelChoiceField(label="Hospital", queryset=Organisation.objects.none(), empty_label=None)
    version = forms.ModelChoiceField(
        label="Version", queryset=ModelVersion.objects.none(), required=False, empty_label="named by its hash below"
    )
    weights_sha256 = forms.CharField(
        label="or the SHA-256 of its weights", required=False, max_length=64,
        help_text="As the developer handed it over, for a version that your hospital does not run yet.",
    )  # fmt: skip
    name = forms.CharField(label="Name", max_length=200, help_text="What your people call it.")
    sites = forms.ModelMultipleChoiceField(
        label="Sites", queryset=Site.objects.none(), widget=forms.CheckboxSelectMultiple, to_field_name="code"
    )
    note = forms.CharField(label="What every reader must know", widget=LINES, required=False, max_length=2000)

    def __init__(self, organisations: Any, versions: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["organisation"].queryset = organisations
        fields["version"].queryset = versions
        fields["version"].label_from_instance = str
        fields["sites"].queryset = Site.objects.filter(organisation__in=organisations)
        fields["sites"].label_from_instance = lambda site: f"{site.name} ({site.code})"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        sha256 = cleaned.get("weights_sha256", "").strip().lower()
        if bool(cleaned.get("version")) == bool(sha256):
            self.add_error("version", "Choose a version, or give the SHA-256 of its weights: one of the two.")
        elif sha256:
            known = ModelVersion.objects.filter(weights_sha256=sha256).order_by("-created_at").first()
            if known is None:
                self.add_error("weights_sha256", "No version with these weights is registered: ask its developer.")
            cleaned["version"] = known
        return cleaned
