"""One vocabulary of signals, and which of them a task's deployment should send or have computed."""

from __future__ import annotations

from dataclasses import dataclass

from assurance.evidence.errors import InvalidInput

GROUPS = ("quality", "acquisition", "embedding", "output", "explanation")


@dataclass(frozen=True, slots=True)
class SignalEntry:
    """``name`` is the column; ``unit`` "1" for plain ratios; ``bounds`` where the values cannot leave them."""

    name: str
    title: str
    unit: str
    group: str
    kind: str = "numeric"
    bounds: tuple[float, float] | None = None


def _quality(name: str, title: str, unit: str = "1", bounds: tuple[float, float] | None = None) -> SignalEntry:
    return SignalEntry(f"q_{name}", title, unit, "quality", bounds=bounds)


def _tag(name: str, title: str, unit: str = "", kind: str = "categorical") -> SignalEntry:
    return SignalEntry(f"meta_{name}", title, unit or "1", "acquisition", kind)


def _output(name: str, title: str, unit: str = "1", bounds: tuple[float, float] | None = None) -> SignalEntry:
    return SignalEntry(name, title, unit, "output", bounds=bounds)


SHARE = (0.0, 1.0)
QUALITY = (
    _quality("mean", "Mean intensity"), _quality("sd", "Standard deviation of intensity"),
    _quality("p1", "First percentile of intensity"), _quality("p50", "Median intensity"),
    _quality("p99", "99th percentile of intensity"), _quality("entropy_bit", "Entropy of 256 bins", "bit", (0.0, 8.0)),
    _quality("laplacian_variance", "Variance of the Laplacian"),
    _quality("noise_sd", "Noise, from the finest wavelet band"), _quality("snr", "Signal to noise"),
    _quality("cnr", "Contrast to noise"),
    _quality("saturated_share", "Saturated share", bounds=SHARE),
    _quality("border_share", "Border share", bounds=SHARE), _quality("bit_depth", "Bits stored", "bit"),
)  # fmt: skip
ACQUISITION = (
    _tag("manufacturer", "Manufacturer"), _tag("manufacturer_model_name", "Model of scanner"),
    _tag("software_versions", "Software versions"), _tag("station_name", "Station"),
    _tag("convolution_kernel", "Convolution kernel"), _tag("kvp", "Tube voltage", "kV", "numeric"),
    _tag("exposure_uas", "Exposure", "µAs", "numeric"), _tag("ctdi_vol", "CTDIvol", "mGy", "numeric"),
    _tag("slice_thickness", "Slice thickness", "mm", "numeric"),
    _tag("pixel_spacing", "Pixel spacing", "mm", "numeric"),
    _tag("magnetic_field_strength", "Magnetic field strength", "T", "numeric"),
    _tag("echo_time", "Echo time", "ms", "numeric"), _tag("repetition_time", "Repetition time", "ms", "numeric"),
    _tag("receive_coil_name", "Receive coil"), _tag("exposure_index", "Exposure index", kind="numeric"),
    _tag("deviation_index", "Deviation index", kind="numeric"), _tag("grid", "Grid"),
    _tag("lossy_image_compression", "Lossy compression"),
    _tag("lossy_image_compression_ratio", "Compression ratio", kind="numeric"),
    _tag("view_position", "View position"), _tag("photometric_interpretation", "Photometric interpretation"),
    _tag("age", "Age", "year", "numeric"), _tag("sex", "Sex"),
)  # fmt: skip
EMBEDDING = (SignalEntry("embedding", "Embedding of the foundation model", "1", "embedding", "embedding"),)
EXPLANATION = (
    SignalEntry("x_mass_in_anatomy", "Relevance inside the anatomy", "1", "explanation", bounds=SHARE),
    SignalEntry("x_entropy", "Entropy of the map", "bit", "explanation"),
    SignalEntry("x_centroid_x", "Centroid of the map, across", "1", "explanation", bounds=SHARE),
    SignalEntry("x_centroid_y", "Centroid of the map, down", "1", "explanation", bounds=SHARE),
    SignalEntry("x_top_k_overlap", "Overlap of the top pixels with the reference", "1", "explanation", bounds=SHARE),
)  # fmt: skip
OUTPUTS = {
    "classification": (
        _output("score", "Score", bounds=SHARE), _output("score_<class>", "Score of a class", bounds=SHARE),
    ),
    "segmentation": (
        _output("volume_ml", "Volume", "mL"), _output("surface_cm2", "Surface area", "cm²"),
        _output("components", "Connected components", "count"), _output("holes", "Holes", "count"),
        _output("euler_number", "Euler number", "count"), _output("intensity_inside", "Mean intensity inside"),
        _output("uncertainty", "Predicted uncertainty", bounds=SHARE),
        _output("prompt_box_share", "Prompt box, share of the image", bounds=SHARE),
    ),
    "registration": (
        _output("folding_share", "Share of folded voxels", bounds=SHARE),
        _output("sd_log_j", "Standard deviation of log Jacobian"),
        _output("inverse_error_p95_mm", "Inverse consistency error, 95th percentile", "mm"),
        _output("displacement_p95_mm", "Displacement, 95th percentile", "mm"),
        _output("similarity_before", "Similarity before", bounds=(-1.0, 1.0)),
        _output("similarity_after", "Similarity after", bounds=(-1.0, 1.0)),
    ),
    "localization": (
        _output("box_area_z", "Box size, z-score", "sd"), _output("box_x_z", "Box position across, z-score", "sd"),
        _output("box_y_z", "Box position down, z-score", "sd"),
        _output("box_iou_jitter", "IoU under jitter", bounds=SHARE),
        _output("landmark_spread_mm", "Spread of landmarks", "mm"),
    ),
    "generation": (
        _output("nearest_real_distance", "Distance to the nearest real image"),
        _output("kid", "Kernel inception distance"),
        _output("cmmd", "CMMD"), _output("prompt_agreement", "Classifier agrees with the prompt", bounds=SHARE),
        _output("diversity", "Mean distance between images of a prompt"),
    ),
}  # fmt: skip


def pack(task: str) -> tuple[SignalEntry, ...]:
    """The signals of a task: quality, acquisition, embedding, its outputs, explanation.

    Raises
    ------
    InvalidInput
        ``unknown_task`` with those that have a pack.
    """
    if task not in OUTPUTS:
        raise InvalidInput("unknown_task", f"task {task!r} has no pack: choose one of {', '.join(OUTPUTS)}")
    return (*QUALITY, *ACQUISITION, *EMBEDDING, *OUTPUTS[task], *EXPLANATION)


def entry_of(name: str) -> SignalEntry | None:
    """The vocabulary's entry of a column; ``score_pneumonia`` is one of ``score_<class>``. None for a stranger."""
    for signal in (
        *QUALITY,
        *ACQUISITION,
        *EMBEDDING,
        *EXPLANATION,
        *(one for task in OUTPUTS.values() for one in task),
    ):
        if signal.name == name or (signal.name == "score_<class>" and name.startswith("score_")):
            return signal
    return None
