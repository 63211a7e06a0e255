"""A lake that was made by the previous contract is written and read by the new one."""

from dataclasses import replace

import pytest
from build_silver import build_silver
from deltalake import DeltaTable
from load_bronze import load_bronze
from test_streams import LISTEN, LISTENS, records, sink_of
from worlds import bronze_params, events_file, rows, run, silver_params, songs_file, users_file, version

from lakehouse.contracts import Column, lake_tables, landing_tables, table
from lakehouse.delta_log import changes_between
from lakehouse.errors import BrokenContract
from lakehouse.incremental import changed_rows
from lakehouse.table_state import read_small
from lakehouse.tables import append_rows, conform_table, create_table, read_table

SONGS = table("bronze", "dim_songs")
EVENTS = table("bronze", "fact_listening_events")
SILVER = table("silver", "listening_events")
RETENTION = "delta.deletedFileRetentionDuration"


def without(contract, *names: str):
    """The contract of a table before it got these columns."""
    return replace(contract, columns=tuple(column for column in contract.columns if column.name not in names))


def instead(contract, name: str, **changed):
    """The contract of a table when one of its columns was another one."""
    columns = (replace(column, **changed) if column.name == name else column for column in contract.columns)
    return replace(contract, columns=tuple(columns))


def configuration(lake: str, path: str) -> dict[str, str]:
    return DeltaTable(f"{lake}/{path}").metadata().configuration


def names_in(lake: str, path: str) -> list[str]:
    return [field.name for field in DeltaTable(f"{lake}/{path}").schema().fields]


def test_loads_a_stream_and_a_refresh_go_on_in_a_lake_of_the_previous_contract(spark, lake, tmp_path):
    # In the middle of the contract, and last of it but for what the load itself adds.
    former_songs = without(SONGS, "genre", "base_popularity")
    former_stream = without(LISTENS.table, "title", "artist_name")
    create_table(spark, former_songs, lake)
    create_table(spark, former_stream, lake)
    create_table(spark, without(SILVER, "_source_file"), lake)
    old_song = "'t1', 'Old', 'a1', 'Ann', 1L, DATE'2024-01-01', 'dim_songs_old.csv', TIMESTAMP'2025-01-01'"
    append_rows(spark.sql(f"SELECT {old_song}").toDF(*former_songs.column_names), former_songs, lake, "old", 1)
    old_listen = (
        "'e0', 'u1', 't1', 'like', TIMESTAMP'2025-01-06 10:00:00', TIMESTAMP'2025-01-06 10:00:00', "
        "DATE'2025-01-06', 'user_listening_history', 0, 0L, TIMESTAMP'2025-01-06 10:00:00'"
    )
    append_rows(spark.sql(f"SELECT {old_listen}").toDF(*former_stream.column_names), former_stream, lake, "old", 1)

    files = [
        songs_file(tmp_path, ["t2,New,a2,Bob,rock,1,2024-02-02,0.5"]),
        users_file(tmp_path, ["u1,Una,,2024-01-01"]),
        events_file(tmp_path, ["e1,u1,t2,like,2025-01-05T10:00:00Z"]),
    ]
    run(load_bronze, spark, bronze_params(lake, files))
    create_table(spark, LISTENS.table, lake)
    listen = {**LISTEN, "event_id": "e2", "user_id": "u1", "track_id": "t1", "title": "Old", "artist_name": "Ann"}
    sink_of(lake, tmp_path, "query")(records(spark, LISTENS, [listen], first_offset=1), 0)
    refreshed = run(build_silver, spark, silver_params(lake))

    assert rows(lake, SONGS.path, "track_id", "genre", "base_popularity", "title") == [
        ("t1", None, None, "Old"),
        ("t2", "rock", 0.5, "New"),
    ]
    assert rows(lake, LISTENS.table.path, "event_id", "title", "artist_name", "_offset") == [
        ("e0", None, None, 0),
        ("e2", "Old", "Ann", 1),
    ]
    assert refreshed["mode"] == "whole"
    assert rows(lake, SILVER.path, "event_id", "_source_file", "is_known_track") == [
        ("e0", None, True),
        ("e1", "fact_listening_events_2024.csv", True),
        ("e2", None, True),
    ]
    # Read without Spark and Delta, file by file: those of before have no such column.
    changes = changes_between(SONGS, lake, 0, version(lake, SONGS.path))
    found = changed_rows(spark, SONGS, lake, changes, ["track_id", "genre"]).collect()
    assert sorted(map(tuple, found)) == [("t1", None), ("t2", "rock")]


@pytest.mark.parametrize("place", [0, 3, len(SONGS.columns)], ids=["first", "in the middle", "last"])
def test_a_new_column_may_stand_anywhere_in_the_contract(spark, lake, place):
    create_table(spark, SONGS, lake)
    old = "'t1', 'Old', 'a1', 'Ann', 'pop', 1L, NULL, NULL, 'f', TIMESTAMP'2025-01-01'"
    append_rows(spark.sql(f"SELECT {old}").toDF(*SONGS.column_names), SONGS, lake, "old", 1)
    columns = list(SONGS.columns)
    columns.insert(place, Column("moods", "array<string>"))
    contract = replace(SONGS, columns=tuple(columns))
    create_table(spark, contract, lake)
    made = version(lake, SONGS.path)
    create_table(spark, contract, lake)
    assert version(lake, SONGS.path) == made, "altered once"

    new = spark.sql(f"SELECT {old}, array('calm') AS moods").toDF(*SONGS.column_names, "moods")
    append_rows(new.select(*contract.column_names), contract, lake, "new", 1)
    # By delta-rs.
    assert rows(lake, SONGS.path, "title", "moods") == [("Old", None), ("Old", ["calm"])]
    assert read_table(spark, contract, lake).where("moods IS NULL").count() == 1


