import json
import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from load_bronze import load_bronze
from maintain_lakehouse import maintain_lakehouse
from worlds import bronze_params, events_file, rows, run, version

from lakehouse.contracts import maintenance, table
from lakehouse.errors import RetentionTooShort
from lakehouse.files import StoredFile
from lakehouse.maintenance import clean_log, measure, needs_compaction, outdated, vacuum
from lakehouse.table_state import open_table

EVENTS = "bronze/fact_listening_events"
SIMILAR = table("silver", "song_similarity")
SMALL = maintenance()["smallFileBytes"] - 1
AT_LEAST = maintenance()["smallFilesAtLeast"]


WRITTEN_AT = datetime(2025, 1, 7, tzinfo=timezone.utc)


def file(path, size=SMALL, days=0):
    return StoredFile(path, size, WRITTEN_AT + timedelta(days=days))


def measured(files, used=None, log=()):
    return measure(files, {f.path for f in files} if used is None else used, list(log))


def maintain(spark, lake, *tables, hours=168):
    params = {
        "runKey": "m1",
        "lakeUri": lake,
        "tables": [{"table": name} for name in tables],
        "retentionHours": hours,
    }
    return run(maintain_lakehouse, spark, params)["tables"]


def load_files(spark, lake, folder, count):
    """`count` files of one event each, in one month: as many commits and data files."""
    for index in range(count):
        name = f"fact_listening_events_{index}.csv"
        entry = events_file(folder, [f"e{index},u1,t1,like,2024-03-05T10:00:00Z"], file=name)
        run(load_bronze, spark, bronze_params(lake, [entry]))


def forget(spark):
    """Makes Spark read the tables' logs anew."""
    spark.sparkContext._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def age(lake, path, days):
    """Makes every data file of a table look as old as that."""
    for found in Path(lake, path).rglob("*.parquet"):
        if "_delta_log" not in found.parts:
            os.utime(found, (time.time() - days * 86_400,) * 2)


def test_small_files_count_only_beside_one_another_in_a_partition():
    files = [file("month=1/a"), file("month=1/b"), file("month=2/a"), file("month=3/a", SMALL + 1), file("month=3/b")]
    assert measured(files).small_files == 2


def test_files_of_older_versions_are_unused_and_not_counted():
    figures = measured([file("a", 10), file("b", 20)], used={"b"})
    assert (figures.files, figures.size_bytes, figures.unused_files) == (1, 20, 1)


def test_the_log_is_counted_from_its_last_checkpoint():
    names = [f"{n:020}.json" for n in range(13)] + [f"{n:020}.crc" for n in range(13)]
    assert measured([], log=names).log_entries == 13
    # 11 and 12 are newer.
    assert measured([], log=[*names, f"{10:020}.checkpoint.parquet", "_last_checkpoint"]).log_entries == 2


@pytest.mark.parametrize(("small", "expected"), [(AT_LEAST - 1, False), (AT_LEAST, True)])
def test_compaction_is_worth_it_from_some_small_files_on(small, expected):
    assert needs_compaction(measured([file(str(n)) for n in range(small)])) is expected


def test_joins_small_files_once_and_loses_no_row(spark, lake, tmp_path):
    load_files(spark, lake, tmp_path, AT_LEAST)
    before = rows(lake, EVENTS, "event_id", "_source_file")

    first, second = maintain(spark, lake, EVENTS)[0], maintain(spark, lake, EVENTS)[0]

    assert first["outcome"] == "maintained"
    assert "compacted" in first["actions"]
    assert (first["before"]["files"], first["after"]["files"]) == (AT_LEAST, 1)
    assert second["outcome"] == "unchanged"
    assert second["before"] == second["after"] == first["after"]
    assert rows(lake, EVENTS, "event_id", "_source_file") == before


def test_a_file_can_still_be_replaced_alone_after_its_rows_were_joined_with_others(spark, lake, tmp_path):
    load_files(spark, lake, tmp_path, AT_LEAST)
    maintain(spark, lake, EVENTS)
    corrected = events_file(tmp_path, ["e0,u2,t2,skip,2024-03-05T10:00:00Z"], file="fact_listening_events_0.csv")
    run(load_bronze, spark, bronze_params(lake, [corrected]))
    found = rows(lake, EVENTS, "event_id", "user_id")
    assert found == [("e0", "u2"), *((f"e{n}", "u1") for n in range(1, AT_LEAST))]


def test_a_checkpoint_keeps_what_makes_a_repeated_load_a_no_op(spark, lake, tmp_path):
    load_files(spark, lake, tmp_path, maintenance()["logEntriesAtLeast"] + 1)
    for found in Path(lake, EVENTS, "_delta_log").glob("*checkpoint*"):
        found.unlink()
    result = maintain(spark, lake, EVENTS)[0]
    assert "checkpointed" in result["actions"]
    assert result["after"]["logEntries"] == 0
    at = version(lake, EVENTS)
    # A reader that begins at the checkpoint: the commits before it are gone.
    for found in Path(lake, EVENTS, "_delta_log").glob("*.json"):
        if int(found.stem) < at:
            found.unlink()
    forget(spark)
    load_files(spark, lake, tmp_path, 3)
    assert version(lake, EVENTS) == at


