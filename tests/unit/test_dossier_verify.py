"""The verifier's own arithmetic against other implementations."""

import base64

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import roc_auc_score

from assurance.metrics.proportions import wilson
from assurance.metrics.roc_auc import auroc
from reporting.dossier import verify
from reporting.dossier.recompute import ranks, roc_points

RFC_8032 = [  # test vectors 1 to 3 of section 7.1: public key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_ed25519_holds_for_the_vectors_of_the_standard(key, message, signature):
    key, message, raw = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    assert verify.ed25519_holds(key, message, base64.b64encode(raw).decode())
    for place in range(0, 64, 7):
        bad = bytearray(raw)
        bad[place] ^= 1
        assert not verify.ed25519_holds(key, message, base64.b64encode(bytes(bad)).decode())
    assert not verify.ed25519_holds(key, message + b"x", base64.b64encode(raw).decode())


def test_ed25519_agrees_with_cryptography_on_drawn_keys():
    rng = np.random.default_rng(2)
    for _ in range(8):
        key, message = Ed25519PrivateKey.from_private_bytes(rng.bytes(32)), rng.bytes(40)
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        assert verify.public_key(pem) == raw
        assert verify.ed25519_holds(raw, message, base64.b64encode(key.sign(message)).decode())


def test_statistics_agree_with_scipy():
    rng = np.random.default_rng(4)
    first, second = rng.normal(0, 1, 400).round(2), rng.normal(0.3, 1.2, 300).round(2)
    masses = []
    for sample in (first, second):
        values, counts = np.unique(sample, return_counts=True)
        masses.append(
            verify.Masses({"kind": "masses", "positions": values.tolist(), "masses": counts.tolist(), "missing": 0})
        )
    assert verify.ks(*masses) == pytest.approx(stats.ks_2samp(first, second).statistic, abs=1e-12)
    assert verify.w1(*masses) == pytest.approx(stats.wasserstein_distance(first, second), abs=1e-12)
    p, q = [10, 20, 30, 40], [25, 25, 30, 20]
    assert verify.js(p, q) == pytest.approx(jensenshannon(p, q, base=2), abs=1e-12)
    v = stats.contingency.association(np.array([p, q]), method="cramer", correction=False)
    assert verify.cramer_v(p, q) < v  # Bergsma's correction takes the bias off
    assert verify.z_of(0.95) == pytest.approx(stats.norm.ppf(0.975), abs=1e-9)


@pytest.mark.parametrize(
    ("interval", "shift", "n"), [("delong", 0.6, 400), ("delong_logit", 2.2, 120), ("newcombe", 0.8, 90)]
)
def test_auroc_and_its_interval_follow_from_ranks_alone(interval, shift, n):
    rng = np.random.default_rng(9)
    labels = (rng.random(n) < 0.4).astype(int)
    scores = np.round(rng.normal(labels * shift, 1), 1)
    finding = auroc(labels, scores, interval=interval)
    area, variance, p, m = verify.auroc_of_ranks(ranks(labels.astype(float), scores))
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    low, high = verify.auroc_interval(area, variance, p, m, interval, 0.95)
    assert (low, high) == pytest.approx((finding.interval.low, finding.interval.high), abs=1e-8)
    points = roc_points(ranks(labels.astype(float), scores))
    assert np.trapezoid([y for _, y in points], [x for x, _ in points]) == pytest.approx(area, abs=1e-4)


def test_wilson_agrees_with_the_metrics():
    again = verify.wilson(37, 50, 0.95)
    assert again == pytest.approx((wilson(37, 50).low, wilson(37, 50).high), abs=1e-10)
