"""Segmentation objects as numbers: the volume of each segment in ml and its connected parts, frame by frame."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy import ndimage

from assurance.evidence.errors import InvalidInput
from monitoring.intake.dicom.header import plain
from monitoring.intake.dicom.reading import Reading
from monitoring.intake.dicom.structured_report import slug

MOST_PIXELS = 2**31
MOST_VOXELS_AT_ONCE = 2**27  # of the box around one segment


@dataclass
class _Segment:
    label: str
    voxels: int = 0
    places: list[float] = field(default_factory=list)
    slices: dict[float, NDArray[np.uint8]] = field(default_factory=dict)  # packed bits by position


def read_segmentation(dataset: Dataset, reading: Reading, *, frame_of_reference: str = "") -> None:
    """Fill ``volume_ml``, ``n_components`` and ``n_segments``; with several segments also one column for each.

    ``frame_of_reference`` is that of the images the mask was drawn on, where they are known.

    Raises
    ------
    InvalidInput
        ``no_pixel_data``, ``too_large``, or ``other_frame_of_reference`` for a mask that lies in another space.
    """
    own = plain(dataset, "FrameOfReferenceUID")
    if frame_of_reference and own and own != frame_of_reference:
        raise InvalidInput(
            "other_frame_of_reference", "the mask lies in another frame of reference than the images of its study"
        )
    rows, columns = int(dataset.get("Rows", 0) or 0), int(dataset.get("Columns", 0) or 0)
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    if "PixelData" not in dataset or rows * columns == 0:
        raise InvalidInput("no_pixel_data", "the segmentation object holds no pixel data")
    if rows * columns * frames > MOST_PIXELS:
        raise InvalidInput("too_large", f"the mask has {rows * columns * frames} pixels: at most {MOST_PIXELS}")
    segments = _segments(dataset, reading)
    kept: dict[int, _Segment] = {}
    for number, position, mask in _frames(dataset, rows, columns, frames, reading):
        segment = kept.setdefault(number, _Segment(segments.get(number, f"segment_{number}")))
        segment.voxels += int(mask.sum())
        segment.slices[position] = np.packbits(mask.astype(bool))
        segment.places.append(position)
    _measure(dataset, kept, (rows, columns), reading)
    _keep_masks(dataset, kept, (rows, columns), reading)


def _keep_masks(dataset: Dataset, segments: dict[int, _Segment], shape: tuple[int, int], reading: Reading) -> None:
    """The masks themselves, as a file beside the numbers."""
    from monitoring.intake.dicom.mask_file import MEDIA_TYPE, mask_file

    measures = _shared(dataset, "PixelMeasuresSequence")
    spacing = (measures.get("PixelSpacing") if measures is not None else dataset.get("PixelSpacing")) or (1.0, 1.0)
    orientation = _shared(dataset, "PlaneOrientationSequence")
    axes = np.array(orientation.get("ImageOrientationPatient") or [], dtype=np.float64) if orientation else np.empty(0)
    row, column = (axes[:3], axes[3:]) if axes.size == 6 else (np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    places = sorted({place for segment in segments.values() for place in segment.slices})
    between_slices = float(np.median(np.diff(places))) if len(places) > 1 else 1.0
    content = mask_file(
        {number: segment.slices for number, segment in segments.items()}, shape=shape,
        spacing_mm=(float(spacing[0]), float(spacing[1]), between_slices),
        axes=np.stack([row, column, np.cross(row, column)]), origin_mm=_first_point(dataset, _normal(dataset)),
    )  # fmt: skip
    if content is None:
        reading.odd("mask_not_kept", "PixelData", "the mask is empty or too large to be kept: only its numbers are")
        return
    reading.picture, reading.picture_type = content, MEDIA_TYPE
    reading.facts = {"segments": {str(number): segment.label for number, segment in segments.items()}}


def _first_point(dataset: Dataset, normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the lowest slice starts, of those whose position is told."""
    found: list[NDArray[np.float64]] = []
    for group in [*(dataset.get("PerFrameFunctionalGroupsSequence") or []),
                  *(dataset.get("SharedFunctionalGroupsSequence") or [])]:  # fmt: skip
        sequence = group.get("PlanePositionSequence")
        point = np.array(sequence[0].get("ImagePositionPatient") or [], dtype=np.float64) if sequence else np.empty(0)
        if point.size == 3:
            found.append(point)
    return min(found, key=lambda point: float(point @ normal)) if found else np.zeros(3)


def _segments(dataset: Dataset, reading: Reading) -> dict[int, str]:
    found = {}
    for item in dataset.get("SegmentSequence") or []:
        number = plain(item, "SegmentNumber")
        if not number.isdigit():
            reading.odd("no_segment_number", "SegmentSequence", "a segment without a number")
            continue
        label = plain(item, "SegmentLabel") or f"segment {number}"
        found[int(number)] = slug(label)[:40]
    if not found:
        reading.odd("no_segment", "SegmentSequence", "no segment is described")
    return found


def _frames(
    dataset: Dataset, rows: int, columns: int, frames: int, reading: Reading
) -> Iterator[tuple[int, float, NDArray[np.bool_]]]:
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if len(groups) != frames:
        reading.odd("frame_groups", "PerFrameFunctionalGroupsSequence", f"{len(groups)} groups for {frames} frames")
    normal = _normal(dataset)
    label_map = plain(dataset, "SegmentationType") == "LABELMAP"
    for place, pixels in enumerate(_pixels(dataset, rows, columns, frames)):
        group = groups[place] if place < len(groups) else Dataset()
        position = _position(group, normal, place)
        if label_map:
            for number in np.unique(pixels[pixels > 0]).tolist():
                yield int(number), position, pixels == number
            continue
        yield _segment_of(group, dataset), position, pixels > _threshold(dataset)


