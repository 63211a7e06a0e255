"""A table that nobody wrote for eight days, and then somebody did: the version from before is read by its number."""

import json
import os
import time
from pathlib import Path

import pytest
from build_silver import build_silver
from load_bronze import load_bronze
from maintain_lakehouse import maintain_lakehouse
from worlds import bronze_params, events_file, rows, run, silver_params, songs_file, users_file, version

from lakehouse.contracts import table
from lakehouse.delta_log import actions_in
from lakehouse.events_refresh import EventsRefresh
from lakehouse.incremental import Build
from lakehouse.table_state import rows_in
from lakehouse.tables import read_table

SONGS = table("bronze", "dim_songs")
EVENTS = table("bronze", "fact_listening_events")
SILVER = table("silver", "listening_events")
ENFORCED = "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration"
EIGHT_DAYS_MS = 8 * 86_400_000
# Days of four weeks in a row, so that a new one is few of them.
DAYS = ["2025-01-01", "2025-01-08", "2025-01-15", "2025-01-22"]


def lines(*days: str) -> list[str]:
    return [f"e-{day},u1,t1,like,{day}T10:00:00Z" for day in days]


def loaded(spark, lake, folder) -> None:
    files = [
        songs_file(folder, ["t1,One,a1,Ann,rock,1,,"]),
        users_file(folder, ["u1,Una,,2024-01-01"]),
        events_file(folder, lines(*DAYS)),
    ]
    run(load_bronze, spark, bronze_params(lake, files))


def age(spark, lake: str) -> None:
    """Moves every commit of the lake, and every file of its tables, back by eight days."""
    for path in Path(lake).rglob("*"):
        if path.name.endswith(".crc"):
            # The checksums of what is changed here.
            path.unlink()
    for path in Path(lake).rglob("_delta_log/*.json"):
        path.write_text("".join(f"{json.dumps(_aged(action))}\n" for action in actions_in(path.read_bytes())))
    for path in Path(lake).rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - EIGHT_DAYS_MS / 1000,) * 2)
    spark.sparkContext._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def _aged(action: dict) -> dict:
    for kind, name in (("commitInfo", "timestamp"), ("add", "modificationTime"), ("remove", "deletionTimestamp")):
        if name in action.get(kind, {}):
            action[kind][name] -= EIGHT_DAYS_MS
    return action


def weekly(spark, lake, folder, day: str) -> None:
    entry = events_file(folder, lines(day), file=f"fact_listening_events_{day}.csv")
    run(load_bronze, spark, bronze_params(lake, [entry]))


def test_the_version_from_before_is_read_which_delta_by_itself_refuses(spark, lake, tmp_path):
    loaded(spark, lake, tmp_path)
    age(spark, lake)
    quiet = version(lake, EVENTS.path)
    weekly(spark, lake, tmp_path, "2025-01-29")

    assert read_table(spark, EVENTS, lake, quiet).count() == rows_in(EVENTS, lake, quiet) == 4
    assert spark.conf.get(ENFORCED) == "false"
    spark.conf.set(ENFORCED, "true")
    try:
        with pytest.raises(Exception, match="DELTA_UNSUPPORTED_TIME_TRAVEL_BEYOND_DELETED_FILE_RETENTION_DURATION"):
            read_table(spark, EVENTS, lake, quiet).count()
    finally:
        spark.conf.set(ENFORCED, "false")


def test_a_refresh_that_began_before_the_write_reads_what_it_began_with(spark, lake, tmp_path):
    loaded(spark, lake, tmp_path)
    age(spark, lake)
    refresh = EventsRefresh(spark, lake, "r1", "tuesday", "2002-10-01T00:00:00Z", Build("b1"))
    weekly(spark, lake, tmp_path, "2025-01-29")
    run(load_bronze, spark, bronze_params(lake, [songs_file(tmp_path, ["t2,Two,a1,Ann,rock,1,,"])]))

    assert refresh.run().weeks is None
    assert rows(lake, SILVER.path, "event_id", "is_known_track") == [(f"e-{day}", True) for day in DAYS]


def test_a_refresh_after_the_quiet_time_takes_the_new_week_alone(spark, lake, tmp_path):
    loaded(spark, lake, tmp_path)
    run(build_silver, spark, silver_params(lake))
    age(spark, lake)
    weekly(spark, lake, tmp_path, "2025-01-29")
    result = run(build_silver, spark, silver_params(lake, "r2"))
    assert (result["mode"], result["weeks"], result["rowsRead"]) == ("weeks", ["2025-02-04"], 1)
    assert rows(lake, SILVER.path, "event_id") == [(f"e-{day}",) for day in [*DAYS, "2025-01-29"]]


def test_maintenance_keeps_the_files_of_the_version_from_before_and_a_table_goes_back_to_it(spark, lake, tmp_path):
    loaded(spark, lake, tmp_path)
    age(spark, lake)
    quiet = version(lake, EVENTS.path)
    # A correction: the files of the quiet version are none of the new one.
    run(load_bronze, spark, bronze_params(lake, [events_file(tmp_path, lines("2025-01-01"))]))
    params = {"runKey": "m", "lakeUri": lake, "tables": [{"table": EVENTS.path}], "retentionHours": 168}
    run(maintain_lakehouse, spark, params)
    # Spark keeps them, too: the promise is the table's own.
    spark.sql(f"VACUUM delta.`{EVENTS.uri(lake)}` RETAIN 168 HOURS").collect()

    assert read_table(spark, EVENTS, lake, quiet).count() == 4
    spark.sql(f"RESTORE TABLE delta.`{EVENTS.uri(lake)}` TO VERSION AS OF {quiet}").collect()
    assert rows(lake, EVENTS.path, "event_id") == [(f"e-{day}",) for day in DAYS]
