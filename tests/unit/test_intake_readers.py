"""Readers and row checks: every bad input is a clear refusal, whatever the bytes."""

import io
import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assurance.evidence.errors import InvalidInput
from monitoring.intake import readers
from monitoring.intake.multipart import boundary_of, parts
from monitoring.intake.readers import chunks, chunks_of_bytes
from monitoring.intake.rows import Expected, check_rows

EXPECTED = Expected(sites={"north": "UTC", "south": "Asia/Tokyo"}, version="1", now=datetime(2026, 6, 1, tzinfo=UTC),
                    control_patterns={"canary": "(?i)^canary"})  # fmt: skip
TYPES = ("text/csv", "application/json", "application/x-ndjson", "application/x-parquet")


def checked(content, media_type):
    return [check_rows(piece, EXPECTED) for piece in chunks_of_bytes(content, media_type=media_type)]


def parquet(table):
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def test_chunks_of_a_csv_keep_the_senders_row_numbers(monkeypatch):
    monkeypatch.setattr(readers, "BLOCK_BYTES", 3000)
    text = "case_id,a\n" + "".join(f"c{at},{at}\n" if at % 100 else "ragged\n" for at in range(1, 1001))
    seen, refused = [], []
    pieces = list(chunks_of_bytes(text.encode(), media_type="text/csv"))
    for piece in pieces:
        seen += [(int(row), name) for row, name in zip(piece.rows, piece.values["case_id"].to_pylist(), strict=True)]
        refused += [one.row for one in piece.refused]
    assert len(pieces) > 2
    assert all(name == f"c{row}" for row, name in seen)
    assert refused == list(range(100, 1001, 100))


def test_cells_with_quotes_commas_and_line_ends_stay_whole():
    text = 'case_id,study_time,site,meta_x\n"a ""b"", c",2026-03-01T08:00:00Z,north,"two\nlines"\n'
    (rows,) = checked(text.encode(), "text/csv")
    assert rows.case_id.to_pylist() == ['a "b", c']
    assert rows.levels["meta_x"].to_pylist() == ["two\nlines"]


def test_an_open_quote_refuses_what_it_swallowed():
    pieces = checked(b'case_id,study_time,site\na,2026-03-01,north\n"b,2026-03-01,north\n', "text/csv")
    refused = [(one.row, one.code) for rows in pieces for one in rows.refused]
    assert (sum(rows.n for rows in pieces), refused) == (1, [(2, "ragged_row")])


def test_semicolons_are_read_too():
    (rows,) = checked(b"case_id;study_time;site;score\na;2026-03-01T08:00:00Z;north;0.5\n", "text/csv")
    assert rows.score.tolist() == [0.5]


