"""Charts of residuals: weeks, seasons and memory raise no alarms, a change does."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command

from assurance.evidence.errors import InvalidInput
from monitoring.sequential.cusum import cusum
from monitoring.sequential.seasonal import seasonal_residuals


def series(rng, n, *, memory=0.4, wave=0.5, weekend=1.0, shift=0.0, start=0):
    noise = rng.normal(size=n) * np.sqrt(1 - memory**2)
    noise[0] = rng.normal()
    for at in range(1, n):
        noise[at] += memory * noise[at - 1]
    days = np.datetime64("2024-01-01") + np.arange(n)
    numbers = np.arange(n)
    values = 3 + wave * np.sin(2 * np.pi * numbers / 365.2425) + weekend * (numbers % 7 >= 5) + noise
    values[start:] += shift if start else 0.0
    return values, days


def test_the_parts_are_found_and_what_remains_is_noise():
    values, days = series(np.random.default_rng(1), 4000)
    found = seasonal_residuals(values, days, baseline=2000)
    assert found.terms == ("level", "day of the week", "yearly wave") and found.notes == ()
    assert found.memory == pytest.approx(0.4, abs=0.06)
    later = found.z[2000:]
    assert later.mean() == pytest.approx(0, abs=0.1) and later.std() == pytest.approx(1, abs=0.05)
    assert abs(np.corrcoef(later[1:], later[:-1])[0, 1]) < 0.06
    assert not found.z[:2000].any()


def test_false_alarms_come_at_the_designed_rate_and_a_change_is_seen():
    rng = np.random.default_rng(2)
    raw, charted, late = 0, 0, 0
    for _ in range(40):
        values, days = series(rng, 1000)
        z = seasonal_residuals(values, days, baseline=800).z[800:]
        charted += cusum(z).alarm_index is not None
        plain = (values - values[:800].mean()) / values[:800].std()
        raw += cusum(plain[800:]).alarm_index is not None
        values, days = series(rng, 1000, shift=1.5, start=850)
        late += cusum(seasonal_residuals(values, days, baseline=800).z[800:]).alarm_index is not None
    assert raw >= 36 and charted <= 24 and late >= 36  # 200 points at ARL0 370: 42 % expected


@pytest.mark.parametrize(
    ("values", "days", "baseline", "message"),
    [([1.0] * 60, ["2024-01-01"] * 60, 50, "no spread"), ([1.0, 2.0], ["2024-01-01", "soon"], 2, "no dates"),
     ([1.0, 2.0], ["2024-01-02", "2024-01-01"], 2, "not in order"), ([1.0, 2.0], ["2024-01-02"], 2, "one each"),
     (range(40), np.datetime64("2024-01-01") + np.arange(40), 30, "points or more")],
)  # fmt: skip
def test_what_cannot_be_modelled_is_refused(values, days, baseline, message):
    with pytest.raises(InvalidInput, match=message):
        seasonal_residuals([float(value) for value in values], days, baseline=baseline)


def test_the_command_charts_residuals(tmp_path):
    values, days = series(np.random.default_rng(3), 900, shift=2.0, start=860)
    path = tmp_path / "weekly.csv"
    path.write_text("day,value\n" + "\n".join(f"{d},{v:.6f}" for d, v in zip(days, values, strict=True)))
    told = StringIO()
    call_command(
        "sequential", "--values", str(path), "--days-column", "day", "--season-baseline", "800", "--detector", "cusum",
        "--json", stdout=told,
    )  # fmt: skip
    answer = json.loads(told.getvalue())
    assert answer["alarm_index"] is not None and 860 <= answer["alarm_index"] < 880
    assert any("day of the week, yearly wave" in note for note in answer["notes"])
