import hashlib
import json
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from build_features import build_features
from build_gold import build_gold
from build_silver import build_silver
from export_snapshot import export_snapshot
from load_bronze import load_bronze
from pyspark.sql import functions as F
from worlds import bronze_params, events_file, met_at, rows, run, silver_params, songs_file, table, users_file, version

import lakehouse.rated_pairs
from lakehouse.errors import BrokenContract
from lakehouse.interactions import encounters, followed_tracks, with_feedback
from lakehouse.listeners import View
from lakehouse.rated_pairs import ratings
from lakehouse.snapshot import batches
from lakehouse.songs import catalogue, with_told_names

EVENT = "user_id string, track_id string, event_type string, event_date date"


def test_affinity_weighs_likes_listens_and_skips_and_halves_with_age(spark):
    events = [
        ("u", "t1", "complete_listen", date(2025, 1, 6)),
        ("u", "t1", "like", date(2025, 1, 6)),
        ("u", "t1", "skip", date(2025, 1, 6)),
        # 180 days before the 7th: half a listen.
        ("u", "t2", "complete_listen", date(2024, 7, 11)),
        ("u", "t3", "skip", date(2025, 1, 6)),
        ("u", "t4", "like", date(2025, 1, 7)),
    ]
    until = date(2025, 1, 7)
    met = encounters(spark.createDataFrame(events, EVENT), [until])
    view = View.at(until)
    found = met.where(F.col(view.affinity).isNotNull()).orderBy("track_id").collect()
    one_day = 0.5 ** (1 / 180)
    # t1: 1 + 3 - 0.5; t4 is of the day itself, which is not learnt from.
    assert [(r.track_id, pytest.approx(r[view.affinity], abs=1e-6)) for r in found] == [
        ("t1", 3.5 * one_day),
        ("t2", 0.5),
        ("t3", -0.5 * one_day),
    ]
    assert [r.first_heard for r in found] == [20094, 19915, None]


def test_what_a_user_said_last_of_a_track_counts_beside_what_they_heard(spark):
    day = date(2025, 1, 6)
    events = [("u", "t1", "complete_listen", day), ("u", "t2", "complete_listen", day)]
    feedback = [
        ("u", "t1", "love", 1, 1, day),
        ("u", "t1", "hate", 2, 2, day),
        ("u", "t3", "hate", 1, 3, day),
        ("u", "t3", "love", 1, 4, day),
        ("u", "t4", "hide", 1, 5, day),
    ]
    columns = "user_id string, track_id string, feedback string, at int, _offset int, event_date date"
    united = with_feedback(spark.createDataFrame(events, EVENT), spark.createDataFrame(feedback, columns))
    met = encounters(united, [date(2025, 1, 7)])
    view = View.at(date(2025, 1, 7))
    found = met.where(F.col(view.affinity).isNotNull()).orderBy("track_id").collect()
    one_day = 0.5 ** (1 / 180)
    # t1: a listen and a hate, which was said after the love; t3: a love, as it was said last; t4 was only hidden.
    assert [(r.track_id, pytest.approx(r[view.affinity], abs=1e-6)) for r in found] == [
        ("t1", -19 * one_day),
        ("t2", one_day),
        ("t3", 5 * one_day),
    ]
    assert [r.first_heard for r in found] == [20094, 20094, 20094]


def test_a_rating_is_relative_to_the_users_median_and_cut_at_both_ends():
    nan = float("nan")
    # The median of the liked is 2: log2(1 + 2/2) = 1; 0.1 is cut to 0.3, 1000 to 3; what is only skipped, or not met, has no rating.
    one = [(0, 0.1, 0.3), (0, 2.0, 1), (0, 2.0, 1), (0, 2.0, 1), (0, 1000.0, 3), (0, -0.5, nan), (0, nan, nan)]
    # Of an even number the middle two count: 2, of 1 and 3.
    other = [(2, 3.0, np.log2(1 + 3 / 2)), (2, 1.0, np.log2(1 + 1 / 2))]
    nobody = [(1, 0.0, nan), (3, -1.0, nan)]
    users, affinities, expected = (np.array(column) for column in zip(*one, *other, *nobody, strict=True))
    assert ratings(users.astype(int), affinities) == pytest.approx(expected, nan_ok=True)
    assert np.isnan(ratings(np.array([0, 1]), np.array([0.0, nan]))).all()