WHOLE = {
    "a line without end": (b"case_id\n" + b"x" * (9 * 2**20), "text/csv", "unreadable"),
    "broken UTF-8": (b"case_id,study_time,site\n\xff\xfe,2026-03-01,north\n", "text/csv", "unreadable"),
    "deep JSON": (b"[" * 100_000, "application/json", "unreadable"),
    "JSON that is no list": (b'{"case_id": 1}', "application/json", "unreadable"),
    "truncated Parquet": (parquet(pa.table({"case_id": ["a"] * 999}))[:-20], "application/x-parquet", "unreadable"),
    "an empty file": (b"", "application/x-parquet", "unreadable"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_read_at_all_is_refused_with_a_code(name):
    content, media_type, code = WHOLE[name]
    with pytest.raises(InvalidInput) as refusal:
        checked(content, media_type)
    assert refusal.value.code == code
    assert len(refusal.value.message) < 400


def test_a_long_line_of_ndjson_is_refused_alone():
    line = b'{"case_id":"b","study_time":"2026-03-01T08:00:00Z","site":"north"}'
    long = b'{"case_id":"' + b"x" * 3_000_000 + b'"}'
    (*_, last) = pieces = list(chunks_of_bytes(b"\n".join([line, long, line, b"\xff", b"1,2"]),
                                               media_type="application/x-ndjson"))  # fmt: skip
    assert last is not None
    refused = {one.row: one.code for piece in pieces for one in piece.refused}
    assert refused == {2: "line_too_long", 4: "unreadable_line", 5: "unreadable_line"}
    assert sum(len(piece.rows) for piece in pieces) == 2


def test_parquet_with_lying_metadata_is_refused():
    content = bytearray(parquet(pa.table({"case_id": [f"c{at}" for at in range(2000)], "x": np.arange(2000.0)})))
    rng = np.random.default_rng(0)
    for _ in range(60):  # flip bytes of pages and footer: never a crash, never silently other rows
        damaged = bytearray(content)
        for at in rng.integers(4, len(content) - 8, 3):
            damaged[at] ^= 0xFF
        try:
            for piece in chunks_of_bytes(bytes(damaged), media_type="application/x-parquet"):
                assert piece.n_sent <= readers.CHUNK_ROWS
        except InvalidInput as refusal:
            assert refusal.code in ("unreadable", "duplicate_column", "no_rows", "too_many_columns")


def test_a_large_parquet_is_read_in_constant_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "large.parquet"
    with pq.ParquetWriter(path, pa.schema([("case_id", pa.string()), ("x", pa.float64())])) as writer:
        for start in range(0, 1_000_000, 100_000):
            writer.write_table(pa.table({"case_id": [f"c{at}" for at in range(start, start + 100_000)],
                                         "x": np.arange(100_000.0)}))  # fmt: skip
    pool = pa.default_memory_pool()
    before, most, rows = pool.bytes_allocated(), 0, 0
    tracemalloc.start()
    with path.open("rb") as source:
        for piece in chunks(source, media_type="application/x-parquet"):
            rows += piece.n_sent
            most = max(most, pool.bytes_allocated() - before)
    python_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 1_000_000
    assert most < 12 * 2**20
    assert python_peak < 12 * 2**20


BAD = {
    "score": ({"score": 1.01}, "out_of_range"),
    "a score that is NaN in JSON's text": ({"score": "NaN-ish"}, "not_numeric"),
    "a negative age": ({"meta_age": -3}, "out_of_range"),
    "a list where a number belongs": ({"score": [1, 2]}, "not_numeric"),
    "a future date": ({"study_time": "2027-01-01T00:00:00Z"}, "in_the_future"),
    "a synthetic image": ({"synthetic": True}, "synthetic"),
    "a short embedding": ({"embedding": [1.0]}, "other_width"),
    "another version": ({"model_version": "2"}, "other_version"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_cell_refuses_its_row_with_its_value(name):
    change, code = BAD[name]
    good = {"case_id": "a", "study_time": "2026-03-01T08:00:00Z", "site": "north", "score": 0.5, "meta_age": 40,
            "embedding": [0.5, 1.5]}  # fmt: skip
    (rows,) = checked(json.dumps([good, {**good, "case_id": "b", **change}]).encode(), "application/json")
    assert (rows.n, [one.code for one in rows.refused], rows.refused[0].row) == (1, [code], 2)


def test_a_score_that_is_nan_is_told_and_an_empty_one_is_not():
    columns = {"case_id": ["a", "b", "c"], "study_time": ["2026-03-01T08:00:00Z"] * 3, "site": ["north"] * 3,
               "score": pa.array([0.5, float("nan"), None]), "q_snr": [1.0, float("nan"), None],
               "meta_view": ["PA", "NaN", None]}  # fmt: skip
    table = pa.table(columns)
    csv = b"case_id,study_time,site,score,q_snr,meta_view\n" + b"".join(
        f"{case},2026-03-01T08:00:00Z,north,{score},{score},{view}\n".encode()
        for case, score, view in (("a", "0.5", "PA"), ("b", "NaN", "NaN"), ("c", "", ""))
    )
    for content, media_type in ((parquet(table), "application/x-parquet"), (csv, "text/csv")):
        (rows,) = checked(content, media_type)
        assert [(one.row, one.column, one.code) for one in rows.refused] == [(2, "score", "not_finite")]
        assert np.isnan(rows.score[1])
        assert np.isnan(rows.numbers["q_snr"][1])
        assert rows.levels["meta_view"].to_pylist() == ["PA", None]


def test_embeddings_come_as_lists_columns_or_base64():
    import base64

    vector = np.array([0.5, -2.0, 8.0], dtype="<f2")
    base = {"case_id": "a", "study_time": "2026-03-01T08:00:00Z", "site": "north"}
    for extra in ({"embedding": vector.tolist()}, {"embedding": base64.b64encode(vector.tobytes()).decode()},
                  {f"emb_{at}": float(number) for at, number in enumerate(vector)}):  # fmt: skip
        (rows,) = checked(json.dumps([{**base, **extra}]).encode(), "application/json")
        assert rows.embedding.tolist() == [vector.tolist()]


CELL = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.lists(st.floats(), max_size=3)
)
ROW = st.dictionaries(
    st.sampled_from(["case_id", "study_time", "site", "score", "label", "label_time", "meta_x", "embedding", "emb_0",
                     "patient_id", "decision", "model_version", "q_y", "synthetic"]) | st.text(max_size=6),
    CELL, max_size=9,
)  # fmt: skip


def outcome(content, media_type):
    """Rows are conserved: each is in or refused, once."""
    try:
        for piece in chunks_of_bytes(content, media_type=media_type):
            rows = check_rows(piece, EXPECTED)
            assert rows.n + len(rows.refused) == rows.n_sent
            numbers = [one.row for one in rows.refused] + rows.rows.tolist()
            assert len(set(numbers)) == len(numbers)
    except InvalidInput as refusal:
        assert refusal.code
        assert refusal.message


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW | CELL, max_size=6), st.booleans())
def test_no_json_breaks_the_road(rows, lines):
    spelt = [json.dumps(row) for row in rows]
    if lines:
        outcome("\n".join(spelt).encode(), "application/x-ndjson")
    else:
        outcome(f"[{','.join(spelt)}]".encode(), "application/json")


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(TYPES))
def test_no_bytes_break_the_road(content, media_type):
    outcome(content, media_type)
    outcome(b"case_id,study_time,site,score\n" + content, "text/csv")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=4), st.binary(max_size=40), st.integers(0, 60))
def test_no_multipart_body_breaks_the_splitter(contents, noise, cut):
    body = (
        noise + b"".join(b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\n" + one for one in contents) + b"\r\n--b--"
    )
    try:
        found = [file.read() for _, file in parts(io.BytesIO(body[: len(body) - cut]), b"b", most=10**6, most_parts=9)]
    except InvalidInput:
        return
    if not cut and b"--b" not in noise and not any(b"--b" in one for one in contents):
        assert found == contents


def test_a_boundary_is_read_as_the_header_has_it():
    kind, boundary = boundary_of('multipart/related; type="application/dicom"; boundary="a b"')
    assert (kind, boundary) == ("application/dicom", b"a b")
    with pytest.raises(InvalidInput, match="names no boundary"):
        boundary_of("multipart/related")
