"""One scale for all statistics: how far a shift of a normal variable by 0.2 sd (watch) and 0.5 sd (act) moves each.

The minimum sizes are those at which the row itself is significant against a large reference, at α = 0.01 (watch) and
α = 0.001 (act).
"""

from dataclasses import dataclass

ALPHA_WATCH = 0.01
ALPHA_ACT = 0.001


@dataclass(frozen=True, slots=True)
class Row:
    """Effect at which to watch and to act, and the smallest current window for each."""

    watch: float
    act: float
    watch_n: int
    act_n: int


W1_SD = Row(watch=0.20, act=0.50, watch_n=190, act_n=45)
KS = Row(watch=0.080, act=0.197, watch_n=410, act_n=100)
PSI = Row(watch=0.038, act=0.238, watch_n=570, act_n=120)
JS = Row(watch=0.083, act=0.204, watch_n=570, act_n=120)
CRAMER_V = Row(watch=0.1, act=0.3, watch_n=190, act_n=60)  # Cohen's small and medium effect for one degree of freedom

CRAMER_VON_MISES = Row(watch=0.0605, act=0.149, watch_n=203, act_n=53)
ANDERSON_DARLING = Row(watch=0.139, act=0.346, watch_n=202, act_n=50)
ENERGY = Row(watch=0.150, act=0.374, watch_n=203, act_n=52)
HELLINGER = Row(watch=0.069, act=0.171, watch_n=570, act_n=120)
TOTAL_VARIATION = Row(watch=0.079, act=0.197, watch_n=610, act_n=130)
CLASSIFIER = Row(watch=0.55, act=0.65, watch_n=150, act_n=45)  # lower end of the AUROC's interval
OUTLYING = Row(watch=0.03, act=0.06, watch_n=200, act_n=85)  # share beyond the reference's 99th percentile

SD_SCALE = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8)
AS_SD = {  # the same shifts as each statistic sees them; between them the scale is straight
    "w1_sd": (0.0, 0.10, 0.20, 0.30, 0.50, 0.80),
    "psi": (0.0, 0.010, 0.038, 0.086, 0.238, 0.600),
    "ks": (0.0, 0.040, 0.080, 0.119, 0.197, 0.311),
    "js": (0.0, 0.042, 0.083, 0.124, 0.204, 0.31),
    "cramer_von_mises": (0.0, 0.0303, 0.0605, 0.0904, 0.149, 0.232),
    "anderson_darling": (0.0, 0.0693, 0.139, 0.208, 0.346, 0.554),
    "energy": (0.0, 0.0751, 0.150, 0.225, 0.374, 0.593),
    "hellinger": (0.0, 0.0346, 0.0691, 0.1035, 0.171, 0.270),
    "total_variation": (0.0, 0.0398, 0.0793, 0.1186, 0.197, 0.309),
}


def on_sd_scale(key: str, value: float) -> float:
    """The mean shift, in reference sd, that would move the statistic this far; beyond the table it goes on straight."""
    column = AS_SD[key]
    for place in range(1, len(column)):
        if value <= column[place] or place == len(column) - 1:
            slope = (SD_SCALE[place] - SD_SCALE[place - 1]) / (column[place] - column[place - 1])
            return SD_SCALE[place - 1] + (value - column[place - 1]) * slope
    raise AssertionError  # the last place always returns
