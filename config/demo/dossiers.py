"""The dossiers of the demo: built by jobs, written to the instance's folder and verified there without the server."""

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from accounts.permissions import Action, require
from accounts.row_security import seeing
from assurance.models import Deployment, Submission
from assurance.services.artefacts import read_artefact
from config import home
from config.demo.cast import Cast
from config.demo.codes import Codes
from reporting.models import Dossier
from reporting.services.dossiers import build_dossier
from reporting.verification import verify_file

REACH_DAYS = 366


def build_and_verify(
    cast: Cast, codes: Codes, *, submission: Submission, chest: Deployment, today: date, wait: Callable[[], None]
) -> tuple[bool, list[Path], list[str]]:
    """Whether everything holds, the files, and what to tell of them."""
    end = datetime.combine(today + timedelta(days=1), time(0), UTC)
    period = {"start": end - timedelta(days=REACH_DAYS), "end": end}
    wanted: list[tuple[dict[str, Any], str, str]] = [
        ({"submission": submission}, "author", "Sandbox evidence for the authority"),
        ({"deployment": chest}, "qa", "Surveillance of the classifier over two hospitals"),
    ]
    numbers = []
    for subject, who, purpose in wanted:
        by = require(cast.person(who), Action.BUILD_DOSSIER, next(iter(subject.values())))
        dossier = build_dossier(**subject, **period, audience="regulator", purpose=purpose, by=by)
        numbers.append(dossier.number)
    wait()
    holds, files, told = True, [], []
    for number in numbers:
        dossier = Dossier.objects.get(number=number)
        if dossier.pdf is None or dossier.bundle is None:
            holds = False
            told.append(f"dossier {number} was not built: {dossier.job.reason if dossier.job else dossier.status}")
            continue
        pdf, bundle = _written(dossier, "pdf"), _written(dossier, "zip")
        outcome = verify_file(bundle)
        alone = _verified_alone(bundle)
        flipped = _finds_a_flipped_byte(bundle)
        holds = holds and outcome.holds and alone and flipped
        files += [pdf, bundle]
        told.append(
            f"dossier {number}: {dossier.pages} pages; {sum(c['state'] == 'ok' for c in outcome.checks)} of "
            f"{len(outcome.checks)} checks hold; its own verify.py {'agrees' if alone else 'DISAGREES'} and "
            f"{'finds' if flipped else 'MISSES'} a flipped byte"
        )
    return holds, files, told


def _written(dossier: Dossier, suffix: str) -> Path:
    artefact = dossier.pdf if suffix == "pdf" else dossier.bundle
    assert artefact is not None  # noqa: S101
    path = home.var("demo", f"{dossier.number}.{suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with seeing([dossier.organisation_id]):
        path.write_bytes(read_artefact(artefact))
    return path


def _verified_alone(bundle: Path) -> bool:
    """As a reader without Vigil does: unpack verify.py and run it under a bare Python."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(bundle) as packed:
        script = Path(packed.extract("verify.py", folder))
        done = subprocess.run([sys.executable, "-I", "-S", str(script), str(bundle)], capture_output=True, check=False)
    return done.returncode == 0


def _finds_a_flipped_byte(bundle: Path) -> bool:
    """Change one byte of the contents inside a copy of the bundle: the check has to fail."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, bundle.name)
        with zipfile.ZipFile(bundle) as before, zipfile.ZipFile(copy, "w") as after:
            for name in before.namelist():
                content = bytearray(before.read(name))
                if name.endswith("contents.json"):
                    content[len(content) // 2] ^= 1
                after.writestr(name, bytes(content))
        try:
            return not verify_file(copy).holds
        except (ValueError, json.JSONDecodeError):
            return True  # so broken that it cannot even be read