def test_a_log_is_cleaned_up_to_a_checkpoint_that_is_old_itself():
    log = [file(f"{n:020}.json", days=n) for n in range(12)] + [file(f"{n:020}.crc", days=n) for n in range(12)]
    log += [file("_last_checkpoint", days=10), file(f"{0:020}.checkpoint.{1:010}.{2:010}.parquet")]
    checkpoints = [file(f"{n:020}.checkpoint.parquet", days=n) for n in (3, 6, 10)]
    assert outdated(log, WRITTEN_AT + timedelta(days=365)) == []
    assert outdated([*log, *checkpoints], WRITTEN_AT + timedelta(days=3)) == []
    # Version 6 was the newest until day 7: it can be read after day 8, whatever its age, and 5 was none any longer on day 6.
    removed = outdated([*log, *checkpoints], WRITTEN_AT + timedelta(days=8))
    names = {f"{n:020}.{kind}" for n in range(6) for kind in ("json", "crc")}
    assert set(removed) == names | {checkpoints[0].path, f"{0:020}.checkpoint.{1:010}.{2:010}.parquet"}
    assert removed == sorted(removed)


def test_a_table_whose_log_was_cleaned_is_read_written_and_loaded_only_once(spark, lake, tmp_path):
    load_files(spark, lake, tmp_path, 3)
    open_table(table("bronze", "fact_listening_events"), lake).create_checkpoint()
    assert maintain(spark, lake, EVENTS)[0]["actions"] == []
    before, at = rows(lake, EVENTS, "event_id"), version(lake, EVENTS)
    removed = clean_log(table("bronze", "fact_listening_events"), lake, datetime.now(timezone.utc) + timedelta(days=15))
    assert f"{at - 1:020}.json" in removed
    assert f"{at:020}.json" not in removed
    forget(spark)
    load_files(spark, lake, tmp_path, 3)
    assert (rows(lake, EVENTS, "event_id"), version(lake, EVENTS)) == (before, at)
    maintain(spark, lake, EVENTS)


def versions(lake, count, configuration=None):
    """A table that was written whole so many times, by a writer that is not Spark."""
    for number in range(count):
        frame = pa.table({"track_id": [str(number)]})
        write_deltalake(f"{lake}/{SIMILAR.path}", frame, mode="overwrite", configuration=configuration)


def test_removes_what_no_version_in_use_needs_without_a_commit(lake):
    versions(lake, 3)
    age(lake, SIMILAR.path, days=8)
    assert vacuum(SIMILAR, lake, 168) == [], "old files, but a version that used them was current until now"

    _forget_removal_times(lake, SIMILAR.path)
    at = version(lake, SIMILAR.path)
    assert len(vacuum(SIMILAR, lake, 168)) == 2
    assert vacuum(SIMILAR, lake, 168) == []
    assert version(lake, SIMILAR.path) == at
    assert rows(lake, SIMILAR.path, "track_id") == [("2",)]


def test_removes_what_a_driver_left_that_died_before_its_commit_once_it_is_old(lake):
    versions(lake, 1)
    Path(lake, SIMILAR.path, "part-of-a-dead-driver.parquet").write_bytes(b"x")
    assert vacuum(SIMILAR, lake, 168) == []
    age(lake, SIMILAR.path, days=8)
    assert vacuum(SIMILAR, lake, 168) == ["part-of-a-dead-driver.parquet"]
    assert rows(lake, SIMILAR.path, "track_id") == [("0",)]


def _forget_removal_times(lake, path):
    """Makes the log say that files were removed eight days ago; a checksum of the log would disagree."""
    ago = int((time.time() - 8 * 86_400) * 1000)
    log = Path(lake, path, "_delta_log")
    for commit in log.glob("*.json"):
        actions = [json.loads(line) for line in commit.read_text().split("\n") if line]
        for action in actions:
            if "remove" in action:
                action["remove"]["deletionTimestamp"] = ago
        commit.write_text("".join(json.dumps(action) + "\n" for action in actions))
    for leftover in [*log.glob(".*.crc"), *log.glob("*.crc")]:
        leftover.unlink()


def test_refuses_a_retention_under_the_promised_time_travel_before_it_touches_anything(spark, lake, tmp_path):
    load_files(spark, lake, tmp_path, AT_LEAST)
    at = version(lake, EVENTS)
    with pytest.raises(RetentionTooShort, match="167 h is shorter than the 168 h"):
        maintain(spark, lake, EVENTS, hours=167)
    assert version(lake, EVENTS) == at


def test_refuses_a_retention_under_what_the_table_itself_promises(lake):
    versions(lake, 2, {"delta.deletedFileRetentionDuration": "interval 30 days"})
    with pytest.raises(RetentionTooShort, match="silver/song_similarity: its delta"):
        vacuum(SIMILAR, lake, 168)
