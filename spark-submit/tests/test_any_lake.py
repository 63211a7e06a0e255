"""A refresh of lakes of every size, by the real jobs: each ends well, and there is an answer for every user.

What the API makes of such snapshots is tested by test/api/small-lakes.test.ts.
"""

import base64
import hashlib
import json
import os
from datetime import date, timedelta
from itertools import product
from pathlib import Path

import pyarrow as pa
import pytest
from build_features import build_features
from build_gold import build_gold
from build_silver import build_silver
from evaluate_model import evaluate_model
from export_snapshot import export_snapshot
from small_lakes import LAST_DAY, Listens, Song, of_files, plays, write_bronze
from worlds import run, silver_params, table

from lakehouse.shards import shard_of

MOST = 20
_HEARD = "complete_listen"
_TEN = [f"u{n}" for n in range(10)]
_OF_ONE_SHARD = ["u22", "u23", "u24", "u25"]

# The lakes whose snapshots the API's test reads.
SHARED = {
    "nothing at all",
    "one listen",
    "two users who only skip",
    "only likes, of one day",
    "one artist, all heard by all, one week",
}
_SHARED_FILE = Path(__file__).resolve().parents[2] / "test" / "support" / "small_snapshots.json"


def _everything_heard(users: list[str], tracks: int) -> list[tuple[str, str, str, date]]:
    day = {user: LAST_DAY - timedelta(days=n) for n, user in enumerate(users)}
    return [(user, f"t{track}", _HEARD, day[user]) for user, track in product(users, range(tracks))]


LAKES = {
    "nothing at all": Listens([], is_streamed=True),
    "a catalogue and users, and nobody listened": Listens([], [Song("t1"), Song("t2")], ["u1"], is_streamed=True),
    "one listen": of_files([("u1", "t1", _HEARD, LAST_DAY)]),
    "two users who only skip": of_files([("u1", "t1", "skip", LAST_DAY), ("u2", "t2", "skip", LAST_DAY)]),
    "only likes, of one day": of_files([(f"u{n}", f"t{n % 3}", "like", LAST_DAY) for n in range(5)]),
    "only the stream, no file": Listens(plays(["s1", "s2"], 30, 7, 40), is_streamed=True),
    "one artist, all heard by all, one week": Listens(
        _everything_heard(["u1", "u2"], 25), [Song(f"t{n}", "a") for n in range(25)], ["u1", "u2"]
    ),
    "one user alone for ten years": of_files(plays(["alone"], 400, 3650, 1500)),
    "ten users, follows, a catalogue of more": Listens(
        plays(_TEN, 60, 90, 60),
        [Song(f"t{n}", f"a{n % 20}", "pop" if n % 2 else None, date(2020, 1, 1)) for n in range(120)],
        [*_TEN, "new"],
        follows=[("u0", "u1"), ("new", "u2"), ("stranger", "u3")],
    ),
    "every user in one shard, no genre": of_files(plays(_OF_ONE_SHARD, 50, 40, 60)),
    "a hundred and ten users": of_files(plays([f"u{n}" for n in range(110)], 150, 60, 40)),
}


@pytest.fixture(scope="module", params=LAKES, ids=lambda name: name.replace(" ", "-"))
def refreshed(request, spark, tmp_path_factory):
    """A lake after its first refresh, its bronze by the real jobs, and the results of all five."""
    listens = LAKES[request.param]
    folder = tmp_path_factory.mktemp("lake")
    lake = f"{folder}/lake"
    write_bronze(lake, listens)
    return Refreshed(request.param, lake, folder, refresh(spark, lake, folder, "r1"))