def test_followed_people_are_heard_by_those_who_follow_them_and_nobody_hears_himself(spark):
    dearest = [("a", 1, 1.0, None), ("b", 1, 2.0, None), ("b", 1, None, 0.5), ("b", 2, None, 3.0)]
    follows = [("c", "a"), ("c", "b"), ("c", "b"), ("a", "a")]
    found = followed_tracks(
        spark.createDataFrame(dearest, "user_id string, track int, followed_x float, followed_y float"),
        spark.createDataFrame(follows, "user_id_a string, user_id_b string"),
        [View("x"), View("y")],
    )
    assert sorted((r.user_id, r.track, r.followed_x, r.followed_y) for r in found.collect()) == [
        ("c", 1, 3.0, 0.5),
        ("c", 2, None, 3.0),
    ]


def test_of_each_user_the_dearest_tracks_of_each_day_lie_beside_the_pairs(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(lakehouse.rated_pairs, "FOLLOWED_TRACKS", 2)
    early, late = date(2025, 1, 7), date(2025, 1, 14)
    heard = {"a": 1, "b": 3, "c": 2, "d": 2}
    events = [("u", track, "complete_listen", date(2025, 1, 6)) for track, times in heard.items() for _ in range(times)]
    events += [("u", "d", "complete_listen", date(2025, 1, 8)), ("u", "e", "skip", date(2025, 1, 6))]
    _, ids = met_at(spark.createDataFrame(events, EVENT), [early, late], tmp_path)
    found = spark.read.parquet(f"{tmp_path}/dearest").collect()
    of = {
        day: {ids[r.track]: r[View.at(day).followed] for r in found if r[View.at(day).followed] is not None}
        for day in (early, late)
    }
    # Of as many listens the first by id; a rating beside the median of 2 listens, and of 2 and 3.
    assert of[early] == {"b": pytest.approx(np.log2(2.5)), "c": pytest.approx(1)}
    assert set(of[late]) == {"b", "d"}
    assert {row.user_id for row in found} == {"u"}


def gold_params(lake: str) -> dict:
    return {
        "runKey": "r1",
        "lakeUri": lake,
        "modelVersion": "m1",
        "build": "b1",
        "recommendationsPerUser": 5,
        "seed": 42,
    }


@pytest.fixture(scope="module")
def two_tastes(spark, tmp_path_factory):
    """Two groups of listeners, pop and rock, 12 tracks each; one user who skips only and one who has heard almost all."""
    folder = tmp_path_factory.mktemp("two-tastes")
    lake = f"{folder}/lake"
    lines, number = [], 0
    for user in range(12):
        group = "pop" if user < 6 else "rock"
        for track in range(12):
            if (user + track) % 3:
                for _ in range(1 + (user + track) % 2):
                    number += 1
                    lines.append(f"{number},u{user},{group}{track},complete_listen,2025-01-0{1 + user % 6}T10:00:00Z")
    lines.append("90001,skipper,pop1,skip,2025-01-05T10:00:00Z")
    lines += [f"9{g}{t},hermit,{g}{t},complete_listen,2025-01-06T10:00:00Z" for g in ("pop", "rock") for t in range(12)]
    songs = [
        f"{group}{track},Song {track},{group}-a{track},Artist,{group},1,,"
        for group in ("pop", "rock")
        for track in range(12)
    ]
    files = [events_file(folder, lines), songs_file(folder, songs), users_file(folder, ["u0,Una,pop,"])]
    run(load_bronze, spark, bronze_params(lake, files))
    run(build_silver, spark, silver_params(lake))
    run(build_features, spark, silver_params(lake))
    params = gold_params(lake)
    return lake, params, run(build_gold, spark, params)


def test_lists_hold_unknown_tracks_of_the_users_own_taste_first(two_tastes):
    lake, _, result = two_tastes
    known = {
        (f"u{user}", f"{'pop' if user < 6 else 'rock'}{track}")
        for user in range(12)
        for track in range(12)
        if (user + track) % 3
    }
    lists = (
        table(lake, "gold/user_recommendations").sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()
    )
    assert not [row for row in lists if (row["user_id"], row["track_id"]) in known]
    for user in range(12):
        group = "pop" if user < 6 else "rock"
        mine = [row for row in lists if row["user_id"] == f"u{user}"]
        assert [row["rank"] for row in mine] == [1, 2, 3, 4, 5]
        # Each misses exactly 4 of its group's 12 tracks.
        assert {row["track_id"][: len(group)] for row in mine[:4]} == {group}
    assert result["recommendations"] == len(lists)
    assert {row["model_version"] for row in lists} == {"m1"}


def test_who_only_skips_gets_the_chart_without_what_was_skipped(two_tastes):
    lake, _, _ = two_tastes
    mine = [row for row in table(lake, "gold/user_recommendations").to_pylist() if row["user_id"] == "skipper"]
    chart = [row for row in table(lake, "silver/weekly_trending_tracks").sort_by("rank").to_pylist()]
    expected = [row["track_id"] for row in chart if row["track_id"] != "pop1"][:5]
    assert [row["track_id"] for row in sorted(mine, key=lambda row: row["rank"])] == expected
    assert {row["reason_type"] for row in mine} == {"trending"}


def test_who_has_heard_everything_is_told_nothing_twice(two_tastes):
    lake, _, result = two_tastes
    users = {user for (user,) in rows(lake, "gold/user_recommendations", "user_id")}
    assert "hermit" not in users
    assert result["users"] == len(users) == 13


def test_every_reason_track_is_one_the_user_played(two_tastes):
    lake, _, _ = two_tastes
    played = set(rows(lake, "silver/listening_events", "user_id", "track_id"))
    given = [row for row in table(lake, "gold/user_recommendations").to_pylist() if row["reason_track_id"]]
    assert given
    assert all((row["user_id"], row["reason_track_id"]) in played for row in given)
    assert {row["reason_type"] for row in given} == {"because_you_played"}


def test_a_retry_of_gold_adds_no_version_and_leaves_no_work_behind(spark, two_tastes):
    lake, params, result = two_tastes
    before = version(lake, "gold/user_recommendations")
    again = run(build_gold, spark, params)
    assert version(lake, "gold/user_recommendations") == before
    assert again["tables"] == result["tables"]
    assert not (Path(lake) / "_work" / "r1").exists()


def test_gold_without_a_listen_says_so(spark, lake, tmp_path):
    files = [
        events_file(tmp_path, ["1,u1,t1,skip,2025-01-01T00:00:00Z"]),
        songs_file(tmp_path, ["t1,One,a1,Ann,pop,1,,"]),
        users_file(tmp_path, ["u1,Una,,"]),
    ]
    run(load_bronze, spark, bronze_params(lake, files))
    run(build_silver, spark, silver_params(lake))
    with pytest.raises(BrokenContract, match="no complete listen and no like"):
        run(build_gold, spark, gold_params(lake))


def snapshot_params(lake: str, folder: Path, model_version: str, shards: int = 1, **more) -> dict:
    """A snapshot into the `serving` folder of `folder`."""
    return {
        "runKey": "r1",
        "lakeUri": lake,
        "snapshotUri": f"file://{folder}/serving/snapshots/{model_version}",
        "modelVersion": model_version,
        "generatedAt": "2025-02-01T00:00:00.000Z",
        "shards": shards,
        **more,
    }


def test_a_snapshot_holds_the_lists_each_user_in_one_shard(spark, two_tastes, tmp_path):
    lake, _, gold = two_tastes
    params = snapshot_params(lake, tmp_path, "m1", shards=3)
    result = run(export_snapshot, spark, params)

    serving = tmp_path / "serving"
    body = (serving / result["manifestKey"]).read_bytes()
    assert result["manifestKey"] == "snapshots/m1/manifest.json"
    assert hashlib.sha256(body).hexdigest() == result["manifestSha256"]
    manifest = json.loads(body)
    assert manifest["counts"] == {"users": gold["users"], "recommendations": gold["recommendations"], "tracks": 24}
    tables = {}
    for file in manifest["files"]:
        content = (serving / file["key"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["sizeBytes"], file["sha256"])
        found = pa.ipc.open_file(content).read_all()
        assert found.num_rows == file["rows"]
        tables.setdefault(file["kind"], []).append(found.to_pylist())
    shards = [{row["user_id"] for row in shard} for shard in tables["recommendations"]]
    assert len(shards) == 3
    assert sum(len(shard) for shard in shards) == len(set().union(*shards)) == gold["users"]
    for shard in tables["recommendations"]:
        assert [(row["user_id"], row["rank"]) for row in shard] == sorted(
            (row["user_id"], row["rank"]) for row in shard
        )
    assert tables["trending"][0][0]["week_end"] == "2025-01-07"
    assert len(tables["tracks"][0]) == 24
    history = tables["history"][0]
    newest_first = sorted(history, key=lambda row: (row["user_id"], row["rank"]))
    assert history == newest_first
    for user in shards[0]:
        plays = [row["timestamp"] for row in history if row["user_id"] == user]
        assert 0 < len(plays) <= 50
        assert plays == sorted(plays, reverse=True)

    again = run(export_snapshot, spark, params)
    assert again["manifestSha256"] == result["manifestSha256"]


def test_a_snapshot_is_of_the_tables_as_they_were_when_it_was_begun(spark, two_tastes, tmp_path, monkeypatch):
    lake = f"{tmp_path}/lake"
    shutil.copytree(two_tastes[0], lake)
    before = version(lake, "bronze/dim_users")

    def meanwhile(tracks):
        users = users_file(tmp_path, ["u0,Una,pop,", "latecomer,Late,pop,"])
        run(load_bronze, spark, bronze_params(lake, [users], "meanwhile"))
        return catalogue(tracks)

    monkeypatch.setattr("export_snapshot.catalogue", meanwhile)
    result = run(export_snapshot, spark, snapshot_params(lake, tmp_path, "m1"))
    assert version(lake, "bronze/dim_users") > before
    serving = tmp_path / "serving"
    users = pa.ipc.open_file((serving / "snapshots" / "m1" / "users.arrow").read_bytes()).read_all()
    assert "latecomer" not in users.column("user_id").to_pylist()
    lineage = json.loads((serving / result["manifestKey"]).read_bytes())["lineage"]
    assert {"table": "bronze/dim_users", "version": before} in lineage


def test_a_track_that_only_players_told_of_has_the_name_they_gave_it_last(spark):
    songs = spark.createDataFrame(
        [("t1", "One", "a1", "Ann", "folk", date(2020, 1, 1))],
        "track_id string, title string, artist_id string, artist_name string, genre string, release_date date",
    )
    stream = [
        ("e1", "t1", "Another One", "Ann", 1),
        ("e2", "t2", "Two (live)", "Bob", 1),
        ("e3", "t2", "Two", "Bob", 2),
        ("e4", "t2", None, None, 3),
        ("e5", "t3", None, None, 1),
    ]
    columns = "event_id string, track_id string, title string, artist_name string, received_at int"
    found = with_told_names(songs, spark.createDataFrame(stream, columns)).orderBy("track_id").collect()
    assert [(r.track_id, r.title, r.artist_id, r.artist_name, r.genre) for r in found] == [
        ("t1", "One", "a1", "Ann", "folk"),
        ("t2", "Two", None, "Bob", None),
    ]


def test_lists_of_another_model_are_not_exported(spark, two_tastes, tmp_path):
    lake, _, _ = two_tastes
    params = snapshot_params(lake, tmp_path, "m2")
    with pytest.raises(BrokenContract, match="expected the lists of model m2, found m1"):
        run(export_snapshot, spark, params)
    assert not (tmp_path / "serving").exists()


def test_shards_of_few_lists_are_made_at_once_and_of_many_one_by_one():
    assert batches(41_000, 4) == [[0, 1, 2, 3]]
    assert batches(1_200_000, 5) == [[0, 1], [2, 3], [4]]
    assert batches(9_000_000, 3) == [[0], [1], [2]]
    assert batches(0, 2) == [[0, 1]]


def test_a_snapshot_without_a_model_has_charts_and_no_lists_and_knows_its_listeners(spark, two_tastes, tmp_path):
    lake, _, _ = two_tastes
    params = snapshot_params(lake, tmp_path, "chart-1", chartOnly=True)
    result = run(export_snapshot, spark, params)
    assert (result["users"], result["recommendations"]) == (0, 0)
    folder = tmp_path / "serving" / "snapshots" / "chart-1"
    charts = pa.ipc.open_file((folder / "trending.arrow").read_bytes()).read_all()
    assert charts.num_rows > 0
    users = pa.ipc.open_file((folder / "users.arrow").read_bytes()).read_all().to_pylist()
    tiers = {row["user_id"]: row["tier"] for row in users}
    # The skipper has no listen at all, the hermit 24; u0 to u11 have 8 tracks once or twice.
    assert (tiers["skipper"], tiers["hermit"], tiers["u1"]) == ("cold_start", "personal", "personal")
