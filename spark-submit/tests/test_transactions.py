"""Why a commit's Delta transaction is (the unit of work, 1): what each other choice would lose or double."""

from load_bronze import load_bronze
from worlds import bronze_params, events_file, rows, run, version

EVENTS = "bronze/fact_listening_events"


def _append(spark, lake, value, app, txn_version):
    (
        spark.createDataFrame([(value,)], "id string")
        .write.format("delta")
        .mode("append")
        .option("txnAppId", app)
        .option("txnVersion", str(txn_version))
        .save(f"{lake}/txn")
    )


def test_each_file_content_as_its_own_app_id_commits_once_in_any_order(spark, lake):
    for content in ("week-3", "week-1", "week-3", "week-2", "week-1"):
        _append(spark, lake, content, f"file/{content}", 1)
    assert rows(lake, "txn", "id") == [("week-1",), ("week-2",), ("week-3",)]


def test_one_app_id_with_a_growing_version_would_skip_an_older_backfill(spark, lake):
    for week in (1, 3, 2):
        _append(spark, lake, f"week-{week}", "weekly", week)
    assert rows(lake, "txn", "id") == [("week-1",), ("week-3",)]


def test_an_attempt_number_as_version_would_write_twice(spark, lake):
    for attempt in (1, 2):
        _append(spark, lake, "week-1", "file/week-1", attempt)
    assert rows(lake, "txn", "id") == [("week-1",), ("week-1",)]


def test_an_older_file_after_a_newer_one_is_not_skipped_and_a_second_load_of_it_changes_nothing(spark, lake, tmp_path):
    def load(week):
        name = f"trends_2025-01-{week:02}.csv"
        lines = [f"e{week},u1,t1,like,2025-01-{week:02}T10:00:00Z"]
        entry = {**events_file(tmp_path, lines, file=name), "table": "fact_listening_events"}
        run(load_bronze, spark, bronze_params(lake, [entry]))

    for week in (21, 7, 14, 7, 21):
        load(week)
    assert rows(lake, EVENTS, "event_id") == [("e14",), ("e21",), ("e7",)]
    at = version(lake, EVENTS)
    load(7)
    assert version(lake, EVENTS) == at
