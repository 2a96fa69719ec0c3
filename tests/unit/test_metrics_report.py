"""The performance report: prediction files in, Findings out, and the command over it."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from sklearn.metrics import roc_auc_score

from assurance.evidence.errors import InvalidInput
from assurance.metrics.performance import performance_findings
from assurance.metrics.prediction_table import prediction_table


def frame(n=300, seed=1):
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    return {
        "case_id": np.arange(n).astype(str).astype(object),
        "patient_id": np.repeat(np.arange(n // 2), 2),
        "label": (rng.random(n) < scores).astype(float),
        "score": scores,
        "site": np.where(np.arange(n) % 2, "a", "b").astype(object),
        "meta_sex": rng.choice(["F", "M"], n).astype(object),
        "meta_age": rng.integers(1, 95, n),
        "q_noise": rng.random(n),
    }


def run(*arguments):
    out = io.StringIO()
    call_command("performance", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_reserved_columns_are_found_by_their_names():
    table = prediction_table(frame())
    assert list(table.factors) == ["site", "sex", "age"]
    assert set(np.unique(table.factors["age"])) <= {"0-17", "18-44", "45-64", "65-74", "75+"}
    assert table.unused == ("case_id", "q_noise")
    assert np.unique(table.patients).size == 150


def test_every_site_and_subgroup_gets_its_own_finding():
    columns = frame()
    findings = performance_findings(prediction_table(columns), replicates=50)
    here = columns["site"] == "a"
    of_site = next(f for f in findings if f.quantity == "auroc" and f.stratum == {"site": "a"})
    assert of_site.value == pytest.approx(roc_auc_score(columns["label"][here], columns["score"][here]))
    assert of_site.n_cases == 150
    assert {"M", "F"} == {f.stratum["sex"] for f in findings if "sex" in f.stratum}
    assert {f.quantity for f in findings if f.stratum == {"compared": "sex"}} == {
        "auroc_gap", "equal_opportunity", "equalised_odds", "worst_group_auroc",
    }  # fmt: skip


def test_rows_without_label_or_score_are_counted_and_left_out():
    columns = frame()
    columns["label"][:40] = np.nan
    columns["score"][40:45] = np.nan
    findings = performance_findings(prediction_table(columns), replicates=20)
    share = next(f for f in findings if f.quantity == "label_share")
    assert share.details == {"n_used": 255, "n_without_label": 40, "n_without_score": 5}
    assert next(f for f in findings if f.quantity == "auroc").n_cases == 255


def test_scores_that_are_no_probabilities_have_a_ranking_but_no_calibration():
    columns = frame()
    columns["score"] = columns["score"] * 10 - 5
    findings = {f.quantity: f for f in performance_findings(prediction_table(columns), threshold=0) if not f.stratum}
    assert findings["auroc"].value is not None
    assert findings["brier"].value is None
    assert "probabilities" in findings["brier"].reason


def test_a_file_with_one_class_gives_reasons_and_no_crash():
    columns = frame()
    columns["label"][:] = 1
    findings = performance_findings(prediction_table(columns), replicates=20)
    assert next(f for f in findings if f.quantity == "auroc").reason.startswith("all 300 cases are with the finding")
    assert next(f for f in findings if f.quantity == "sensitivity").value is not None


def test_classes_are_scored_one_against_the_rest():
    rng = np.random.default_rng(2)
    names = rng.choice(["cat", "dog", "eel"], 200)
    scores = {f"score_{name}": rng.random(200) + (names == name) for name in ("cat", "dog", "eel")}
    table = prediction_table({"label": names.astype(object), **scores})
    assert [target.name for target in table.targets] == ["cat", "dog", "eel"]
    findings = performance_findings(table, replicates=20)
    dog = next(f for f in findings if f.quantity == "auroc" and f.signal == "dog")
    assert dog.value == pytest.approx(roc_auc_score(names == "dog", scores["score_dog"]))
    with pytest.raises(InvalidInput, match="'fox'"):
        prediction_table({"label": np.array(["fox"] * 200, dtype=object), **scores})


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda c: c.pop("label"), "no column 'label'"),
        (lambda c: c.pop("score"), "no column 'score'"),
        (lambda c: c.update(label=c["label"] * 2), "give 0 or 1"),
        (lambda c: c.update(score=np.full(300, np.inf)), "finite"),
        (lambda c: c.update(score=np.array(["x"] * 300, dtype=object)), "not numbers"),
        (lambda c: c.clear(), "no rows"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_a_sentence(change, part):
    columns = frame()
    change(columns)
    with pytest.raises(InvalidInput, match=part):
        prediction_table(columns)


def test_the_command_gives_one_json_document(tmp_path):
    file = tmp_path / "predictions.csv"
    pd.DataFrame(frame()).to_csv(file, index=False)
    parquet = tmp_path / "predictions.parquet"
    pd.DataFrame(frame()).to_parquet(parquet)
    documents = [json.loads(run("--predictions", str(one), "--json", "--replicates", "50")) for one in (file, parquet)]
    assert documents[0]["n_rows"] == 300
    assert documents[0]["unused_columns"] == ["case_id", "q_noise"]
    values = [[finding["value"] for finding in document["findings"]] for document in documents]
    assert values[0] == pytest.approx(values[1], nan_ok=True)
    assert len(documents[0]["reliability"][""]) == 10


def test_the_real_log_shows_the_fall_from_the_reference_to_the_second_site():
    file = "assurance/data/logs/cxr_multisite_pneumonia_predictions.csv"
    document = json.loads(run("--predictions", file, "--json", "--replicates", "50", "--by", "split"))
    areas = {
        finding["stratum"]["site"].split()[0]: finding["value"]
        for finding in document["findings"]
        if finding["quantity"] == "auroc" and "site" in finding["stratum"]
    }
    assert areas["Guangzhou"] == pytest.approx(0.970, abs=0.001)
    assert areas["NIH"] == pytest.approx(0.461, abs=0.001)
    assert areas["Hannover"] is None


@pytest.mark.parametrize("content", [None, "", "label\n1\n", "label,score\n", "\x00\xff"])
def test_a_bad_file_ends_with_status_two_and_one_sentence(tmp_path, content):
    file = tmp_path / "bad.csv"
    if content is not None:
        file.write_text(content, encoding="latin-1")
    with pytest.raises(CommandError) as error:
        run("--predictions", str(file), "--json")
    assert error.value.returncode == 2
    assert "\n" not in str(error.value)


def test_a_limit_for_an_unknown_metric_names_those_that_exist(tmp_path):
    file = tmp_path / "predictions.csv"
    pd.DataFrame(frame()).to_csv(file, index=False)
    with pytest.raises(CommandError, match="choose one of auroc"):
        run("--predictions", str(file), "--limit", "magic=3")
