"""Three families of refusal, sorted by who mends the cause."""


class Refusal(Exception):
    """A refusal with a stable ``code`` for programs and one sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type["Refusal"], tuple[str, str]]:
        return type(self), (self.code, self.message)

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}


class InvalidInput(Refusal):
    """The sender mends it. Never retried."""


class NotComputable(Refusal):
    """Good data, no value (AUROC on one class). A result: stored with its reason, never as NaN."""


class Unavailable(Refusal):
    """A part is away for now. The only family that is retried."""
