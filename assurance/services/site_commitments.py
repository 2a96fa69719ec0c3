"""The commitment of a hospital to a submission: signed by its signatory before the file is handed over."""

from accounts.models import Person
from accounts.signing import sign
from assurance.evidence.errors import InvalidInput
from assurance.models import Submission
from records.models import Signature


def sign_commitment(
    submission: Submission, *, person: Person, password: str, code: str, request_id: str = ""
) -> Signature:
    """Stand for the site's data, local validation and staffing of oversight, bound to the frozen snapshot."""
    if submission.state != "ready":
        raise InvalidInput("not_now", f"{submission.label} is {submission.state}: sites commit when it is ready")
    return sign(
        submission, content_sha256=submission.snapshot_sha256, meaning="responsibility", person=person,
        password=password, code=code, request_id=request_id,
    )  # fmt: skip
