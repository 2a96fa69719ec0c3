"""Log lines as JSON, one a line: with the request's id, without patient data.

Addresses of pages can hold pseudonyms of cases, and a database's complaint quotes the row that it refuses. So a request
is named by its route, and of an exception only the first line and the places are kept.
"""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
FIELDS = ("method", "route", "status", "duration_ms", "person_id")


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname, "logger": record.name, "message": self._message(record),
            "request_id": REQUEST_ID.get(),
        }  # fmt: skip
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _exception(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)

    @staticmethod
    def _message(record: logging.LogRecord) -> str:
        request = getattr(record, "request", None)
        if request is not None:  # django.request and django.security quote the address
            return f"{getattr(record, 'status_code', '')} {request.method} {route_of(request)}".strip()
        return record.getMessage()


def _exception(error: BaseException) -> dict[str, Any]:
    places = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-12:]
    ]
    first = str(error).partition("\n")[0][:200]
    quotes_a_row = type(error).__module__.startswith(("psycopg", "django.db"))
    return {"type": type(error).__name__, "message": first.partition(":")[0] if quotes_a_row else first, "at": places}


def route_of(request: Any) -> str:
    """The pattern of the address (``/cases/<case>``), never the address itself."""
    match = getattr(request, "resolver_match", None)
    return f"/{match.route}" if match is not None else "(no route)"
