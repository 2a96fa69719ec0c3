"""A file from the first draft to its end, and what is refused on the way."""

import pytest

from assurance.models import StateChange
from records.models import AuditEvent, Signature
from records.services import seal_events
from records.verify import verify_trail
from tests.sandbox import activate, admit, assess, make_cast, submit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"


@pytest.fixture
def cast(db):
    return make_cast()


def test_a_file_goes_from_draft_to_active_with_every_signature(cast):
    submit(cast)
    assess(cast)
    admit(cast)
    activate(cast)
    assert cast.submission.state == "active"
    meanings = list(Signature.objects.order_by("pk").values_list("printed_name", "meaning"))
    assert meanings == [
        ("Author", "authorship"), ("Approver", "review and approval"), ("Approver", "responsibility"),
        ("Intake", "review"), ("Approver", "responsibility"), ("Assessor", "review"), ("Decider", "decision"),
        ("Approver", "responsibility"), ("Signatory", "responsibility"), ("Decider", "approval"),
    ]  # fmt: skip
    steps = list(StateChange.objects.values_list("transition", flat=True))
    assert steps == ["t01", "t02", "t04", "t06", "t07", "t09", "t11", "t13", "t14", "t16", "t17"]
    for change in StateChange.objects.all():
        assert AuditEvent.objects.get(pk=change.audit_event_id).action == f"submission.{change.transition}"
    assert AuditEvent.objects.filter(action__regex=r"^submission\.t\d\d$").count() == len(steps)
    seal_events()
    assert verify_trail().broken == ""
