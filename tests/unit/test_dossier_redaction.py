"""Three audiences from one snapshot: what each sees, what is cut, and that the cut is marked."""

from dataclasses import replace

import msgspec
import pytest

from reporting.dossier import contents as c
from reporting.dossier.assemble import assemble
from tests.dossiers import as_evidence, identity, sources

ALARM = {
    "title": "score at north: w1 sd",
    "signal": "score",
    "stratum": "site=north",
    "stratum_parts": {"site": "north"},
    "window_start": "2026-03-26T00:00:00+00:00",
    "opened_at": "2026-04-01T00:00:00+00:00",
    "windows": 2,
    "status": "Open",
    "cause": "",
    "evidence": "abc",
    "notes": [{"at": "2026-04-02T00:00:00+00:00", "by": "Reader Name", "text": "North Wing changed its detector."}],
}


def made(audience):
    given, _ = sources(windows=3)
    small = given.evidence[-1].finding
    from assurance.evidence.finding import Finding, Method, State

    few = as_evidence(
        "performance",
        Finding(
            "sensitivity",
            0.75,
            "1",
            State.INSUFFICIENT,
            4,
            Method("sensitivity", "test", "1"),
            "cd" * 32,
            stratum={"site": "north", "meta_sex": "F"},
            reason="4 cases",
            details={"numerator": 3, "denominator": 4},
        ),
    )
    given = replace(given, identity=identity(audience=audience), alarms=[ALARM], evidence=(*given.evidence, few))
    assert small["n_cases"] > 100
    return assemble(given, salt="secret-salt"), few.id


def text_of(contents):
    return c.freeze(contents).decode()


def test_the_regulator_sees_sites_notes_and_small_groups():
    contents, few = made("regulator")
    text = text_of(contents)
    assert "North Wing changed its detector." in text and '"site":"north"' in text
    assert contents.evidence[few].finding["value"] == 0.75
    assert contents.redaction["salt"] == "secret-salt"


def test_the_public_sees_no_name_no_note_and_no_small_group():
    contents, few = made("public")
    text = text_of(contents)
    for secret in (
        "Reader Name",
        "changed its detector",
        "North Wing",
        "South Wing",
        '"north"',
        "site=north",
        "Example Hospital",
        "QA Lead",
        "secret-salt",
    ):
        assert secret not in text, secret
    finding = contents.evidence[few].finding
    assert finding["value"] is None and finding["n_cases"] == 0 and "fewer than 10" in finding["reason"]
    assert all(set(item.finding["details"]) <= {"evaluation"} for item in contents.evidence.values())
    assert "Site A" in text and "Site B" in text


def test_each_cut_leaves_a_mark_that_the_fuller_version_can_match():
    public, _ = made("public")
    regulator, _ = made("regulator")
    marks = [b for s in public.sections for b in s.blocks if isinstance(b, c.Removed)]
    cut = [
        "E-process of errors: 1 − sensitivity",
        "E-process of errors: 1 − specificity",
        "CUSUM of weekly means: score",
        "EWMA of weekly means: score",
        "Shewhart chart of weekly means: score",
        "How alarms were handled",
    ]
    assert [m.what for m in marks] == [f"{title} (open to: regulator)" for title in cut]
    salt = regulator.redaction["salt"]
    hashes = {c.block_hash(b, salt=salt) for s in regulator.sections for b in s.blocks}
    assert {m.sha256 for m in marks} <= hashes
    assert marks[0].sha256 not in {c.block_hash(b, salt="") for s in regulator.sections for b in s.blocks}


@pytest.mark.parametrize(
    ("audience", "sees"),
    [("public", {"public"}), ("regulator", {"public", "regulator"}), ("internal", set(c.AUDIENCES))],
)
def test_no_block_reaches_a_reader_it_is_not_open_to(audience, sees):
    contents, _ = made(audience)
    assert {b.open_to for s in contents.sections for b in s.blocks} <= sees


def test_a_block_for_internal_readers_is_cut_for_the_regulator_too():
    contents, _ = made("internal")
    secret = c.Text(text="draft thoughts", open_to="internal")
    contents.sections[5].blocks.append(secret)
    from reporting.dossier.redaction import redacted

    cut = redacted(msgspec.structs.replace(contents, identity=identity(audience="regulator")), salt="s")
    assert "draft thoughts" not in text_of(cut)
    assert isinstance(cut.sections[5].blocks[-1], c.Removed)
