"""What the dependency audit says: found, nothing found, or nothing asked. Never the third as the second."""

from scripts.check_dependencies import judge

CLEAN = {"name": "django", "version": "5.2.19", "vulns": []}
FLAWED = {"name": "pillow", "version": "9.0.0", "vulns": [{"id": "PYSEC-2023-1", "fix_versions": ["9.0.1"]}]}
UNKNOWN = {"name": "vigil-own", "skip_reason": "not found on PyPI"}


def test_a_known_vulnerability_fails_with_package_advisory_and_fix():
    status, text = judge({"dependencies": [CLEAN, FLAWED, UNKNOWN]})
    assert status == 1
    assert "pillow 9.0.0: PYSEC-2023-1, fixed in 9.0.1" in text


def test_packages_that_were_not_asked_about_are_counted():
    status, text = judge({"dependencies": [CLEAN, UNKNOWN]})
    assert (status, text) == (0, "dependencies: no known vulnerability in 2 packages, 1 of them unknown to it")


def test_a_service_that_knew_nothing_is_no_clean_bill():
    status, text = judge({"dependencies": [UNKNOWN]})
    assert status == 0
    assert "NOT CHECKED" in text
