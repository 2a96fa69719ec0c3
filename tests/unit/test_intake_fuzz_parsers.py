"""Whole good files with bytes changed, cut or added, to every parser: an answer or a refusal, never another error."""

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import nibabel
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from assurance.evidence.errors import InvalidInput
from monitoring.intake.dicom.objects import read_object
from monitoring.intake.fhir import read_bundle
from monitoring.intake.image_quality import quality_panel
from monitoring.intake.readers import chunks_of_bytes
from monitoring.intake.rows import Expected, check_rows
from monitoring.services.images import slices_of
from tests import dicom_objects as made

EXPECTED = Expected(sites={"north": "UTC"}, version="1", now=datetime(2026, 6, 1, tzinfo=UTC))
TABLE = {
    "case_id": ["a", "b", "c"], "study_time": ["2026-03-01T08:00:00Z"] * 3, "score": [0.1, 0.5, 0.9],
    "meta_view": ["PA", "AP", 'L"L'], "embedding": [[0.5, 1.0]] * 3,
}  # fmt: skip
CSV = b'case_id,study_time,score,meta_view\na,2026-03-01T08:00:00Z,0.1,"P,A"\nb,2026-03-02T08:00:00Z,0.4,"q""uote"\n'
NDJSON = b'{"case_id":"a","study_time":"2026-03-01T08:00:00Z","score":0.25}\n{"case_id":"b","embedding":[1,2]}\n'
FHIR = (
    b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation","status":"final","device":'
    b'{"reference":"Device/1"},"code":{"coding":[{"display":"score"}]},"valueQuantity":{"value":0.5,"code":"1"},'
    b'"derivedFrom":[{"reference":"ImagingStudy/1"}]}},{"resource":{"resourceType":"ImagingStudy","id":"1",'
    b'"started":"2026-03-01","identifier":[{"value":"1.2"}]}}]}'
)


def parquet(compression):
    buffer = io.BytesIO()
    pq.write_table(pa.table(TABLE), buffer, compression=compression)
    return buffer.getvalue()


def picture():
    buffer = io.BytesIO()
    Image.fromarray(np.arange(900, dtype=np.uint8).reshape(30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def volume():
    return nibabel.Nifti1Image(np.arange(640, dtype=np.int16).reshape(8, 8, 10), np.eye(4)).to_bytes()


def table(media_type, encoding=""):
    def parse(content):
        for piece in chunks_of_bytes(content, media_type=media_type, encoding=encoding):
            found = check_rows(piece, EXPECTED)
            assert found.n + len(found.refused) == found.n_sent

    return parse


def dicom(content):
    part = read_object(io.BytesIO(content))
    assert part.refusal is None or part.refusal.message


def image(media_type):
    return lambda content: quality_panel(slices_of(content, media_type))


def dicom_files():
    slices = [made.ct_slice(n, pixels=np.full((32, 32), 100 + n, dtype=np.uint16)) for n in range(2)]
    mask = np.zeros((2, 32, 32), dtype=bool)
    mask[:, 4:8, 4:8] = True
    return {
        "image": slices[0], "segmentation": made.segmentation(mask, slices), "report": made.measurement_report(slices),
        "loose report": made.loose_report(), "capture": made.secondary_capture(np.zeros((8, 9, 3), dtype=np.uint8)),
        "registration": made.rigid_registration(np.eye(4)),
    }  # fmt: skip


TARGETS = {
    "csv": (CSV, table("text/csv")),
    "csv gzip": (gzip.compress(CSV), table("text/csv", "gzip")),
    "ndjson": (NDJSON, table("application/x-ndjson")),
    "ndjson zstd": (zstandard.compress(NDJSON), table("application/x-ndjson", "zstd")),
    "json": (b"[" + NDJSON.strip().replace(b"\n", b",") + b"]", table("application/json")),
    "parquet": (parquet("none"), table("application/x-parquet")),
    "parquet lz4": (parquet("lz4"), table("application/x-parquet")),
    "fhir": (FHIR, read_bundle),
    "png": (picture(), image("image/png")),
    "nifti": (volume(), image("application/x-nifti")),
    "nifti gzip": (gzip.compress(volume()), image("application/x-nifti+gzip")),
    **{f"dicom {kind}": (made.as_file(one).getvalue(), dicom) for kind, one in dicom_files().items()},
}
CHANGE = st.tuples(st.floats(0, 1), st.sampled_from(["set", "cut", "add", "drop"]), st.binary(min_size=1, max_size=6))


def changed(content, changes):
    found = bytearray(content)
    for share, what, piece in changes:
        at = int(share * len(found))
        if what == "cut":
            del found[at:]
        elif what == "add":
            found[at:at] = piece
        else:
            found[at : at + len(piece)] = piece if what == "set" else b""
    return bytes(found)


@pytest.mark.parametrize("target", TARGETS)
def test_a_good_file_is_read_and_a_damaged_one_is_answered_for(target):
    content, parse = TARGETS[target]
    parse(content)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(st.lists(CHANGE, min_size=1, max_size=4))
    def never_another_error(changes):
        try:
            parse(changed(content, changes))
        except InvalidInput as refusal:
            assert refusal.code and refusal.message

    never_another_error()


def test_the_samples_of_pydicom_are_all_answered_for():
    """The small ones: many transfer syntaxes, implicit and big endian, cut and odd files."""
    outcomes = []
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")):
        if path.stat().st_size < 60_000:
            with path.open("rb") as file:
                part = read_object(file)
            outcomes.append(part.refusal)
            assert part.refusal is None or part.refusal.message
    assert len(outcomes) > 40
    assert outcomes.count(None) > len(outcomes) / 2
