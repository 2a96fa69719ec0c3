"""The image-quality panel against closed forms and other implementations."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import shannon_entropy
from skimage.restoration import estimate_sigma

from assurance.evidence.errors import InvalidInput
from monitoring.intake.image_quality import COLUMNS, noise_sd, quality_panel


@pytest.fixture(scope="module")
def picture():
    """A disc of 600 on 200 with noise of sd 12, 12 bits."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:256, :256]
    clean = np.where((y - 128) ** 2 + (x - 128) ** 2 < 80**2, 600.0, 200.0)
    return np.round(clean + rng.normal(0, 12, clean.shape)).astype(np.uint16)


def test_moments_and_percentiles_are_those_of_numpy(picture):
    panel = quality_panel(picture)
    assert panel["q_mean"] == pytest.approx(picture.mean())
    assert panel["q_sd"] == pytest.approx(picture.std())
    for q in (1, 50, 99):
        assert panel[f"q_p{q}"] == np.quantile(picture, q / 100, method="inverted_cdf")


def test_the_noise_is_that_which_was_added_and_agrees_with_scikit_image(picture):
    panel = quality_panel(picture)
    assert panel["q_noise_sd"] == pytest.approx(12, rel=0.03)
    assert panel["q_noise_sd"] == pytest.approx(estimate_sigma(picture.astype(float)), rel=0.03)


def test_snr_and_cnr_are_the_means_of_the_two_parts_by_the_noise(picture):
    panel = quality_panel(picture)
    above = picture[picture > threshold_otsu(picture)].mean()
    assert panel["q_snr"] == pytest.approx(above / panel["q_noise_sd"], rel=1e-3)
    assert panel["q_cnr"] == pytest.approx(400 / 12, rel=0.03)


def test_the_laplacian_variance_agrees_with_scipy(picture):
    inner = ndimage.laplace(picture.astype(float))[1:-1, 1:-1]
    assert quality_panel(picture)["q_laplacian_variance"] == pytest.approx(inner.var())


def test_entropy_of_equal_shares_is_eight_bits_and_agrees_with_scikit_image():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert quality_panel(ramp)["q_entropy_bit"] == pytest.approx(8)
    rng = np.random.default_rng(1)
    grey = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    grey[0, 0], grey[0, 1] = 0, 255
    assert quality_panel(grey)["q_entropy_bit"] == pytest.approx(shannon_entropy(grey), abs=1e-9)


def test_saturated_and_border_shares_by_hand():
    image = np.zeros((20, 40), dtype=np.uint16)
    image[5:15, 10:30] = 1000
    image[5, 10:20] = 4095
    panel = quality_panel(image, bit_depth=12)
    assert panel["q_saturated_share"] == 10 / 800
    assert panel["q_border_share"] == pytest.approx(1 - 200 / 800)
    assert panel["q_bit_depth"] == 12


def test_slices_one_at_a_time_give_what_the_volume_gives():
    volume = np.random.default_rng(2).normal(50, 9, (5, 32, 48)).astype(np.float32)
    whole = quality_panel(volume)
    streamed = quality_panel(lambda: iter(volume))
    assert whole == streamed
    assert whole["q_mean"] == pytest.approx(volume.mean(dtype=np.float64))
    assert whole["q_p50"] == pytest.approx(np.median(volume), abs=2 * float(np.ptp(volume)) / 65_536)


def test_memory_is_that_of_a_slice():
    import tracemalloc

    plane = np.random.default_rng(3).integers(0, 4096, (256, 256)).astype(np.uint16)
    tracemalloc.start()
    quality_panel(lambda: (plane for _ in range(60)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * plane.size * 8  # a few slices in double precision, not sixty


def test_a_constant_image_has_no_noise_and_no_contrast():
    panel = quality_panel(np.full((16, 16), 7.0))
    assert (panel["q_sd"], panel["q_entropy_bit"], panel["q_snr"], panel["q_noise_sd"]) == (0, 0, 0, 0)
    assert set(panel) == set(COLUMNS)


def test_the_noise_of_plain_white_noise_is_its_sd():
    assert noise_sd(np.random.default_rng(4).normal(0, 3, (512, 512))) == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize("wrong", [np.zeros(9), np.zeros((2, 2)), np.zeros((2, 3, 4, 5)), np.array([["a"] * 5] * 5)])
def test_what_is_no_image_is_refused(wrong):
    with pytest.raises(InvalidInput, match="shape"):
        quality_panel(wrong)
    with pytest.raises(InvalidInput, match="finite"):
        quality_panel(np.full((8, 8), np.nan))
