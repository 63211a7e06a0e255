import json
from pathlib import Path

from load_bronze import load_bronze
from worlds import bronze_params, events_file, run, table

CASES = json.loads((Path(__file__).parents[2] / "test" / "support" / "event_rows.json").read_text(encoding="utf-8"))


def test_spark_refuses_the_rows_that_the_check_before_it_counts_and_for_the_same_reasons(spark, lake, tmp_path):
    """The check (activities/event-rows.ts) decides whether a person is asked; it must not judge rows by other rules."""
    run(load_bronze, spark, bronze_params(lake, [events_file(tmp_path, [line for line, _ in CASES])]))

    refused = table(lake, "quarantine/fact_listening_events").sort_by("line_number").to_pylist()
    # The header is line 1.
    expected = [(number, line, reason) for number, (line, reason) in enumerate(CASES, start=2) if reason]
    assert [(row["line_number"], row["raw"], row["reason"]) for row in refused] == expected
