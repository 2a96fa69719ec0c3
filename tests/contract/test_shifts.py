"""Every acquisition-shift simulator keeps one contract."""

import numpy as np
import pytest
from scipy import ndimage

from assurance.evidence.errors import InvalidInput
from generalizability.shifts.catalogue import SHIFTS


def an_image(key: str) -> np.ndarray:
    rng = np.random.default_rng(11)
    shape = (24, 48, 48) if SHIFTS[key].facts["dimensions"] == (3,) else (64, 56)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return 0.1 + 0.7 * smooth + 0.02 * rng.random(shape)


def distance(key: str, severity: int, *, seed: int = 3) -> float:
    image = an_image(key)
    return float(np.abs(SHIFTS.load(key)(image, severity=severity, seed=seed, value_range=(0, 1)) - image).mean())


@pytest.mark.parametrize("key", SHIFTS)
def test_a_shift_keeps_shape_type_and_its_input(key):
    image = an_image(key)
    before = image.copy()
    shifted = SHIFTS.load(key)(image, severity=3, seed=5)
    assert shifted.shape == image.shape
    assert shifted.dtype == image.dtype
    assert np.isfinite(shifted).all()
    assert np.array_equal(image, before)
    assert not np.array_equal(shifted, image)


@pytest.mark.parametrize("key", SHIFTS)
def test_an_eight_bit_image_stays_eight_bit(key):
    image = np.rint(an_image(key) * 255).astype(np.uint8)
    assert SHIFTS.load(key)(image, severity=2, seed=1).dtype == np.uint8


@pytest.mark.parametrize("key", SHIFTS)
def test_a_higher_severity_moves_the_image_further(key):
    distances = [np.mean([distance(key, severity, seed=seed) for seed in range(4)]) for severity in range(1, 6)]
    assert distances == sorted(distances)
    assert distances[4] > distances[0] > 0


@pytest.mark.parametrize("key", SHIFTS)
def test_the_seed_alone_decides_what_is_drawn(key):
    shift, image = SHIFTS.load(key), an_image(key)
    first, again = (shift(image, severity=4, seed=8) for _ in range(2))
    others = [shift(image, severity=4, seed=seed) for seed in range(20, 32)]
    assert np.array_equal(first, again)
    assert any(not np.array_equal(first, other) for other in others) is SHIFTS[key].facts["random"]


@pytest.mark.parametrize("key", SHIFTS)
@pytest.mark.parametrize("severity", [0, 6, -1, 2.5])
def test_a_severity_outside_one_to_five_is_refused(key, severity):
    with pytest.raises(InvalidInput, match="severity is"):
        SHIFTS.load(key)(an_image(key), severity=severity)


@pytest.mark.parametrize("key", SHIFTS)
def test_an_image_that_is_none_is_refused(key):
    shift, image = SHIFTS.load(key), an_image(key)
    image[..., 0, 0] = np.nan
    for bad in (image, np.zeros(5), np.zeros((2, 2)), np.array([["a"] * 9] * 9)):
        with pytest.raises(InvalidInput):
            shift(bad, severity=1)


@pytest.mark.parametrize("key", SHIFTS)
def test_every_entry_names_its_source_and_levels(key):
    facts = SHIFTS[key].facts
    assert SHIFTS[key].source
    assert len(facts["levels"]) == 5
    assert facts["modalities"]