def _pixels(dataset: Dataset, rows: int, columns: int, frames: int) -> Iterator[NDArray[Any]]:
    """One frame at a time: a mask of thousands of slices never stands in memory as a whole."""
    if dataset.get("BitsAllocated", 1) == 1 and not dataset.file_meta.TransferSyntaxUID.is_compressed:
        content, size = dataset.PixelData, rows * columns
        if len(content) * 8 < size * frames:
            raise InvalidInput(
                "no_pixel_data", f"the pixel data hold {len(content)} bytes, too few for {frames} frames"
            )
        for place in range(frames):
            first = place * size
            piece = np.frombuffer(content[first // 8 : (first + size + 7) // 8], dtype=np.uint8)
            bits = np.unpackbits(piece, bitorder="little")[first % 8 : first % 8 + size]
            yield bits.reshape(rows, columns)
        return
    from pydicom.pixels import iter_pixels

    buffer = io.BytesIO()
    dataset.save_as(buffer)
    buffer.seek(0)
    yield from iter_pixels(buffer)


def _threshold(dataset: Dataset) -> float:
    fractional = plain(dataset, "SegmentationType") == "FRACTIONAL"
    return float(dataset.get("MaximumFractionalValue", 255)) / 2 if fractional else 0.0


def _segment_of(group: Dataset, dataset: Dataset) -> int:
    for holder in (group, (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]):
        sequence = holder.get("SegmentIdentificationSequence")
        if sequence and plain(sequence[0], "ReferencedSegmentNumber").isdigit():
            return int(plain(sequence[0], "ReferencedSegmentNumber"))
    return 1


def _shared(dataset: Dataset, name: str) -> Dataset | None:
    """A functional group from the shared ones or, where vendors put it, from the first frame's."""
    for sequence in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in (dataset.get(sequence) or [])[:1]:
            if group.get(name):
                return group.get(name)[0]  # type: ignore[no-any-return]
    return None


def _normal(dataset: Dataset) -> NDArray[np.float64]:
    group = _shared(dataset, "PlaneOrientationSequence")
    axes = np.array(group.get("ImageOrientationPatient") or [], dtype=np.float64) if group else np.empty(0)
    return np.cross(axes[:3], axes[3:]) if axes.size == 6 else np.array([0.0, 0.0, 1.0])


def _position(group: Dataset, normal: NDArray[np.float64], place: int) -> float:
    sequence = group.get("PlanePositionSequence")
    point = np.array(sequence[0].get("ImagePositionPatient") or [], dtype=np.float64) if sequence else np.empty(0)
    return round(float(point @ normal), 4) if point.size == 3 else float(place)


def _measure(dataset: Dataset, segments: dict[int, _Segment], shape: tuple[int, int], reading: Reading) -> None:
    voxel = _voxel_ml(dataset, segments, reading)
    total_parts, total_ml = 0, 0.0
    several = len(segments) > 1
    for _, segment in sorted(segments.items()):
        if not segment.voxels:
            reading.odd("empty_segment", segment.label, f"segment {segment.label} has no voxel")
        parts = _components(segment, shape, reading)
        total_parts += parts or 0
        if voxel is not None:
            total_ml += segment.voxels * voxel
            if several:
                reading.values[f"volume_ml_{segment.label}"] = segment.voxels * voxel
        if several and parts is not None:
            reading.values[f"n_components_{segment.label}"] = parts
    reading.values["n_segments"] = len(segments)
    reading.values["n_components"] = total_parts
    if voxel is not None:
        reading.values["volume_ml"] = total_ml


def _voxel_ml(dataset: Dataset, segments: dict[int, _Segment], reading: Reading) -> float | None:
    measures = _shared(dataset, "PixelMeasuresSequence")
    spacing = measures.get("PixelSpacing") if measures is not None else dataset.get("PixelSpacing")
    if not spacing or len(spacing) != 2:
        reading.odd("no_spacing", "PixelMeasuresSequence", "no pixel spacing: volumes cannot be given in ml")
        return None
    gaps: list[float] = []
    for segment in segments.values():
        gaps += np.diff(sorted(set(segment.places))).tolist()
    thickness = 0.0
    if measures is not None:
        thickness = float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 0)
    depth = float(np.median(gaps)) if gaps and _has_positions(dataset) else thickness
    if not depth:
        reading.odd("no_spacing", "PixelMeasuresSequence", "no distance between slices: volumes cannot be given in ml")
        return None
    return float(spacing[0]) * float(spacing[1]) * depth / 1000


def _has_positions(dataset: Dataset) -> bool:
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    return bool(groups) and all(group.get("PlanePositionSequence") for group in groups)


def _components(segment: _Segment, shape: tuple[int, int], reading: Reading) -> int | None:
    """Parts that touch by faces, counted in the box around the segment."""
    if not segment.voxels:
        return 0
    size = shape[0] * shape[1]
    planes = [np.unpackbits(segment.slices[at])[:size].reshape(shape) for at in sorted(segment.slices)]
    union = np.bitwise_or.reduce(planes)
    up, left = np.flatnonzero(union.any(axis=1)), np.flatnonzero(union.any(axis=0))
    box = np.s_[up[0] : up[-1] + 1, left[0] : left[-1] + 1]
    if union[box].size * len(planes) > MOST_VOXELS_AT_ONCE:
        reading.odd("too_large_for_components", segment.label, "the segment is too large: its parts are not counted")
        return None
    return int(ndimage.label(np.stack([plane[box] for plane in planes]))[1])
