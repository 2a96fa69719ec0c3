"""What may come in: content types, file endings, content encodings and the limits of one delivery."""

from assurance.evidence.errors import InvalidInput

MOST_BYTES = 2**30  # of a delivery as it is sent; a file on this machine may be of any size
MOST_UNPACKED = 8 * 2**30  # after gzip or zstd
MOST_JSON_BYTES = 64 * 2**20  # a JSON list is held whole in memory; NDJSON, CSV and Parquet are read in chunks
MOST_LINE_BYTES = 2**20
MOST_COLUMNS = 2_000
CHUNK_ROWS = 50_000

FORMATS = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
ENDINGS = {".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}
PACKED_ENDINGS = {".gz": "gzip", ".zst": "zstd"}
ENCODINGS = ("gzip", "zstd")
MEDIA_TYPE = {kind: media_type for media_type, kind in reversed(FORMATS.items())}


def format_of(media_type: str) -> str:
    """The reader for a Content-Type; ``unknown_format`` names those that are taken."""
    kind = FORMATS.get(media_type.partition(";")[0].strip().lower())
    if kind is None:
        raise InvalidInput("unknown_format", f"content type {media_type!r}: give one of {', '.join(sorted(FORMATS))}")
    return kind


def encoding_of(header: str) -> str:
    """The Content-Encoding as "gzip", "zstd" or "" for none; ``unknown_encoding`` for others or several."""
    name = header.strip().lower().removeprefix("x-")
    if name in ("", "identity"):
        return ""
    if name not in ENCODINGS:
        raise InvalidInput("unknown_encoding", f"content encoding {header!r}: give {' or '.join(ENCODINGS)}, or none")
    return name
