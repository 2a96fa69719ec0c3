"""The client: spool first, then send, retry what may be retried, set aside what the server refuses for good."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from vigil_client.spool import Spool, key_of, kind_of, parts, records

MOST_ROWS = 5_000
AGAIN = {408, 425, 429, 500, 502, 503, 504}


class Refused(Exception):
    """The server refuses a delivery for good; the sentence is the server's own."""


class Vigil:
    """One deployment of one instance.

    Parameters
    ----------
    url : str
        Address of the instance, such as ``https://vigil.hospital.example``.
    deployment : str
        Id of the deployment.
    token : str
        A token with the verb ``send_predictions``.
    spool : path
        Folder where deliveries wait; it survives a restart of the program.
    attempts : int
        How often one call tries to send a delivery before it leaves it to the next call.
    """

    def __init__(
        self, url: str, *, deployment: str, token: str, spool: str | Path = "vigil-spool", attempts: int = 3,
        timeout_s: float = 30.0, transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        if attempts < 1:
            raise ValueError(f"attempts {attempts}: give 1 or more")
        self._spool = Spool(Path(spool))
        self._path = f"/api/v1/deployments/{deployment}"
        self._attempts, self._sleep = attempts, sleep
        self._http = httpx.Client(
            base_url=url.rstrip("/"), headers={"Authorization": f"Bearer {token}", "User-Agent": "vigil-client/0.1"},
            timeout=timeout_s, transport=transport,
        )  # fmt: skip

    def log_predictions(self, rows: Any) -> dict[str, Any] | None:
        """Send rows (a DataFrame or a list of dicts). The server's answer, or None while they wait in the spool.

        Raises
        ------
        Refused
            The server refuses this delivery as a whole; it lies in ``spool/refused``.
        """
        return self._log("predictions", rows)

    def log_labels(self, rows: Any) -> dict[str, Any] | None:
        """Send what readers found: ``case_id`` with ``label`` or a measure such as ``dice``."""
        return self._log("labels", rows)

    def batch(self, batch_id: str) -> dict[str, Any]:
        """What became of a delivery."""
        answer = self._http.get(f"/api/v1/batches/{batch_id}")
        answer.raise_for_status()
        return dict(answer.json())

    @property
    def waiting(self) -> int:
        """Deliveries that the server has not answered for."""
        return len(self._spool.waiting())

    def flush(self) -> bool:
        """Send what waits, oldest first; True when nothing is left. A refusal is set aside and holds nothing up."""
        for path in self._spool.waiting():
            try:
                if self._send(path) is None:
                    return False
            except Refused:
                continue
        return True

    def close(self) -> None:
        self.flush()
        self._http.close()

    def __enter__(self) -> Vigil:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _log(self, kind: str, rows: Any) -> dict[str, Any] | None:
        found = records(rows)
        if not found:
            raise ValueError("no rows: give at least one")
        mine = [self._spool.put(kind, part) for part in parts(found, MOST_ROWS)]
        answer: dict[str, Any] | None = None
        refusal: Refused | None = None
        for path in self._spool.waiting():
            try:
                got = self._send(path)
            except Refused as error:
                refusal = error if path in mine else refusal
                continue
            if got is None:
                return None
            answer = got if path in mine else answer
        if refusal is not None:
            raise refusal
        return answer

    def _send(self, path: Path) -> dict[str, Any] | None:
        """The answer, or None when the server is away; the delivery then stays where it is."""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(min(30.0, 0.5 * 2**attempt) * (0.5 + random.random() / 2))
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # another process of the same spool has sent it
                return {}
            try:
                answer = self._http.post(
                    f"{self._path}/{kind_of(path)}", content=content,
                    headers={"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip",
                             "Idempotency-Key": key_of(path)},
                )  # fmt: skip
            except httpx.TransportError:
                continue
            if answer.status_code in AGAIN:
                continue
            if answer.is_success:
                path.unlink(missing_ok=True)
                return dict(answer.json())
            why = _sentence(answer)
            self._spool.set_aside(path, why)
            raise Refused(why)
        return None


def _sentence(answer: httpx.Response) -> str:
    try:
        content = answer.json()
        told = content.get("message") or content.get("detail") if isinstance(content, dict) else None
    except ValueError:
        told = None
    return f"HTTP {answer.status_code}: {told or answer.reason_phrase}"
