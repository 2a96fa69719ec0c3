"""``vigil sequential`` on files as people have them."""

import json
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

X = [0.2, -0.1, 0.5, 1.2, 0.9, 1.5, -0.3, 1.1, 2, 0.7]


def answer(*arguments) -> dict:
    out = StringIO()
    call_command("sequential", *map(str, arguments), "--json", stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


@pytest.fixture
def files(tmp_path):
    (tmp_path / "plain.txt").write_text("\n".join(map(str, X)) + "\n")
    (tmp_path / "list.json").write_text(json.dumps(X))
    pd.DataFrame({"week": range(10), "value": X}).to_csv(tmp_path / "named.csv", index=False)
    pd.DataFrame({"week": range(10), "auroc": X}).to_parquet(tmp_path / "named.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "column"), [("plain.txt", None), ("list.json", None), ("named.csv", None), ("named.parquet", "auroc")]
)
def test_every_kind_of_file_gives_the_known_path(files, file, column):
    extra = ["--column", column] if column else []
    found = answer("--values", files / file, "--detector", "cusum", "--param", "k=0.25", "--param", "h=5",
                   "--param", "side=upper", *extra)  # fmt: skip
    assert found["statistic"] == pytest.approx([0, 0, 0.25, 1.2, 1.85, 3.1, 2.55, 3.4, 5.15, 5.6])
    assert found["alarm_index"] == 8
    assert found["arl0"] > 100 > found["arl1"]


def test_outcomes_with_risks_of_their_own(tmp_path):
    rng = np.random.default_rng(0)
    pd.DataFrame({"value": (rng.random(200) < 0.3).astype(int), "risk": 0.05}).to_csv(tmp_path / "o.csv", index=False)
    found = answer("--values", tmp_path / "o.csv", "--detector", "risk_adjusted_cusum")
    assert found["alarm_index"] is not None and found["arl0"] == pytest.approx(5000, rel=1e-3)


def test_people_read_a_sentence(files):
    out = StringIO()
    call_command("sequential", "--values", str(files / "plain.txt"), "--detector", "shewhart", stdout=out)
    assert "no alarm of 10" in out.getvalue() and "a false alarm every 370.4 points" in out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--values", "nowhere.csv", "--detector", "cusum"], "nowhere.csv is not there"),
        (["--values", "named.csv", "--detector", "magic"], "sequential detector 'magic' is not known"),
        (["--values", "named.csv", "--detector", "cusum", "--column", "dice"], "it has week, value"),
        (["--values", "named.parquet", "--detector", "cusum"], "column 'value' is not in"),
        (["--values", "named.csv", "--detector", "cusum", "--param", "q=1"], "parameter 'q' is not known"),
        (["--values", "named.csv", "--detector", "cusum", "--param", "k"], "give name=value"),
        (["--values", "named.csv", "--detector", "cusum", "--param", "k=soon"], "k=soon: give a number"),
        (["--values", "named.csv", "--detector", "e_detector"], "e_detector needs p0"),
        (["--values", "words.txt", "--detector", "cusum"], "give numbers only"),
        (["--values", "gaps.csv", "--detector", "cusum"], "row 2 of column 'value' is empty"),
        (["--values", "broken.parquet", "--detector", "cusum"], "could not be read"),
    ],
)
def test_wrong_input_is_one_sentence_and_status_2(files, monkeypatch, arguments, says):
    monkeypatch.chdir(files)
    (files / "words.txt").write_text("value\nhigh\nlow\n")
    (files / "gaps.csv").write_text("week,value\n1,0.5\n2,\n3,0.6\n")
    (files / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(CommandError, match=says) as refused:
        call_command("sequential", *arguments, stdout=StringIO(), stderr=StringIO())
    assert refused.value.returncode == 2
