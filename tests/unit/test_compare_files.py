"""``vigil drift`` on files as people have them."""

import json
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from scipy import stats

from monitoring.drift.psi import psi


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    reference = pd.DataFrame(
        {"case_id": [f"r{i}" for i in range(9000)], "score": rng.beta(2, 5, 9000),
         "view": rng.choice(["AP", "PA"], 9000),
         "noise": rng.normal(10, 2, 9000), "old": 1.5}
    )  # fmt: skip
    current = pd.DataFrame(
        {"case_id": [f"c{i}" for i in range(700)], "score": rng.beta(5, 2, 700),
         "view": rng.choice(["AP", "PA", "LL"], 700, p=[0.8, 0.1, 0.1]), "noise": rng.normal(10, 2, 700), "new": 2.5}
    )  # fmt: skip
    reference.to_csv(tmp_path / "r.csv", index=False)
    reference.to_parquet(tmp_path / "r.parquet")
    current.to_csv(tmp_path / "c.csv.gz", index=False)
    current.to_parquet(tmp_path / "c.parquet")
    return tmp_path


def answer(*arguments) -> dict:
    out = StringIO()
    call_command("drift", *map(str, arguments), "--json", stdout=out, stderr=StringIO())
    return {column["column"]: column for column in json.loads(out.getvalue())["columns"]}


def test_csv_and_parquet_give_the_same_findings(files):
    from_csv = answer("--reference", files / "r.csv", "--current", files / "c.csv.gz")
    from_parquet = answer("--reference", files / "r.parquet", "--current", files / "c.parquet")
    for column in ("score", "view", "noise"):
        one, two = from_csv[column]["findings"], from_parquet[column]["findings"]
        assert [f["value"] for f in one] == pytest.approx([f["value"] for f in two])


def test_what_moved_is_found_and_what_did_not_is_not(files):
    columns = answer("--reference", files / "r.csv", "--current", files / "c.csv.gz")
    assert {f["state"] for f in columns["score"]["findings"]} == {"act"}
    assert columns["view"]["findings"][0]["state"] == "act"
    assert columns["view"]["findings"][0]["details"]["new_levels"] == ["LL"]
    assert {f["state"] for f in columns["noise"]["findings"]} == {"ok"}
    assert "only in reference" in columns["old"]["note"]
    assert "only in current" in columns["new"]["note"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--reference", "nowhere.csv", "--current", "c.parquet"], "nowhere.csv is not there"),
        (["--reference", "r.csv", "--current", "c.parquet", "--columns", "dose"], "column 'dose' is not in"),
        (["--reference", "r.csv", "--current", "c.parquet", "--method", "magic"], "detector 'magic' is not known"),
        (["--reference", "r.csv", "--current", "table.xlsx"], "give .csv, .csv.gz or .parquet"),
        (["--reference", "r.csv", "--current", "broken.parquet"], "could not be read"),
        (
            ["--reference", "r.csv", "--current", "words.csv", "--columns", "score"],
            "holds words where the reference has numbers",
        ),
    ],
)
def test_wrong_input_is_one_sentence_and_status_2(files, monkeypatch, arguments, says):
    monkeypatch.chdir(files)
    (files / "table.xlsx").write_bytes(b"x")
    (files / "broken.parquet").write_bytes(b"PAR1 not really")
    (files / "words.csv").write_text("score\nhigh\nlow\n")
    with pytest.raises(CommandError, match=says) as refused:
        call_command("drift", *arguments, stdout=StringIO(), stderr=StringIO())
    assert refused.value.returncode == 2


def write(folder, name, columns) -> str:
    pd.DataFrame(columns).to_parquet(folder / f"{name}.parquet")
    return str(folder / f"{name}.parquet")


def test_each_kind_of_bad_column_has_a_clear_outcome_and_the_others_are_compared(tmp_path):
    rng = np.random.default_rng(1)
    n = 600
    good = rng.normal(size=n)
    holes = np.where(rng.random(n) < 0.25, np.nan, rng.normal(size=n))
    endless = np.where(rng.random(n) < 0.1, np.inf, rng.normal(size=n))
    before = write(tmp_path, "before", {
        "good": good, "holes": rng.normal(size=n), "endless": rng.normal(size=n), "constant": 1.5, "absent": good,
        "one": "AP", "level": rng.choice(["a", "b"], n), "words": good, "name": [f"r{i}" for i in range(n)],
    })  # fmt: skip
    after = write(tmp_path, "after", {
        "good": rng.normal(size=n), "holes": holes, "endless": endless, "constant": rng.normal(size=n),
        "absent": np.full(n, np.nan), "one": "AP", "level": rng.choice(["a", "new"], n), "words": ["high"] * n,
        "name": [f"c{i}" for i in range(n)],
    })  # fmt: skip
    columns = answer("--reference", before, "--current", after)
    states = {name: {f["state"] for f in column["findings"]} for name, column in columns.items()}
    reasons = {name: column["findings"][0]["reason"] for name, column in columns.items() if column["findings"]}
    assert "act" not in states["good"]
    assert columns["holes"]["findings"][0]["details"]["missing_share"] == pytest.approx(np.isnan(holes).mean())
    assert columns["endless"]["findings"][0]["details"]["missing_share"] == pytest.approx(np.isinf(endless).mean())
    assert states["constant"] == {"insufficient"} and "no spread" in reasons["constant"]
    assert states["absent"] == {"insufficient"} and "current 0 values" in reasons["absent"]
    assert states["one"] == {"insufficient"} and "only the level 'AP' was seen" in reasons["one"]
    assert columns["level"]["findings"][0]["details"]["new_levels"] == ["new"]
    assert "holds words where the reference has numbers" in columns["words"]["note"]
    assert columns["name"]["findings"] or "levels" in columns["name"]["note"]


