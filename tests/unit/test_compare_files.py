"""``vigil drift`` on files as people have them."""

import json
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError


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
