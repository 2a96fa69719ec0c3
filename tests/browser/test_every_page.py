"""Every page that a role opens keeps the rules: valid markup, axe, nothing sideways, a quiet console."""

import pytest

from tests.sandbox import assess, make_cast, submit


@pytest.fixture
def cast(transactional_db, tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    made = make_cast()
    submit(made)
    assess(made)
    return made


def test_pages_of_all_roles_keep_the_rules(walker, cast):
    file, version, deployment = cast.submission, cast.version, cast.submission.deployments.get()
    place = f"/deployments/{deployment.slug}"
    pages = {
        "qa": (
            place, f"{place}/cases", f"{place}/explanations", f"{place}/generalizability", f"{place}/deliveries",
            f"{place}/columns", "/alarms", "/incidents", "/incidents/new", "/jobs/", "/dossiers/", "/dossiers/verify",
            "/methods/", "/methods/auroc", "/search?q=chest", "/organisations", "/profile", "/register/deployment",
        ),
        "author": (
            "/models/", f"/models/{version.model.slug}", f"/versions/{version.pk}", f"/cards/{version.pk}",
            f"/cards/{version.pk}/edit", "/register/model", f"/register/version/{version.model.slug}", "/submissions/",
            f"/submissions/{file.pk}/coverage",
            f"/submissions/{file.pk}/across", f"/submissions/{file.pk}/changes", "/audit",
        ),
        "decider": (f"/submissions/{file.pk}", "/no-such-page"),
    }  # fmt: skip
    problems = []
    walker.open("/account/login/")
    problems += walker.problems()
    for person, addresses in pages.items():
        walker.leave()
        walker.enter(cast.people[person])
        for address in addresses:
            walker.open(address)
            problems += [f"{person} {address}: {problem}" for problem in walker.problems()]
    assert not problems, "\n".join(problems)