def test_one_row_is_too_few_and_no_row_is_unreadable(tmp_path):
    before = write(tmp_path, "before", {"x": np.arange(300.0)})
    one = write(tmp_path, "one", {"x": [1.0]})
    found = answer("--reference", before, "--current", one)["x"]["findings"]
    assert {f["state"] for f in found} == {"insufficient"} and "current 1 values" in found[0]["reason"]
    none = write(tmp_path, "none", {"x": np.empty(0)})
    with pytest.raises(CommandError, match="holds no rows"):
        call_command("drift", "--reference", before, "--current", none, stdout=StringIO(), stderr=StringIO())


def test_files_without_a_common_column_are_refused(tmp_path):
    before, after = write(tmp_path, "b", {"x": [1.0, 2.0]}), write(tmp_path, "a", {"y": [1.0, 2.0]})
    with pytest.raises(CommandError, match="share no column"):
        call_command("drift", "--reference", before, "--current", after, stdout=StringIO(), stderr=StringIO())


def embedded(rng, n, *, width=6, shift=0.0, as_list=False):
    rows = rng.normal(shift, 1, size=(n, width))
    if as_list:
        return {"patient_id": [f"p{i // 2}" for i in range(n)], "embedding": list(rows)}
    return {f"emb_{k}": rows[:, k] for k in range(width)}


def test_embeddings_are_one_signal_whether_columns_or_lists(tmp_path):
    rng = np.random.default_rng(2)
    before, same, moved, lists = (
        write(tmp_path, name, table)
        for name, table in (
            ("before", embedded(rng, 500)), ("same", embedded(rng, 260)), ("moved", embedded(rng, 260, shift=0.5)),
            ("lists", embedded(rng, 260, shift=0.5, as_list=True)),
        )
    )  # fmt: skip
    quiet = answer("--reference", before, "--current", same)
    assert list(quiet) == ["embedding"]
    assert [f["quantity"] for f in quiet["embedding"]["findings"]] == ["rff_mmd", "c2st"]
    assert all(f["state"] in ("ok", "insufficient") for f in quiet["embedding"]["findings"])
    for current in (moved, lists):
        loud = answer("--reference", before, "--current", current, "--method", "rff_mmd")
        assert [f["state"] for f in loud["embedding"]["findings"]] == ["act"]
    grouped = answer("--reference", lists, "--current", lists, "--method", "component_ks")
    assert grouped["embedding"]["findings"][0]["n_patients"] == 130


def test_embeddings_of_another_width_are_an_outcome(tmp_path):
    rng = np.random.default_rng(3)
    before, other = write(tmp_path, "b", embedded(rng, 50)), write(tmp_path, "o", embedded(rng, 50, width=4))
    assert "reference is 6 wide and current 4" in answer("--reference", before, "--current", other)["embedding"]["note"]
    plain = write(tmp_path, "p", {"x": np.arange(50.0)})
    both = answer("--reference", write(tmp_path, "x", {**embedded(rng, 50), "x": np.arange(50.0)}), "--current", plain)
    assert both["embedding"]["note"] == "only in reference: not compared"
    assert both["x"]["findings"]


def test_class_scores_are_also_tested_together(tmp_path):
    rng = np.random.default_rng(4)
    before, after = rng.dirichlet([2, 2, 2], 900), rng.dirichlet([4, 2, 2], 600)
    names = ["score_normal", "score_pneumonia", "score_other"]
    found = answer("--reference", write(tmp_path, "b", dict(zip(names, before.T, strict=True))),
                   "--current", write(tmp_path, "a", dict(zip(names, after.T, strict=True))))  # fmt: skip
    assert set(found) == {*names, "class scores"}
    assert found["class scores"]["findings"][0]["quantity"] == "bbsd"
    assert found["class scores"]["findings"][0]["state"] == "act"


@pytest.mark.parametrize("wild", [False, True])
def test_many_rows_are_counted_in_bins_or_sketched_within_their_error(tmp_path, wild):
    rng = np.random.default_rng(5)
    before, after = rng.normal(size=150_000), rng.normal(0.1, 1.1, size=120_000)
    if wild:
        before, after = np.exp(2.5 * before), np.exp(2.5 * after)
    found = answer("--reference", write(tmp_path, "b", {"x": before}), "--current", write(tmp_path, "a", {"x": after}),
                   "--method", "ks", "psi", "js")["x"]["findings"]  # fmt: skip
    values = {f["quantity"]: f["value"] for f in found}
    assert values["ks"] == pytest.approx(stats.ks_2samp(before, after).statistic, abs=0.007 if wild else 0.002)
    exact = psi(before, after)
    assert values["psi"] == pytest.approx(float(exact), abs=0.01 if wild else 0.001)
    assert {f["n_cases"] for f in found} == {120_000}
