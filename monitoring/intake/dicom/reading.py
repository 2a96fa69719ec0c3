"""What one DICOM object gives: a row of values for its case, and everything that was odd or left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Defect:
    """Something in an object that is not as the standard asks; ``where`` is a path of item numbers, tag or keyword."""

    code: str
    where: str
    text: str

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "where": self.where, "text": self.text}


@dataclass
class Reading:
    """``values`` are columns of the case's row; ``removed`` counts what de-identification left out.

    ``picture`` is what is kept of the object itself: a picture as PNG, masks as NIfTI; ``facts`` says what is in it.
    """

    values: dict[str, Any] = field(default_factory=dict)
    defects: list[Defect] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    picture: bytes | None = None
    picture_type: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def odd(self, code: str, where: str, text: str) -> None:
        if len(self.defects) < 500:
            self.defects.append(Defect(code, where[:120], text[:300]))

    def remove(self, what: str, n: int = 1) -> None:
        self.removed[what] = self.removed.get(what, 0) + n
