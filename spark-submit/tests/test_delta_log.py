"""The log is read whatever texts are in it, and however long it is."""

import json
from pathlib import Path

import pytest

import lakehouse.delta_log as delta_log
from lakehouse.contracts import table
from lakehouse.delta_log import changes_between, commit_note, has_commits, is_new, newest_commit, rows_committed
from lakehouse.incremental import Build, changed_rows, recipe_of, write_whole
from lakehouse.tables import append_rows

# track_id is among its statsColumns: the least and greatest of it are in every commit.
TRACKS = table("gold", "track_features")
# Each ends a line for Python's `splitlines`, some for node:readline or a regular expression.
LINE_ENDS = ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\n", "\r", "\r\n"]


def features(spark, *track_ids: str):
    columns = ", ".join(f"{column.name} {column.spark_type}" for column in TRACKS.columns)
    rows = [(track_id, *(None if not c.required else 1 for c in TRACKS.columns[1:])) for track_id in track_ids]
    return spark.createDataFrame(rows, columns).coalesce(1)


def write_log(lake: str, versions: range) -> Path:
    """A log of commits that each add one file, made without a writer."""
    log = Path(TRACKS.uri(lake), "_delta_log")
    log.mkdir(parents=True)
    for version in versions:
        write_commit(log, version)
    return log


def write_commit(log: Path, version: int) -> None:
    added = {"path": f"{version}.parquet", "partitionValues": {}, "dataChange": True, "stats": '{"numRecords":1}'}
    (log / f"{version:020}.json").write_text(json.dumps({"add": added}) + "\n")


def test_a_text_that_ends_a_line_for_some_readers_ends_none_of_a_commit(spark, lake):
    recipe = recipe_of([TRACKS], lake, Build(f"b{''.join(LINE_ENDS)}1"))
    write_whole(features(spark, "first"), TRACKS, lake, "run", recipe)
    for character in LINE_ENDS:
        rows = features(spark, f"{character}id")
        append_rows(rows, TRACKS, lake, f"key{character}", 1)
        assert rows_committed(TRACKS, lake, f"key{character}", "track_id", f"{character}id") == 1

    # One version made the table, one wrote it whole.
    changes = changes_between(TRACKS, lake, 1, 1 + len(LINE_ENDS))
    assert [file.rows for file in changes.added] == [1] * len(LINE_ENDS)
    found = changed_rows(spark, TRACKS, lake, changes, ["track_id"]).collect()
    assert {row[0] for row in found} == {f"{character}id" for character in LINE_ENDS}


def test_the_note_of_a_commit_is_found_beside_such_texts(spark, lake):
    build = f"b{''.join(LINE_ENDS)}1"
    ids = [f"{character}id" for character in LINE_ENDS]
    write_whole(features(spark, *ids), TRACKS, lake, "run", recipe_of([TRACKS], lake, Build(build)))
    assert commit_note(TRACKS, lake) == {"inputs": {TRACKS.path: None}, "build": build}


def test_no_code_of_ours_ends_lines_as_splitlines_does():
    room = Path(__file__).resolve().parents[1]
    sources = [
        *room.glob("*.py"),
        *room.glob("jobs/*.py"),
        *room.glob("lakehouse/*.py"),
        *room.parent.glob("bench/**/*.py"),
    ]
    assert len(sources) > 50
    assert [source.name for source in sources if ".splitlines(" in source.read_text(encoding="utf-8")] == []


def test_a_table_that_is_not_there_has_no_newest_commit(lake):
    assert (has_commits(TRACKS, lake), newest_commit(TRACKS, lake)) == (False, None)
    Path(TRACKS.uri(lake), "_delta_log").mkdir(parents=True)
    assert (has_commits(TRACKS, lake), newest_commit(TRACKS, lake)) == (False, None)


@pytest.mark.parametrize("newest", [0, 1, 2, 3, 9, 10, 11, 63, 64, 100])
def test_the_newest_commit_is_found_from_the_first_one_and_from_a_checkpoint(lake, newest):
    log = write_log(lake, range(newest + 1))
    assert (newest_commit(TRACKS, lake), is_new(TRACKS, lake)) == (newest, False)
    for checkpoint in {0, newest // 2, newest}:
        (log / "_last_checkpoint").write_text(json.dumps({"version": checkpoint, "size": 1}))
        assert newest_commit(TRACKS, lake) == newest


@pytest.mark.parametrize("pointer", [None, "", "{", "[]", '{"version":null}'])
def test_the_newest_commit_is_found_without_a_readable_pointer_in_a_log_that_was_cleaned(lake, pointer):
    log = write_log(lake, range(20, 45))
    if pointer is not None:
        (log / "_last_checkpoint").write_text(pointer)
    assert newest_commit(TRACKS, lake) == 44


def test_a_checkpoint_whose_commit_was_cleaned_up_is_the_newest_version_without_one_after_it(lake):
    log = write_log(lake, range(0))
    (log / "_last_checkpoint").write_text('{"version":30,"size":1}')
    assert newest_commit(TRACKS, lake) == 30
    assert commit_note(TRACKS, lake) is None


def test_changes_are_told_as_far_back_as_the_log_goes_and_not_further(lake):
    write_log(lake, range(20, 45))
    assert [file.path for file in changes_between(TRACKS, lake, 42, 44).added] == ["43.parquet", "44.parquet"]
    assert changes_between(TRACKS, lake, 19, 44).rows_added == 25
    assert changes_between(TRACKS, lake, 18, 44) is None


def test_a_log_of_fifty_thousand_commits_is_not_listed(lake, monkeypatch):
    log = write_log(lake, range(49_990, 50_001))
    (log / "_last_checkpoint").write_text('{"version":49990,"size":1}')
    asked = []
    is_file = delta_log.is_file
    monkeypatch.setattr(delta_log, "is_file", lambda uri: asked.append(uri) or is_file(uri))
    monkeypatch.setattr(delta_log, "list_names", lambda uri: pytest.fail(f"listed {uri}"))
    assert newest_commit(TRACKS, lake) == 50_000
    assert len(asked) <= 8
    assert len(changes_between(TRACKS, lake, 49_995, 50_000).added) == 5
    # Commits that nobody checkpointed: 50,000 of them are some thirty questions.
    asked.clear()
    assert delta_log._last_from(0, lambda version: asked.append(version) or version <= 50_000) == 50_000
    assert len(asked) <= 34
