"""Thresholds of a plan: how they are read, which side they bound, what is refused."""

import pytest

from assurance.evidence.errors import InvalidInput
from assurance.metrics.catalogue import METRICS
from assurance.submissions.thresholds import read_bounds


def only(thresholds):
    (bound,) = read_bounds(thresholds)
    return bound


@pytest.mark.parametrize(
    ("thresholds", "kept", "beyond"),
    [
        ({"sensitivity": 0.9}, (0.9, 1.0), (0.8999, 0.0)),  # higher is better: a number is the least
        ({"brier": 0.2}, (0.2, 0.0), (0.21,)),  # lower is better: a number is the most
        ({"psi": 0.2}, (0.0, 0.2), (0.3,)),  # drift is 0 without drift
        ({"w1_sd_act": 0.5}, (0.5,), (0.51,)),
        ({"specificity_max": 0.99}, (0.5,), (1.0,)),
        ({"volume_ml_min": 2}, (2, 3), (1.9,)),
        ({"calibration_slope": {"at_least": 0.8, "at_most": 1.25}}, (0.8, 1.0, 1.25), (0.79, 1.3)),
    ],
)
def test_a_number_bounds_on_the_side_that_its_quantity_asks_for(thresholds, kept, beyond):
    bound = only(thresholds)
    assert not any(bound.crossed(value) for value in kept)
    assert all(bound.crossed(value) for value in beyond)


def test_every_metric_of_the_catalogue_has_a_side_or_asks_for_one():
    for key, entry in METRICS.items():
        if entry.facts["better"] in ("higher", "lower"):
            bound = only({key: 0.5})
            assert (bound.at_least is None) == (entry.facts["better"] == "lower")
        else:
            with pytest.raises(InvalidInput, match="say at_least and at_most"):
                read_bounds({key: 0.5})


def test_what_is_only_watched_stops_nothing_and_a_part_is_named():
    assert read_bounds({"w1_sd_watch": 0.2}) == []
    bound = only({"sensitivity": {"at_least": 0.85, "stratum": "sex=F"}})
    assert (bound.stratum, str(bound)) == ("sex=F", "sensitivity sex=F at least 0.85")


@pytest.mark.parametrize(
    "value", ["high", None, True, float("nan"), float("inf"), [], {}, {"atleast": 1}, {"at_least": "x"}]
)
def test_what_is_no_bound_is_refused_by_its_name(value):
    with pytest.raises(InvalidInput, match=r"thresholds\.sensitivity"):
        read_bounds({"sensitivity": value})
