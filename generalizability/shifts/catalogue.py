"""Every acquisition-shift simulator as data: one line each.

All are called as ``shift(image, severity=1..5, seed=0, value_range=None)`` and give an image of equal shape and type.
``facts``: ``modalities``, ``levels`` (the parameter at each severity, in ``unit``), ``dimensions`` of the image,
``random`` (whether ``seed`` matters), ``spacing`` (whether ``spacing_mm`` is taken).
"""

from assurance.evidence.catalogue import Catalogue, Entry
from generalizability.shifts import severity_levels as levels

_ROOM = "generalizability.shifts"
_ANY = ("CR", "DX", "CT", "MR", "US", "MG")


def _shift(
    title: str,
    place: str,
    source: str,
    modalities: tuple[str, ...],
    values: tuple[float, ...],
    unit: str,
    *,
    random: bool = False,
    spacing: bool = False,
    dimensions: tuple[int, ...] = (2, 3),
) -> Entry:
    facts = {
        "modalities": modalities,
        "levels": values,
        "unit": unit,
        "random": random,
        "spacing": spacing,
        "dimensions": dimensions,
    }
    return Entry(title, f"{_ROOM}.{place}", source, facts)


_X, _CT, _MR, _US = ("CR", "DX", "MG"), ("CT",), ("MR",), ("US",)
_HENDRYCKS = "Hendrycks & Dietterich (2019), ICLR"
_MEDMNIST_C = "Di Salvo, Doerrich & Ledig (2024), arXiv:2406.17536"
_TORCHIO = "Pérez-García, Sparks & Ourselin (2021), Comput Methods Programs Biomed 208:106236"

SHIFTS = Catalogue(
    "shift",
    exposure=_shift(
        "Lower exposure", "xray_beam:exposure", "Barrett & Myers (2004), chapter 11", _X, levels.EXPOSURES,
        "share of the photons", random=True,
    ),
    scatter=_shift(
        "Scatter without grid", "xray_beam:scatter", "Boone & Seibert (1988), Medical Physics 15:713", _X,
        levels.SCATTER_RATIOS, "scatter-to-primary ratio", spacing=True,
    ),
    beam_energy=_shift(
        "Other tube voltage", "xray_beam:beam_energy", "Alvarez & Macovski (1976), Phys Med Biol 21:733", _X,
        levels.ENERGY_GAMMAS, "gamma",
    ),
    ct_dose=_shift(
        "Lower CT dose", "ct_acquisition:ct_dose", "Yu et al. (2012), J Comput Assist Tomogr 36:477", _CT,
        levels.DOSES, "share of the dose", random=True,
    ),
    ct_kernel_smooth=_shift(
        "Softer CT kernel", "ct_acquisition:ct_kernel_smooth", "Ohkubo et al. (2011), Medical Physics 38:3915", _CT,
        levels.KERNEL_PX, "px",
    ),
    ct_kernel_sharp=_shift(
        "Sharper CT kernel", "ct_acquisition:ct_kernel_sharp", "Ohkubo et al. (2011), Medical Physics 38:3915", _CT,
        levels.KERNEL_PX, "px",
    ),
    slice_thickness=_shift(
        "Thicker slices", "ct_acquisition:slice_thickness", "Erdal et al. (2020), PLoS ONE 15:e0225699", ("CT", "MR"),
        levels.THICKNESSES_MM, "mm", spacing=True, dimensions=(3,),
    ),
    rician_noise=_shift(
        "Rician noise", "added_noise:rician_noise", "Gudbjartsson & Patz (1995), Magn Reson Med 34:910", _MR,
        levels.RICIAN_SHARES, "share of the 99th percentile", random=True,
    ),
    bias_field=_shift(
        "Bias field", "bias_field:bias_field", "Van Leemput et al. (1999), IEEE TMI 18:885", _MR,
        levels.COEFFICIENTS, "largest coefficient", random=True,
    ),
    ghosting=_shift(
        "Ghosts", "k_space:ghosting", "Axel et al. (1986), Radiology 160:778", _MR,
        levels.GHOST_STRENGTHS, "share of signal lost", random=True,
    ),
    motion=_shift(
        "Patient motion", "k_space:motion", "Shaw et al. (2019), MIDL, PMLR 102:427", _MR,
        levels.MOTION_PX, "px", random=True,
    ),
    spikes=_shift(
        "Spikes in k-space", "k_space:spikes", _TORCHIO, _MR,
        levels.SPIKE_STRENGTHS, "share of the largest value", random=True,
    ),
    undersampling=_shift(
        "Undersampling", "k_space:undersampling", "Lustig, Donoho & Pauly (2007), Magn Reson Med 58:1182", _MR,
        levels.ACCELERATIONS, "acceleration", random=True,
    ),
    truncation=_shift(
        "Truncation (Gibbs ringing)", "k_space:truncation", "Czervionke et al. (1988), AJR 151:1219", _MR,
        levels.KEPT_SHARES, "share of k-space kept",
    ),
    speckle=_shift(
        "Speckle", "ultrasound_beam:speckle", "Burckhardt (1978), IEEE Trans Sonics Ultrasonics 25:1", _US,
        levels.SPECKLES, "scale", random=True,
    ),
    gain=_shift(
        "Gain", "ultrasound_beam:gain", "Szabo (2014), Diagnostic Ultrasound Imaging, chapter 10", _US,
        levels.GAINS, "factor",
    ),
    depth_attenuation=_shift(
        "Attenuation with depth", "ultrasound_beam:depth_attenuation",
        "Szabo (2014), Diagnostic Ultrasound Imaging, chapter 4", _US, levels.ATTENUATIONS, "nepers over the depth",
    ),
    shadow=_shift(
        "Acoustic shadow", "ultrasound_beam:shadow", "Feldman, Katyal & Blackwood (2009), RadioGraphics 29:1179", _US,
        levels.SHADOWS, "share of signal lost", random=True,
    ),
    gaussian_noise=_shift(
        "Normal noise", "added_noise:gaussian_noise", _HENDRYCKS, _ANY,
        levels.GAUSSIAN_SHARES, "share of the grey range", random=True,
    ),
    blur=_shift("Blur", "detail_loss:blur", _HENDRYCKS, _ANY, levels.BLUR_PX, "px"),
    pixelation=_shift(
        "Pixelation", "detail_loss:pixelation", _MEDMNIST_C, _ANY, levels.PIXELATION_SCALES, "scale"
    ),
    resampling=_shift(
        "Coarser sampling", "detail_loss:resampling", "Billot et al. (2023), Medical Image Analysis 86:102789", _ANY,
        levels.SAMPLING_FACTORS, "factor", random=True,
    ),
    jpeg=_shift(
        "JPEG compression", "detail_loss:jpeg", "Wallace (1992), IEEE Trans Consumer Electronics 38:xviii", _ANY,
        levels.JPEG_QUALITIES, "quality",
    ),
    contrast=_shift("Lower contrast", "grey_scale:contrast", _HENDRYCKS, _ANY, levels.CONTRASTS, "factor"),
    gamma=_shift("Gamma", "grey_scale:gamma", _MEDMNIST_C, _ANY, levels.GAMMAS, "exponent"),
    brightness=_shift(
        "Brightness", "grey_scale:brightness", _HENDRYCKS, _ANY, levels.OFFSETS, "share of the grey range"
    ),
    marker=_shift(
        "Burned-in side marker", "burned_in_marker:marker", "Zech et al. (2018), PLoS Medicine 15:e1002683", _X,
        levels.HEIGHT_SHARES, "share of the height", random=True,
    ),
)  # fmt: skip
