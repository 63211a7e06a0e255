"""A user goes out of every table, and does not come back."""

import hashlib
from pathlib import Path

import forget_user
import load_bronze
from test_outcomes import answer, land, listen
from test_streams import ANSWERS, LISTENS, records, sink_of
from worlds import INGESTED_AT, bronze_params, events_file, landing_file, rows, run, version

from lakehouse import stream_sink
from lakehouse.tables import create_table

PARAMS = {"runKey": "forget", "userId": "u1", "forgottenAt": INGESTED_AT}


def test_no_table_has_a_row_of_the_user_any_more_and_files_still_reconcile(spark, lake, tmp_path):
    files = [
        events_file(
            tmp_path,
            [
                "e1,u1,t1,like,2024-12-31T00:00:00Z",
                "e2,u2,u1,like,2024-12-31T00:00:00Z",
                'e3,"u1",t1,danced,2024-12-31T00:00:00Z',
                "e4,u2,t1,danced,2024-12-31T00:00:00Z",
                "u1,e5",
            ],
        ),
        landing_file(
            tmp_path,
            "dim_playlists.csv",
            "dim_playlists",
            "playlist_id,playlist_name,owner_user_id,created_date\np1,mine,u1,2024-01-01\np2,theirs,u2,2024-01-01\n",
            2,
        ),
        landing_file(
            tmp_path, "bridge_playlist_tracks.csv", "bridge_playlist_tracks", "playlist_id,track_id\np1,t1\np2,t1\n", 2
        ),
        landing_file(
            tmp_path, "graph_user_follows.csv", "graph_user_follows", "user_id_a,user_id_b\nu1,u2\nu2,u1\nu2,u3\n", 3
        ),
    ]
    run(load_bronze.load_bronze, spark, bronze_params(lake, files))
    land(spark, lake, LISTENS, [listen("l1", "t1", "like", "2025-01-01T00:00:00Z")], "listens")
    land(spark, lake, ANSWERS, [answer("r1", ["t1"], "2025-01-01T00:00:00Z", user_id="u2")], "answers")
    fitted = Path(lake) / "_model" / "fit.npz"
    fitted.parent.mkdir()
    fitted.write_bytes(b"learnt from u1, too")
    result = run(forget_user.forget_user, spark, {**PARAMS, "lakeUri": lake})
    assert not fitted.exists()

    counted = {entry["table"]: entry["rows"] for entry in result["tables"]}
    assert {name: count for name, count in counted.items() if count} == {
        "bronze/bridge_playlist_tracks": 1,
        "bronze/dim_playlists": 1,
        "bronze/graph_user_follows": 2,
        "bronze/fact_listening_events": 1,
        "bronze/listening_events_stream": 1,
        # the refused line of u1, and the one that nobody can read but that has the id in it
        "quarantine/fact_listening_events": 2,
    }
    # The track that is called like the user is no user.
    assert rows(lake, "bronze/fact_listening_events", "event_id", "user_id", "track_id") == [("e2", "u2", "u1")]
    assert rows(lake, "bronze/dim_playlists", "playlist_id") == [("p2",)]
    assert rows(lake, "bronze/bridge_playlist_tracks", "playlist_id") == [("p2",)]
    assert rows(lake, "bronze/graph_user_follows", "user_id_a", "user_id_b") == [("u2", "u3")]


def test_doing_it_again_changes_nothing(spark, lake, tmp_path):
    files = [events_file(tmp_path, ["e1,u1,t1,like,2024-12-31T00:00:00Z", "e2,u2,t1,like,2024-12-31T00:00:00Z"])]
    run(load_bronze.load_bronze, spark, bronze_params(lake, files))
    run(forget_user.forget_user, spark, {**PARAMS, "lakeUri": lake})
    before = version(lake, "bronze/fact_listening_events")
    # Another attempt of the same run tells what the first one found; another run finds nothing.
    again = run(forget_user.forget_user, spark, {**PARAMS, "lakeUri": lake})
    assert {"table": "bronze/fact_listening_events", "rows": 1} in again["tables"]
    result = run(forget_user.forget_user, spark, {**PARAMS, "runKey": "another run", "lakeUri": lake})
    assert all(entry["rows"] == 0 for entry in result["tables"])
    assert version(lake, "bronze/fact_listening_events") == before
    # One row left, one that stands for the forgotten one without a word of it: two rows in the file.
    assert rows(lake, "quarantine/fact_listening_events", "raw", "reason", "source_file") == [
        (None, "user_forgotten", "fact_listening_events_2024.csv")
    ]


def test_a_forgotten_user_does_not_come_back_with_an_event(spark, lake, tmp_path):
    forget_on_disk(lake, "u1")
    create_table(spark, LISTENS.table, lake)
    events = [
        listen("l1", "t1", "like", "2025-01-01T00:00:00Z"),
        listen("l2", "t1", "like", "2025-01-01T00:00:00Z", "u2"),
    ]
    sink_of(lake, tmp_path, "query-9")(records(spark, LISTENS, events), 0)
    assert rows(lake, "bronze/listening_events_stream", "event_id", "user_id") == [("l2", "u2")]


def test_a_user_who_is_forgotten_while_a_batch_is_written_goes_out_of_it_again(spark, lake, tmp_path, monkeypatch):
    create_table(spark, LISTENS.table, lake)
    events = [
        listen("l1", "t1", "like", "2025-01-01T00:00:00Z"),
        listen("l2", "t1", "like", "2025-01-01T00:00:00Z", "u2"),
    ]
    append = stream_sink.append_rows

    def append_and_forget(*arguments):
        append(*arguments)
        forget_on_disk(lake, "u1")

    monkeypatch.setattr(stream_sink, "append_rows", append_and_forget)
    sink_of(lake, tmp_path, "query-9")(records(spark, LISTENS, events), 0)
    assert rows(lake, "bronze/listening_events_stream", "event_id", "user_id") == [("l2", "u2")]


def test_a_forgotten_user_does_not_come_back_with_a_file_and_leaves_no_word_in_quarantine(spark, lake, tmp_path):
    forget_on_disk(lake, "u1")
    lines = ["e1,u1,t1,like,2024-12-31T00:00:00Z", "e2,u2,t1,like,2024-12-31T00:00:00Z", "e3,u1,t1,danced,yesterday"]
    playlists = "playlist_id,playlist_name,owner_user_id,created_date\np1,mine,u1,2024-01-01\np2,theirs,u2,2024-01-01\n"
    files = [events_file(tmp_path, lines), landing_file(tmp_path, "dim_playlists.csv", "dim_playlists", playlists, 2)]
    result = run(load_bronze.load_bronze, spark, bronze_params(lake, files))
    # Rows in each file are rows in bronze and in quarantine: nothing is missing.
    assert [(file["bronze"], file["quarantined"]) for file in result["files"]] == [(1, 2), (1, 1)]
    assert rows(lake, "bronze/fact_listening_events", "event_id") == [("e2",)]
    assert rows(lake, "quarantine/fact_listening_events", "raw", "reason", "line_number") == [
        (None, "user_forgotten", 2),
        (None, "user_forgotten", 4),
    ]
    assert rows(lake, "quarantine/dim_playlists", "raw", "reason") == [(None, "user_forgotten")]


def forget_on_disk(lake: str, user_id: str) -> None:
    folder = Path(lake) / "_control" / "forgotten"
    folder.mkdir(parents=True)
    (folder / f"{hashlib.sha256(user_id.encode()).hexdigest()}.json").write_text("{}")
