"""Field kinds that several tables share."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from assurance.evidence import checks
from assurance.evidence.errors import InvalidInput


def valid_sha256(text: str) -> None:
    try:
        checks.is_sha256(text)
    except InvalidInput as refusal:
        raise ValidationError(refusal.message, code=refusal.code) from refusal


def sha256_field(**options: Any) -> "models.CharField[str, str]":
    return models.CharField(max_length=64, validators=[valid_sha256], **options)
