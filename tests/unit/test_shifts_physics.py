"""Shift simulators against the physics they stand for."""

import numpy as np
import pytest

from assurance.evidence.errors import InvalidInput, NotComputable
from generalizability.shifts.added_noise import rician, rician_noise
from generalizability.shifts.bias_field import polynomial_field
from generalizability.shifts.ct_acquisition import ct_dose, low_dose_line_integrals, measured_noise, slice_thickness
from generalizability.shifts.detail_loss import pixelation
from generalizability.shifts.frame import image_frame
from generalizability.shifts.k_space import truncation, undersampling
from generalizability.shifts.xray_beam import DEPTH, PHOTONS, exposure, scatter


def test_rician_background_has_the_mean_of_a_rayleigh_law():
    noisy = rician(np.zeros((400, 400)), sigma=3.0, rng=np.random.default_rng(1))
    assert noisy.mean() == pytest.approx(3.0 * np.sqrt(np.pi / 2), rel=0.005)
    assert noisy.std() == pytest.approx(3.0 * np.sqrt(2 - np.pi / 2), rel=0.01)


def test_rician_noise_refuses_negative_values():
    with pytest.raises(InvalidInput, match="0 or more"):
        rician_noise(np.linspace(-1, 1, 100).reshape(10, 10), severity=1)


def test_low_dose_line_integrals_have_the_published_spread():
    # (0.75/0.25)·e⁴/1e5·(1 + (1.25/0.25)·100·e⁴/1e5) = 0.0020851, whose root is 0.0457
    noisy = low_dose_line_integrals(
        np.full(200_000, 4.0), dose_share=0.25, photons=1e5, electronic_variance=100, rng=np.random.default_rng(2)
    )
    assert noisy.std() == pytest.approx(0.0457, rel=0.01)
    assert noisy.mean() == pytest.approx(4.0, abs=0.001)


def test_full_dose_adds_nothing():
    same = low_dose_line_integrals(
        [1.0, 2.0], dose_share=1, photons=1e5, electronic_variance=0, rng=np.random.default_rng(2)
    )
    assert same == pytest.approx([1.0, 2.0])


def test_a_quarter_of_the_dose_doubles_the_noise_of_a_water_image():
    water = np.random.default_rng(3).normal(0, 12, size=(256, 256))
    quarter = ct_dose(water, severity=2, seed=4, noise_sd_hu=12)
    assert quarter.std() == pytest.approx(24, rel=0.03)


def test_noise_is_measured_on_flat_images_and_refused_where_there_is_none():
    assert measured_noise(np.random.default_rng(5).normal(0, 7, size=(300, 300))) == pytest.approx(7, rel=0.02)
    with pytest.raises(NotComputable, match="no noise"):
        ct_dose(np.zeros((16, 16)), severity=1)


def test_exposure_noise_follows_poisson_counts():
    grey = 0.25
    flat = np.full((300, 300), grey)
    noisy = exposure(flat, severity=2, seed=6, value_range=(0, 1))
    counts = 0.5 * PHOTONS * np.exp(-DEPTH * grey)
    assert noisy.std() == pytest.approx(1 / np.sqrt(counts) / DEPTH, rel=0.02)  # sd of ln N is 1/√N


def test_scatter_on_an_even_field_changes_nothing():
    flat = np.full((64, 64), 0.4)
    assert scatter(flat, severity=5, value_range=(0, 1)) == pytest.approx(flat)


def test_scatter_lowers_contrast():
    image = np.zeros((64, 64))
    image[24:40, 24:40] = 1
    assert np.ptp(scatter(image, severity=3)) < 0.75


def test_bias_field_keeps_the_geometric_mean():
    field = polynomial_field((20, 30, 10), size=0.5, rng=np.random.default_rng(7))
    assert np.log(field).mean() == pytest.approx(0, abs=1e-12)
    assert field.min() > 0


def test_keeping_all_of_k_space_is_not_offered_but_a_constant_image_survives_any_cut():
    flat = np.full((32, 32), 5.0)
    assert truncation(flat, severity=5) == pytest.approx(flat)
    assert undersampling(flat, severity=5, seed=1) == pytest.approx(flat)


def test_pixelation_keeps_the_mean_where_blocks_fit():
    image = np.random.default_rng(8).random((40, 40))
    blocky = pixelation(image, severity=5)  # scale 0.1: 4 blocks of 10 pixels
    assert blocky.mean() == pytest.approx(image.mean())
    assert np.unique(np.round(blocky, 12)).size == 16
    assert blocky[0, 0] == pytest.approx(image[:10, :10].mean())


def test_thick_slices_hold_the_mean_of_their_slab():
    volume = np.random.default_rng(9).random((8, 10, 10))
    thick = slice_thickness(volume, severity=3, spacing_mm=(1.0, 1.0, 1.0))  # 4 mm: two slabs
    assert thick[1] == pytest.approx(volume[:4].mean(axis=0))
    assert thick[7] == pytest.approx(volume[4:].mean(axis=0))
    with pytest.raises(InvalidInput, match="5 mm apart"):
        slice_thickness(volume, severity=3, spacing_mm=(5.0, 1.0, 1.0))


def test_a_value_range_that_is_upside_down_is_refused():
    with pytest.raises(InvalidInput, match="the smaller first"):
        image_frame(np.zeros((9, 9)), value_range=(1, 0))
