"""The demo sends as a hospital's system does: rows over HTTP with a token."""

import json
import urllib.error
import urllib.request
from typing import Any

import pandas as pd

from assurance.evidence.errors import InvalidInput, Unavailable
from assurance.models import Deployment


def send(
    base_url: str, token: str, deployment: Deployment, rows: pd.DataFrame, *, what: str, key: str
) -> dict[str, Any]:
    """POST ``rows`` to ``predictions`` or ``labels`` and return the answer; a repeated key doubles none."""
    records = json.loads(rows.to_json(orient="records"))
    request = urllib.request.Request(  # noqa: S310 -- this instance's own address
        f"{base_url}/api/v1/deployments/{deployment.pk}/{what}",
        data=json.dumps(records).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        raise InvalidInput("refused", f"{what} of {deployment} were refused: {error.read().decode()[:500]}") from error
    except urllib.error.URLError as error:
        raise Unavailable("web_away", f"the web server at {base_url} does not answer: {error.reason}") from error
