"""Who was forgotten is told by hashes, at a cost that does not grow with their number."""

import hashlib
import time

from pyspark.sql import functions as F

from lakehouse.forgetting import is_forgotten


def hash_of(user: str) -> str:
    return hashlib.sha256(user.encode()).hexdigest()


def forgotten_among(spark, users: list, hashes: list[str]) -> list:
    rows = spark.createDataFrame([(user,) for user in users], "user_id string")
    return [row.user_id for row in rows.where(is_forgotten(F.col("user_id"), hashes)).collect()]


def test_only_those_who_were_forgotten_are_found(spark):
    users = ["u1", "u2", "", "ü", None]
    assert forgotten_among(spark, users, []) == []
    assert forgotten_among(spark, users, [hash_of("u1")]) == ["u1"]
    assert sorted(forgotten_among(spark, users, sorted(map(hash_of, ["u2", "ü", "", "u9"])))) == ["", "u2", "ü"]


def test_no_id_is_neither_forgotten_nor_not(spark):
    row = spark.createDataFrame([(None,)], "user_id string").select(is_forgotten(F.col("user_id"), [hash_of("u1")]))
    assert row.collect()[0][0] is None


def test_hashes_that_begin_alike_are_told_apart(spark):
    hashes = [hash_of(f"u{number}") for number in range(9_000)]
    # 9,000 hashes on 4,096 places: most share theirs.
    users = [f"u{number}" for number in range(8_990, 9_010)]
    assert forgotten_among(spark, users, hashes) == users[:10]
    assert forgotten_among(spark, ["u1"], [hash_of("u1")[:31] + "x" + hash_of("u1")[32:]]) == []


def test_a_hundred_thousand_forgotten_users_cost_seconds(spark):
    hashes = [hash_of(f"u{number}") for number in range(100_000)]
    started = time.monotonic()
    assert forgotten_among(spark, ["u99999", "u100000"], hashes) == ["u99999"]
    # A list of literals took over five minutes of it here.
    assert time.monotonic() - started < 60
