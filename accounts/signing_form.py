"""From a posted form to a signature: the few lines that every signing page shares."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest

from accounts.forms import SigningForm
from accounts.signing import sign
from records.models import Signature


def signed_by_form(
    request: HttpRequest, form: SigningForm, subject: models.Model, *, content_sha256: str, meaning: str,
    not_by: Iterable[int] = (),
) -> Signature | None:  # fmt: skip
    """Sign as the signed-in person; None when the form is wrong, with the reason on the form.

    Call it outside a transaction that may be rolled back: failed tries are recorded too.
    """
    if not form.is_valid():
        return None
    try:
        return sign(
            subject, content_sha256=content_sha256, meaning=meaning, person=request.user, not_by=not_by,
            time_zone=request.user.time_zone, request_id=getattr(request, "request_id", ""), **form.credentials(),
        )  # fmt: skip
    except ValidationError as refusal:
        form.add_error(None, refusal)
        return None
