"""Gold → a serving snapshot of Arrow files with a manifest. Parameters and result: contracts/schemas/jobs.ts."""

import sys
from functools import partial
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import DataFrame, SparkSession

from lakehouse.contracts import Table, table
from lakehouse.data_weeks import data_weeks
from lakehouse.delta_log import newest_commit
from lakehouse.errors import BadParameters, BrokenContract
from lakehouse.few_rows import rows_if_there
from lakehouse.job import run_job
from lakehouse.params import Params
from lakehouse.progress import Progress
from lakehouse.session import side_by_side
from lakehouse.snapshot import (
    SCHEMAS,
    SnapshotFile,
    batches,
    last_plays,
    last_weeks,
    listeners,
    shards_of,
    write_file,
    write_manifest,
)
from lakehouse.songs import catalogue, with_told_names
from lakehouse.table_state import rows_in
from lakehouse.tables import has_table, missing_table

SOURCES = {
    "recommendations": table("gold", "user_recommendations"),
    "tracks": table("bronze", "dim_songs"),
    "users": table("gold", "user_features"),
    "similar": table("silver", "song_similarity"),
    "trending": table("silver", "weekly_trending_tracks"),
    "history": table("silver", "listening_events"),
}
# Names of users, including users without any event.
USERS = table("bronze", "dim_users")
# Optional: players send the names of tracks that no catalogue file knows.
STREAM = table("bronze", "listening_events_stream")

# Each is held by this process while it is written.
FILES_AT_ONCE = 3


def export_snapshot(spark: SparkSession, params: Params, progress: Progress) -> dict:
    lake_uri, model_version = params.text("lakeUri"), params.text("modelVersion")
    snapshot_uri = _snapshot_uri(params)
    shards = params.whole("shards", at_least=1)
    # Without a model that may be served there are no lists, and every user gets the chart.
    is_chart_only = params.flag("chartOnly")
    sources = {kind: source for kind, source in SOURCES.items() if kind != "recommendations" or not is_chart_only}
    streams = [STREAM] if has_table(STREAM, lake_uri) else []
    versions: dict[Table, int | None] = {
        source: newest_commit(source, lake_uri) for source in [*sources.values(), USERS, *streams]
    }
    _refuse_missing(versions, lake_uri)
    read = {kind: _at(spark, source, lake_uri, versions) for kind, source in sources.items()}
    if is_chart_only:
        read["recommendations"] = spark.createDataFrame([], SOURCES["recommendations"].schema)
    else:
        _refuse_other_model(read["recommendations"], model_version)
    users_of_shards: list[int] = []

    def write_lists(chosen: list[int]) -> list[SnapshotFile]:
        with progress.step("recommendations"):
            files = []
            for shard, lists in shards_of(read["recommendations"], chosen, shards).items():
                name = f"recommendations-{shard:03}.arrow"
                files.append(write_file(lists, "recommendations", snapshot_uri, name))
                users_of_shards.append(len(lists.column("user_id").unique()))
            return files

    data = data_weeks(lake_uri)
    songs = catalogue(read["tracks"])
    for stream in streams:
        songs = with_told_names(songs, _at(spark, stream, lake_uri, versions))
    others = {
        "tracks": songs,
        "users": listeners(read["users"], _at(spark, USERS, lake_uri, versions)),
        "similar": read["similar"],
        "trending": last_weeks(read["trending"], data and data.last_week),
        "history": last_plays(read["history"], data and data.last_week),
    }

    def write(kind: str) -> list[SnapshotFile]:
        with progress.step(kind):
            rows = others[kind].select(*SCHEMAS[kind].names).toArrow()
            return [write_file(rows, kind, snapshot_uri, f"{kind}.arrow")]

    listed = 0 if is_chart_only else rows_in(sources["recommendations"], lake_uri, versions[sources["recommendations"]])
    works = [partial(write_lists, chosen) for chosen in batches(listed, shards)]
    works += [partial(write, kind) for kind in others]
    written = side_by_side(spark, params.text("runKey"), FILES_AT_ONCE, lambda work: work(), works)
    files = list(chain.from_iterable(written))

    rows_of = {kind: sum(file.rows for file in files if file.kind == kind) for kind in SOURCES}
    counts = {"users": sum(users_of_shards), "recommendations": rows_of["recommendations"], "tracks": rows_of["tracks"]}
    lineage = [{"table": source.path, "version": at} for source, at in versions.items() if at is not None]
    described = {
        "modelVersion": model_version,
        "generatedAt": params.time("generatedAt"),
        "lineage": lineage,
        "counts": counts,
    }
    key, sha256 = write_manifest(snapshot_uri, described, files)
    return {
        "manifestKey": key,
        "manifestSha256": sha256,
        "users": counts["users"],
        "recommendations": counts["recommendations"],
        "sizeBytes": sum(file.sizeBytes for file in files),
    }


def _snapshot_uri(params: Params) -> str:
    uri = params.text("snapshotUri").rstrip("/")
    if "snapshots/" not in uri:
        raise BadParameters(f"parameters: snapshotUri must be a folder below snapshots/, found {uri}")
    return uri


def _at(spark: SparkSession, source: Table, lake_uri: str, versions: dict[Table, int | None]) -> DataFrame:
    """The table at its version when the export began, regardless of later writes."""
    return rows_if_there(spark, source, lake_uri, versions[source])


def _refuse_missing(versions: dict[Table, int | None], lake_uri: str) -> None:
    """A lake that only streams fill has no catalogue and no users; all else is there after a refresh."""
    for source, version in versions.items():
        if version is None and source.layer != "bronze":
            raise missing_table(source, lake_uri)


def _refuse_other_model(recommendations: DataFrame, model_version: str) -> None:
    found = [row[0] for row in recommendations.select("model_version").distinct().limit(3).collect()]
    # An empty table fits every model: there are no listens yet.
    if found not in ([], [model_version]):
        holds = ", ".join(found)
        raise BrokenContract(
            f"gold/user_recommendations: expected the lists of model {model_version}, found {holds}; run build_gold for it"
        )


if __name__ == "__main__":
    run_job("export_snapshot", export_snapshot)
