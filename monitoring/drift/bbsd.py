"""Black-box shift detection: KS on each class score the model gives."""

from __future__ import annotations

from numpy.typing import ArrayLike

from assurance.evidence.finding import Finding
from monitoring.drift import thresholds
from monitoring.drift.component_ks import column_distances, column_p_values, corrected_law
from monitoring.drift.multiplicity import bonferroni
from monitoring.drift.thresholds import on_sd_scale
from monitoring.drift.vector_finding import vector_finding
from monitoring.drift.vectors import pair


def bbsd(
    reference: ArrayLike, current: ArrayLike, *, reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0,
) -> Finding:  # fmt: skip
    """Largest KS distance over the class scores, Bonferroni over classes.

    ``reference`` (n, K) and ``current`` (m, K) are the model's scores of K classes. With several cases per patient one
    of each, drawn by ``seed``, is compared. ``details["classes"]`` gives D and the adjusted p of each class.
    Source: Lipton, Wang & Smola (2018), ICML; Rabanser, Günnemann & Lipton (2019), NeurIPS.
    """
    pairs = pair(reference, current, key="bbsd", reference_patients=reference_patients,
                 current_patients=current_patients, seed=seed, minimum=thresholds.KS.act_n)  # fmt: skip
    if isinstance(pairs, Finding):
        return pairs
    first, second = pairs
    before, after = (side.rows[side.one_per_patient(seed=seed)] for side in (first, second))
    distances = column_distances(before, after)
    p_values = bonferroni(column_p_values(distances, len(before), len(after)))
    worst = int(distances.argmax())
    value = float(distances[worst])
    classes = [
        {"class": k, "d": float(d), "p_adjusted": float(p)}
        for k, (d, p) in enumerate(zip(distances, p_values, strict=True))
    ]
    null = corrected_law(distances.size, len(before), len(after), float(p_values[worst]), "Bonferroni")
    return vector_finding(
        "bbsd", value, first, second, null=null, row=thresholds.KS, effect=on_sd_scale("ks", value),
        judged_effect=value, alpha_watch=alpha_watch, alpha_act=alpha_act, seed=seed,
        parameters={"classes": int(distances.size)}, details={"classes": classes},
    )  # fmt: skip
