"""`npm run evaluate`: the production recommender on files of pairs. Options: README.md; the files' shape: pair_files.py.

Learns from the training pairs alone, tunes the blend on the validation pairs (a tenth of each user's training pairs where
none are given; the last fit is then on all of them), scores the test pairs, writes everybody's list.
"""

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.errors import BadParameters
from lakehouse.evaluation import Truth, measure, pools, ranking_of, summary
from lakehouse.listeners import Listener, Tracks, View, every_track, tracks_of
from lakehouse.model import Model
from lakehouse.pair_files import Pairs, read_edges, read_pairs
from lakehouse.rated_pairs import write_pairs
from lakehouse.shards import by_shard
from lakehouse.training import Listening, counted, fit_model, learn_model, write_followed
from lakehouse.tuning import tuned_weights

SEED = 42
_ALL = View("all")
_NO_SONGS = pa.schema({"track_id": pa.string(), "artist_id": pa.string(), "genre": pa.string(), "released": pa.int32()})
# Of each user's training pairs, where no validation file is given; users with fewer than so many keep them all.
_VALIDATION_SHARE = 0.1
_LEAST_TO_SPLIT = 5
_SHOWN = (("segue", "candidate"), ("popularity", "popularity"), ("item-kNN", "item_knn"))


def main() -> int:
    options = _options()
    try:
        evaluate_files(options)
    except BadParameters as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def evaluate_files(options: argparse.Namespace) -> None:
    """Reads, learns, tunes, scores, writes; says each step as it is done."""
    for written in (options.out, options.report):
        if written is not None and not written.parent.is_dir():
            raise BadParameters(f"{written}: there is no folder {written.parent}; make it first")
    steps = Steps()
    with steps.step("read the files"):
        train, test = read_pairs(options.train), read_pairs(options.test)
        valid = read_pairs(options.valid) if options.valid else None
        social = read_edges(options.social) if options.social else None
    with steps.step("start Spark"):
        spark = open_spark()
    with tempfile.TemporaryDirectory(prefix="segue-evaluate-") as folder:
        world = World.of(spark, train, valid, social, folder)
        weights, fitted = _tuned(world, train, valid, options.k, steps)
        model, listening = fitted or _fitted(world, train, "all", steps)
        with steps.step("score and write the lists"):
            listeners = _everyone(listening.shards(), world.known, valid, test)
            truth = _truth_of(test, world.known, {who.id: who.known for shard in listeners for who in shard})
            measured = measure(model, weights, listeners, truth, options.k, is_varied=False)
            _write_lists(options.out, model, weights, listeners, options.k)
    spark.stop()
    _report(
        options,
        {name: summary(found, model, options.k, listening.users) for name, found in measured.items()},
        weights,
        truth,
        steps,
    )


@dataclass(frozen=True)
class World:
    """The shared data of all fits: the indexes of the items, the follows, and the folder of the shards."""

    spark: SparkSession
    known: Tracks
    follows: DataFrame | None
    folder: str

    @classmethod
    def of(
        cls, spark: SparkSession, train: Pairs, valid: Pairs | None, social: list[tuple[str, str]] | None, folder: str
    ) -> "World":
        """The items of the training and validation pairs. A model can neither learn nor find an item that only the
        test pairs have."""
        items = pa.array(sorted({*train.items, *(valid.items if valid else [])}), pa.string())
        known = tracks_of(every_track(_NO_SONGS.empty_table(), items))
        follows = spark.createDataFrame(pd.DataFrame(social, columns=["user_id_a", "user_id_b"])) if social else None
        return cls(spark, known, follows, folder)