class Refreshed:
    """What there was, and what became of it."""

    def __init__(self, name: str, lake: str, folder: Path, results: dict):
        self.name, self.listens, self.lake, self.results = name, LAKES[name], lake, results
        manifest = folder / "serving" / results["snapshot"]["manifestKey"]
        self.manifest = json.loads(manifest.read_bytes())
        self.files: dict[str, list[dict]] = {}
        self.bodies: dict[str, str] = {}
        for file in self.manifest["files"]:
            content = (folder / "serving" / file["key"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
            self.bodies[file["key"]] = base64.b64encode(content).decode()
            self.files.setdefault(file["kind"], []).extend(pa.ipc.open_file(content).read_all().to_pylist())

    def list_of(self, user: str) -> list[dict]:
        return [row for row in self.files["recommendations"] if row["user_id"] == user]


def refresh(spark, lake: str, folder: Path, key: str) -> dict:
    """A whole refresh as the workflow runs it."""
    step = silver_params(lake, run_key=key)
    model = {"runKey": key, "lakeUri": lake, "modelVersion": f"m-{key}", "build": "b1", "seed": 42}
    snapshot = {
        "snapshotUri": f"file://{folder}/serving/snapshots/m-{key}",
        "generatedAt": "2025-02-01T00:00:00.000Z",
        "shards": 2,
    }
    judging = {"evaluatedAt": "2025-02-01T00:00:00.000Z", "force": False, "k": 10}
    return {
        "silver": run(build_silver, spark, step),
        "features": run(build_features, spark, step),
        "judged": run(evaluate_model, spark, {**model, **judging}),
        "gold": run(build_gold, spark, {**model, "recommendationsPerUser": MOST}),
        "snapshot": run(export_snapshot, spark, {**model, **snapshot}),
    }


def test_the_users_that_are_said_to_share_a_shard_do(spark):
    users = spark.createDataFrame([(user,) for user in _OF_ONE_SHARD], "user_id string")
    assert users.select(shard_of()).distinct().count() == 1


def test_every_user_has_an_answer_of_tracks_there_are_each_once(refreshed):
    listens, tracks = refreshed.listens, refreshed.listens.track_ids
    assert {row["user_id"] for row in refreshed.files["users"]} == listens.user_ids
    assert {row["track_id"] for row in refreshed.files["tracks"]} == tracks
    assert {row["user_id"] for row in refreshed.files["recommendations"]} <= listens.user_ids | {"stranger"}
    for user in listens.user_ids:
        mine = refreshed.list_of(user)
        listed = [row["track_id"] for row in mine]
        assert [row["rank"] for row in mine] == list(range(1, len(mine) + 1))
        assert len(set(listed)) == len(listed)
        assert set(listed) <= tracks
        assert all(row["reason_type"] for row in mine)
        met = {track for who, track, *_ in listens.events if who == user}
        liked = {track for who, track, kind, _ in listens.events if who == user and kind != "skip"}
        # Whatever was not met can be recommended; so can, where that is too little, what they liked.
        expected = 0 if not met else min(MOST, len(tracks - met) + len(liked))
        assert len(mine) >= expected, user


def test_the_model_is_judged_or_says_why_not(refreshed):
    judged = refreshed.results["judged"]
    [row] = table(refreshed.lake, "gold/model_evaluations").to_pylist()
    assert row["promoted"] is judged["promoted"]
    assert row["why"] == judged["why"]
    assert row["why"]
    if row["users"] < 100:
        assert row["promoted"]
        assert row["why"].startswith(f"not judged: {row['users']} users, 100 are needed")
    # A result document is JSON that others read: NaN is none.
    json.dumps(refreshed.results, allow_nan=False)


def test_the_snapshot_counts_what_is_in_it(refreshed):
    counts = refreshed.manifest["counts"]
    assert counts["tracks"] == len(refreshed.listens.track_ids)
    assert counts["recommendations"] == len(refreshed.files["recommendations"])
    assert counts["users"] == len({row["user_id"] for row in refreshed.files["recommendations"]})


def test_the_snapshots_the_api_is_tested_with_are_those_of_today(refreshed):
    """test/support/small_snapshots.json holds the smallest ones; `SEGUE_WRITE_SNAPSHOTS=1` in the environment writes them anew."""
    name = refreshed.name
    if name not in SHARED:
        return
    made = {"users": sorted(refreshed.listens.user_ids), "manifest": refreshed.manifest, "objects": refreshed.bodies}
    held = json.loads(_SHARED_FILE.read_text(encoding="utf-8")) if _SHARED_FILE.exists() else {}
    if os.environ.get("SEGUE_WRITE_SNAPSHOTS"):
        held = dict(sorted({**held, name: made}.items()))
        _SHARED_FILE.write_text(json.dumps(held, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    assert set(held) == SHARED
    assert held[name]["users"] == made["users"]
    assert set(held[name]["objects"]) == set(made["objects"])
    for key, body in made["objects"].items():
        assert _rows(held[name]["objects"][key]).equals(_rows(body)), key


def _rows(body: str) -> pa.Table:
    return pa.ipc.open_file(base64.b64decode(body)).read_all()
