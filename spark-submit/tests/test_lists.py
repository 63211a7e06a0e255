"""Lists are made by threads that take one shard after another."""

import pyarrow.parquet as pq
import pytest
from small_models import listener, model_of, tracks_of

from lakehouse.lists import SHARDS_AT_ONCE, write_lists
from lakehouse.model import DEFAULT_WEIGHTS

SHARDS = [[listener(f"u{shard}-{n}", {n: 1.0, n + 1: 2.0}) for n in range(3)] for shard in range(5)]


def model():
    return model_of([who for shard in SHARDS for who in shard], tracks_of(20))


def write(shards, folder) -> int:
    return write_lists(shards, str(folder), model(), DEFAULT_WEIGHTS, chart=[], size=4)


def test_every_shard_is_a_file_and_every_listener_has_one_list(tmp_path):
    assert write(iter(SHARDS), tmp_path) == 15
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [f"part-{number:05}.parquet" for number in range(5)]
    of_files = [set(pq.read_table(tmp_path / name).column("user_id").to_pylist()) for name in files]
    assert of_files == [{who.id for who in shard} for shard in SHARDS]


def test_shards_that_cannot_be_read_are_told_and_the_others_are_not_gone_on_with(tmp_path):
    taken = []

    def shards():
        for shard in SHARDS:
            taken.append(shard)
            if len(taken) == 2:
                raise OSError("shard 2 is gone")
            yield shard

    with pytest.raises(OSError, match="shard 2 is gone"):
        write(shards(), tmp_path)
    assert len(taken) == 2


def test_a_list_that_cannot_be_made_is_told_and_the_other_thread_ends(tmp_path):
    taken = []

    def shards():
        for _ in range(1000):
            taken.append(1)
            yield [None]

    with pytest.raises(AttributeError):
        write(shards(), tmp_path)
    assert len(taken) <= SHARDS_AT_ONCE + 1