class Steps:
    """Says each step when it begins and how long it took."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str):
        print(f"{name} …", flush=True)
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)
        print(f"{name}: {self.seconds[name]} s", flush=True)


def _tuned(world: World, train: Pairs, valid: Pairs | None, k: int, steps: Steps):
    """The weights; and, where it learnt from all training pairs, the model they were tuned on."""
    learnt, judged = (train, valid) if valid else _own_split(train)
    model, listening = _fitted(world, learnt, "tuning", steps)
    with steps.step("tune the blend"):
        shards = list(listening.shards())
        truth = _truth_of(judged, world.known, {who.id: who.known for shard in shards for who in shard})
        weights = tuned_weights(pools(model, shards, truth), k)
    return weights, (model, listening) if valid else None


def _fitted(world: World, pairs: Pairs, name: str, steps: Steps) -> tuple[Model, Listening]:
    with steps.step(f"learn ({name})"):
        frame = pd.DataFrame({"user_id": pairs.users, "track_id": pairs.items, _ALL.affinity: pairs.counts})
        rows = world.spark.createDataFrame(frame).withColumns(
            {name: F.lit(None).cast("int") for name in ("first_heard", "last_met")}
        )
        uri, count = f"{world.folder}/{name}", len(world.known.ids)
        by_shard(rows).write.parquet(f"{uri}/met")
        write_pairs(f"{uri}/met", None, pa.array(world.known.ids), [_ALL], uri)
        if world.follows is not None:
            write_followed([_ALL], world.follows, uri)
        [listening] = counted([_ALL], uri, count)
        fit = fit_model(listening, world.known, SEED)
        return learn_model(listening, world.known, fit, until=0.0), listening


def _own_split(train: Pairs) -> tuple[Pairs, Pairs]:
    random = np.random.default_rng(SEED)
    kept: list[int] = []
    held: list[int] = []
    pairs_of_users = train.by_user().values()
    # If all users have few pairs, a user with two pairs holds out a single pair.
    least = min(_LEAST_TO_SPLIT, max(2, max(map(len, pairs_of_users), default=0)))
    for rows in pairs_of_users:
        count = max(1, round(len(rows) * _VALIDATION_SHARE)) if len(rows) >= least else 0
        mixed = [rows[index] for index in random.permutation(len(rows))]
        held += mixed[:count]
        kept += mixed[count:]
    if not held:
        raise BadParameters(
            "no user has two training pairs, to hold one out of them; give a file to tune on with --valid"
        )
    return train.take(sorted(kept)), train.take(sorted(held))


def _truth_of(pairs: Pairs, tracks: Tracks, known: dict[str, np.ndarray]) -> Truth:
    """The pairs of each user as indexes, without the user's known items. An item without training pairs gets an
    index of its own."""
    place = {item: index for index, item in enumerate(tracks.ids)}
    found: Truth = {}
    for user, rows in pairs.by_user().items():
        wanted = np.array([place.get(pairs.items[row], -1 - row) for row in rows], dtype=np.int64)
        wanted = wanted[~np.isin(wanted, known.get(user, np.array([], dtype=np.int64)))]
        if len(wanted):
            found[user] = wanted
    return found


def _everyone(
    shards: Iterable[list[Listener]], tracks: Tracks, valid: Pairs | None, test: Pairs
) -> list[list[Listener]]:
    """The listeners of the shards with their validation items added, and the listeners without training pairs."""
    extra = _truth_of(valid, tracks, {}) if valid else {}
    none = np.array([], dtype=np.int64)
    found = [[replace(who, known=np.union1d(who.known, extra.get(who.id, none))) for who in shard] for shard in shards]
    trained = {who.id for shard in found for who in shard}
    others = sorted({*test.users, *(valid.users if valid else [])} - trained)
    empty = np.array([], dtype=np.float64)
    strangers = [
        Listener(user, extra.get(user, none), none, empty, empty, empty, empty, none, empty) for user in others
    ]
    return [*found, strangers]


def _write_lists(out: Path, model: Model, weights: dict[str, float], listeners: list[list[Listener]], k: int) -> None:
    unfinished = out.with_name(f"{out.name}.part")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["user_id", "item_id", "rank", "score"])
        for user, items, scores in ranking_of(model, weights, listeners, k):
            for rank, (item, score) in enumerate(zip(items, scores, strict=True), start=1):
                writer.writerow([user, model.tracks.ids[item], rank, f"{score:.6f}"])
    os.replace(unfinished, out)


def _report(
    options: argparse.Namespace, of: dict[str, dict], weights: dict[str, float], truth: Truth, steps: Steps
) -> None:
    k = options.k
    print(f"\n{len(truth)} users with test pairs; weights {json.dumps(weights)}")
    print(f"{'':12}{f'Recall@{k}':>12}{f'NDCG@{k}':>12}{f'MAP@{k}':>12}{'coverage':>12}")
    for title, name in _SHOWN:
        values = (of[name][measure_name] for measure_name in ("recall", "ndcg", "map", "coverage"))
        print(f"{title:12}" + "".join(f"{value:12.4f}" for value in values))
    print(f"\neverybody's {k} best are in {options.out}")
    if options.report:
        document = {"k": k, "users": len(truth), "weights": weights, "seconds": steps.seconds, "measures": of}
        options.report.write_text(json.dumps(document), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="npm run evaluate --", description=__doc__.partition("\n")[0])
    parser.add_argument("--train", type=Path, required=True, help="CSV user_id,item_id,count to learn from")
    parser.add_argument("--test", type=Path, required=True, help="CSV of the pairs to find; they are only scored")
    parser.add_argument("--valid", type=Path, help="CSV of the pairs to tune on; never recommended")
    parser.add_argument("--social", type=Path, help="CSV user_id_a,user_id_b: who follows whom")
    parser.add_argument("--k", type=_positive, default=10, help="length of the lists (10)")
    parser.add_argument("--out", type=Path, required=True, help="CSV user_id,item_id,rank,score to write")
    parser.add_argument("--report", type=Path, help="JSON of all measures to write")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return int(text)


def open_spark() -> SparkSession:
    """A Spark of its own, on this machine alone."""
    builder = SparkSession.builder.master("local[*]").appName("segue evaluate")
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "2g",
        "spark.sql.shuffle.partitions": "8",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.log.level": "ERROR",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


if __name__ == "__main__":
    sys.exit(main())
