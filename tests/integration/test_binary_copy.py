"""Columns through PostgreSQL's binary COPY come out of the table as they went in."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from django.db import connection

from assurance.services.pseudonyms import pseudonyms
from monitoring import binary_copy as binary

pytestmark = pytest.mark.django_db


def through(kind, fields, n):
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE copied (place int, value {kind}) ON COMMIT DROP")
        places = np.arange(n, dtype=np.int32)
        binary.copy_binary("copied", {"place": binary.whole_numbers(places), "value": fields}, n)
        cursor.execute("SELECT value FROM copied ORDER BY place")
        found = [value for (value,) in cursor.fetchall()]
        cursor.execute("DROP TABLE copied")
    return found


def test_every_kind_of_column_comes_out_as_it_went_in():
    numbers = np.array([0.1, np.nan, -1e300])
    assert through("float8", binary.floats(numbers), 3) == [0.1, None, -1e300]
    assert through("float8", binary.floats(None), 2) == [None, None]
    words = pa.array(["a\tb\n", None, "Größe \\ '\""])
    assert through("text", binary.texts(words), 3) == ["a\tb\n", None, "Größe \\ '\""]
    assert through("text", binary.texts(words, null_as=""), 3)[1] == ""
    assert through("text", binary.codes(np.array(["ab", "cd"], dtype="S2")), 2) == ["ab", "cd"]
    moments = np.array(["1999-12-31T23:59:59.5", "2026-03-01T08:00:00"], dtype="datetime64[us]")
    assert through("timestamptz", binary.times(moments), 2) == [
        datetime(1999, 12, 31, 23, 59, 59, 500_000, UTC), datetime(2026, 3, 1, 8, tzinfo=UTC),
    ]  # fmt: skip
    matrix = np.array([[1, -2.5], [np.nan, np.nan]], dtype=np.float16)
    first, second = through("bytea", binary.half_floats(matrix), 2)
    assert (np.frombuffer(first, "<f2").tolist(), second) == ([1, -2.5], None)


def test_arrays_keep_their_length_and_their_empty_places():
    whole, holes = np.array([1.0, 2.0]), np.array([3.5, np.nan])
    assert through("float8[]", binary.float_arrays([whole, whole]), 2) == [[1, 1], [2, 2]]
    assert through("float8[]", binary.float_arrays([whole, holes, None]), 2) == [[1, 3.5, None], [2, None, None]]
    assert through("float8[]", binary.float_arrays([]), 2) == [[], []]
    levels = pa.array(["AP", None])
    assert through("text[]", binary.text_arrays([levels, None, pa.array(["{,}", "é"])]), 2) == [
        ["AP", None, "{,}"], [None, None, "é"],
    ]  # fmt: skip
    assert through("text[]", binary.text_arrays([]), 1) == [[]]


def test_more_rows_than_are_put_together_at_once_stay_in_order():
    n = 2 * binary._ROWS + 3
    words = pa.array([f"case {at}" for at in range(n)])
    assert through("text", binary.texts(words), n) == words.to_pylist()


@pytest.mark.parametrize("key", ["short", "k" * 64, "longer than a block " * 5])
def test_pseudonyms_are_the_hmac_of_the_standard_library(settings, key):
    import hmac

    settings.PSEUDONYM_KEY = key
    expected = [hmac.digest(key.encode(), f"7\x00{name}".encode(), "sha256").hex()[:32] for name in ("", "Ä", "c" * 99)]
    assert pseudonyms(7, ["", "Ä", "c" * 99]) == expected
