"""One-time codes for the demo's signers: each code is used once, as a phone would show it."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.exceptions import ValidationError

from config.demo.cast import Cast

T = TypeVar("T")

PERIOD_S = 30
MARGIN_S = 4  # a code that is about to end may be refused by the time it arrives


class Codes:
    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.used: set[tuple[str, int]] = set()

    def credentials(self, who: str) -> dict[str, Any]:
        """Password and the code of this moment; waits for the next one when this one was used or is about to end."""
        login = self.cast.logins[who]
        if not login.totp_secret:
            return {}
        while True:
            step, gone = divmod(time.time(), PERIOD_S)
            if (who, int(step)) not in self.used and gone < PERIOD_S - MARGIN_S:
                self.used.add((who, int(step)))
                return {"password": login.password, "code": format_hotp_value(hotp_value(login.totp_secret, int(step)))}
            time.sleep(0.5)

    def signing(self, who: str, act: Callable[..., T]) -> T:
        """``act(password=, code=)``, once more with the next code when a busy machine let the first one run out."""
        try:
            return act(**self.credentials(who))
        except ValidationError as refusal:
            if getattr(refusal, "code", "") != "refused":
                raise
            return act(**self.credentials(who))