def test_a_small_table_is_read_by_its_new_column_before_and_after_it_has_a_value(spark, lake):
    checks = table("gold", "table_checks")
    filled = "'r', TIMESTAMP'2025-01-01', 'silver/x', 1L, 'whole', 'key', true, true, 0D, 'unique'"
    create_table(spark, checks, lake)
    append_rows(spark.sql(f"SELECT {filled}").toDF(*checks.column_names), checks, lake, "old", 1)
    contract = replace(checks, columns=(*checks.columns, Column("note", "string")))
    create_table(spark, contract, lake)
    assert read_small(contract, lake, ["run_key", "note"]).to_pylist() == [{"run_key": "r", "note": None}]
    new = spark.sql(f"SELECT {filled}, 'seen' AS note").toDF(*contract.column_names)
    append_rows(new, contract, lake, "new", 1)
    found = read_small(contract, lake, ["run_key", "note"]).to_pylist()
    assert sorted(found, key=repr) == [{"run_key": "r", "note": "seen"}, {"run_key": "r", "note": None}]


REFUSED = {
    "genre is string in the table and int in the contract": instead(SONGS, "genre", type="int"),
    "genre is gone from the contract": without(SONGS, "genre"),
    "genre may be empty in the table and must be filled in the contract": instead(SONGS, "genre", required=True),
    "title must be filled in the table and may be empty in the contract": instead(SONGS, "title", required=False),
    "label is new and must be filled": replace(SONGS, columns=(*SONGS.columns, Column("label", "string", True))),
    "the table is partitioned by nothing, the contract says genre": replace(SONGS, partition_by=("genre",)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_any_other_difference_is_refused_by_name_before_anything_is_written(spark, lake, reason):
    create_table(spark, SONGS, lake)
    contract = REFUSED[reason]
    # What could be mended is left alone, too.
    contract = replace(contract, columns=(*contract.columns, Column("moods", "array<string>")))
    with pytest.raises(BrokenContract, match=f"bronze/dim_songs .* {reason}; nothing was written"):
        create_table(spark, contract, lake)
    assert (version(lake, SONGS.path), names_in(lake, SONGS.path)) == (0, SONGS.column_names)


def test_a_load_into_a_table_of_another_layout_writes_nothing(spark, lake, tmp_path):
    create_table(spark, instead(EVENTS, "track_id", type="long"), lake)
    entry = events_file(tmp_path, ["e1,u1,t1,like,2025-01-05T10:00:00Z"])
    with pytest.raises(BrokenContract, match="track_id is bigint in the table and string in the contract"):
        run(load_bronze, spark, bronze_params(lake, [entry]))
    assert (version(lake, EVENTS.path), rows(lake, EVENTS.path, "event_id")) == (0, [])


def test_column_mapping_that_somebody_switched_on_is_refused(spark, lake):
    create_table(spark, SONGS, lake)
    mapped = "'delta.columnMapping.mode' = 'name'"
    spark.sql(f"ALTER TABLE delta.`{SONGS.uri(lake)}` SET TBLPROPERTIES ({mapped})").collect()
    with pytest.raises(BrokenContract, match=r"columnMapping\.mode is name in the table and none in the contract"):
        create_table(spark, SONGS, lake)


@pytest.mark.parametrize("make", [create_table, conform_table])
def test_a_promise_that_changed_reaches_a_table_that_is_there_and_keeps_its_rows(spark, lake, make):
    create_table(spark, SONGS, lake)
    old = "'t1', 'Old', 'a1', 'Ann', 'pop', 1L, NULL, NULL, 'f', TIMESTAMP'2025-01-01'"
    append_rows(spark.sql(f"SELECT {old}").toDF(*SONGS.column_names), SONGS, lake, "old", 1)
    at = f"ALTER TABLE delta.`{SONGS.uri(lake)}`"
    spark.sql(f"{at} SET TBLPROPERTIES ('{RETENTION}' = 'interval 1 hour')").collect()
    spark.sql(f"{at} UNSET TBLPROPERTIES ('delta.enableExpiredLogCleanup')").collect()
    make(spark, SONGS, lake)
    assert configuration(lake, SONGS.path)[RETENTION] == "interval 168 hours"
    assert configuration(lake, SONGS.path)["delta.enableExpiredLogCleanup"] == "false"
    assert rows(lake, SONGS.path, "track_id") == [("t1",)]


def test_every_table_keeps_what_is_promised_and_its_transactions_for_ever(spark, lake):
    for contract in (*lake_tables(), *(table("quarantine", name) for name in landing_tables())):
        create_table(spark, contract, lake)
        found = configuration(lake, contract.path)
        assert found[RETENTION] == "interval 168 hours", contract.path
        assert found["delta.logRetentionDuration"] == "interval 336 hours", contract.path
        # Set once, it forgets at once and backwards: a file's key would load its rows a second time.
        assert "delta.setTransactionRetentionDuration" not in found, contract.path
