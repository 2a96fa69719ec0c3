"""De-identification of prediction files: columns that name a person, or hold free text, are taken away and counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# Words that make a column name one of a person or of a document about a person, whatever stands around them.
IDENTIFYING = re.compile(
    r"(^|_)(patient_?name|(first|last|family|given|maiden)_?name|surname|birth_?(date|day)|date_?of_?birth|dob|mrn|ssn|"
    r"nhs_?number|medical_?record|insurance(_?number)?|accession(_?number)?|address|street|post_?code|zip(_?code)?|"
    r"phone|telephone|e?mail|physician|operator_?name|comments?|remarks?|free_?text|report_?text|narrative|impression)"
    r"($|_)",
    re.IGNORECASE,
)
LONGEST_LEVEL = 120
MOST_NEW_LEVELS = 200
FREE_TEXT_WORDS = 5


def take_away(values: Mapping[str, pa.Array], *, known: set[str]) -> tuple[dict[str, pa.Array], dict[str, int]]:
    """Columns without those that may identify a person, and how many filled cells of each went.

    A column that the deployment knows already (``known``) was confirmed to be none of these and stays.
    """
    kept: dict[str, Any] = {}
    removed: dict[str, int] = {}
    for name, column in values.items():
        filled = len(column) - column.null_count
        if name in known:
            kept[name] = column
        elif IDENTIFYING.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)):
            removed[f"column {name}: may name a person"] = filled
        elif is_free_text(column):
            removed[f"column {name}: free text or an identifier"] = filled
        else:
            kept[name] = column
    return kept, removed


def is_free_text(column: pa.Array) -> bool:
    """Sentences, or words that hardly repeat: neither is a category that a day state could count."""
    if not pa.types.is_string(column.type):
        return False
    filled = column.drop_null()
    if not len(filled):
        return False
    if pc.all(
        pc.match_substring_regex(filled, r"^\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:nan|inf))?\s*$")
    ).as_py():
        return False
    if (pc.max(pc.utf8_length(filled)).as_py() or 0) > LONGEST_LEVEL:
        return True
    words = pc.add(pc.count_substring_regex(pc.utf8_trim_whitespace(filled), r"\s+"), 1)
    if pc.mean(pc.greater_equal(words, FREE_TEXT_WORDS).cast(pa.float64())).as_py() > 0.5:
        return True
    levels = pc.count_distinct(filled).as_py()
    return levels > MOST_NEW_LEVELS and levels > len(filled) / 10
