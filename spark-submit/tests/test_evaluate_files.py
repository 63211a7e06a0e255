"""`npm run evaluate`: files read strictly, and a whole run on pairs that were planted."""

import csv
import json
import sys
from pathlib import Path

import evaluate_files
import numpy as np
import pytest

from lakehouse.errors import BadParameters
from lakehouse.pair_files import read_edges, read_pairs


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_pairs_that_occur_twice_are_added_up_and_blank_lines_are_ignored(tmp_path):
    pairs = read_pairs(written(tmp_path / "p.csv", 'user_id,item_id,count\nu1,"a,b",2\n\nu1,"a,b",3\nu0,c,1\n'))
    assert list(zip(pairs.users, pairs.items, pairs.counts, strict=True)) == [("u0", "c", 1), ("u1", "a,b", 5)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "user,item,count\nu,i,1\n",
            r"p\.csv, line 1: the header must be user_id,item_id,count, found user,item,count",
        ),
        ("", r"p\.csv, line 1: .*found nothing"),
        ("user_id,item_id,count\n", r"p\.csv: there is no pair in it"),
        ("user_id,item_id,count\nu,i,1\nu,i\n", r"p\.csv, line 3: 3 fields expected, found 2"),
        ("user_id,item_id,count\nu,,1\n", r"p\.csv, line 2: item_id is empty"),
        ("user_id,item_id,count\nu,i,many\n", r"p\.csv, line 2: count must be a number above 0, found 'many'"),
        ("user_id,item_id,count\nu,i,-1\n", r"p\.csv, line 2: count must be a number above 0, found '-1'"),
        ("user_id,item_id,count\nu,i,nan\n", r"p\.csv, line 2: count must be"),
        (b"user_id,item_id,count\nu,\xff,1\n", r"p\.csv is not UTF-8"),
        ('user_id,item_id,count\nu,"i"x,1\n', r"p\.csv, line 2: .*RFC 4180"),
    ],
)
def test_a_bad_file_is_named_with_its_line_and_what_to_do(tmp_path, text, said):
    with pytest.raises(BadParameters, match=said):
        read_pairs(written(tmp_path / "p.csv", text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadParameters, match=r"none\.csv cannot be read: No such file"):
        read_edges(tmp_path / "none.csv")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """60 users of three groups of 20 items, 12 items each: 8 to learn from, 2 to tune on, 2 to find. One more user is only
    in the test, and one item as well."""
    folder = tmp_path_factory.mktemp("pairs")
    random = np.random.default_rng(1)
    parts: dict[str, list[tuple]] = {"train": [], "valid": [], "test": [("stranger", "i0", 1), ("u0", "unheard-of", 1)]}
    for user in range(60):
        items = random.permutation(20)[:12] + 20 * (user % 3)
        for place, item in enumerate(items):
            name = "train" if place < 8 else "valid" if place < 10 else "test"
            parts[name].append((f"u{user}", f"i{item}", place % 4 + 1))
    for name, rows in parts.items():
        lines = ["user_id,item_id,count", *(",".join(map(str, row)) for row in rows)]
        written(folder / f"{name}.csv", "\n".join(lines) + "\n")
    edges = [f"u{user},u{(user + 3) % 60}" for user in range(60)]
    written(folder / "social.csv", "\n".join(["user_id_a,user_id_b", *edges]) + "\n")
    return folder


def evaluate(monkeypatch, folder: Path, *more: str) -> int:
    arguments = [
        "--train",
        "train.csv",
        "--test",
        "test.csv",
        "--k",
        "5",
        "--out",
        "recs.csv",
        "--report",
        "report.json",
    ]
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments, *more])
    return evaluate_files.main()


def pairs_of(path: Path) -> set[tuple[str, str]]:
    with path.open(newline="") as file:
        return {(row["user_id"], row["item_id"]) for row in csv.DictReader(file)}


def test_everybody_gets_a_list_without_training_and_validation_items(spark, files, monkeypatch, capsys):
    # The session of the tests takes the place of the command's own, and is not to be stopped by it.
    monkeypatch.setattr(evaluate_files, "open_spark", lambda: spark)
    monkeypatch.setattr(type(spark), "stop", lambda _: None)
    assert evaluate(monkeypatch, files, "--valid", "valid.csv", "--social", "social.csv") == 0
    with (files / "recs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["user_id", "item_id", "rank", "score"]
    listed = {(row["user_id"], row["item_id"]) for row in rows}
    assert not listed & (pairs_of(files / "train.csv") | pairs_of(files / "valid.csv"))
    for user in [*(f"u{number}" for number in range(60)), "stranger"]:
        mine = [row for row in rows if row["user_id"] == user]
        assert [row["rank"] for row in mine] == ["1", "2", "3", "4", "5"]
        assert mine == sorted(mine, key=lambda row: -float(row["score"]))
    said = capsys.readouterr().out
    assert "Recall@5" in said
    assert "item-kNN" in said
    report = json.loads((files / "report.json").read_text())
    assert report["users"] == 61
    # By chance 5 of about 50 unknown items hold a tenth of the truth; whoever knows the groups chooses among 10.
    assert report["measures"]["candidate"]["recall"] > 0.3


def test_without_a_validation_file_a_part_of_the_training_pairs_is_tuned_on(spark, files, monkeypatch):
    monkeypatch.setattr(evaluate_files, "open_spark", lambda: spark)
    monkeypatch.setattr(type(spark), "stop", lambda _: None)
    assert evaluate(monkeypatch, files) == 0
    assert not pairs_of(files / "recs.csv") & pairs_of(files / "train.csv")


def test_a_bad_option_or_file_ends_with_a_sentence(files, monkeypatch, capsys):
    assert evaluate(monkeypatch, files, "--valid", "nowhere.csv") == 2
    assert "nowhere.csv cannot be read" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluate(monkeypatch, files, "--k", "none")
    assert "whole number of at least 1, not none" in capsys.readouterr().err
