"""Rows made by Hypothesis, hostile in text, time and shape: so many at once, for one query of Spark's costs more than all of them.

A failed test names the seed; SEGUE_TEST_SEED=<seed> makes the same rows again.
"""

import os
import random

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from naive import conformance

SEED = int(os.environ.get("SEGUE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
ODD = ["\x00", "\t", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x7f", "\x85", "\xa0", "\u2028", "\u200b", "\ufeff", "\ufffd"]
COMMON = ["a", "7", "é", "宇", "🎵", " ", ",", '"', '""', "\\", "'", "#", "%", "$1"]

_usual = st.sampled_from(["u1", "t-2", "20240305-17", "a b", "Björk: Jóga (Live)", '7" single'])
_listed = st.sampled_from([entry["text"] for entry in conformance("texts") if entry["text"].isprintable()])
_mixed = st.lists(st.sampled_from(COMMON + ODD), max_size=5).map("".join)
_calm = st.lists(st.sampled_from(COMMON), max_size=5).map("".join)
_long = st.builds(
    lambda letter, count: letter * count,
    st.sampled_from(["x", "é", "🎵"]),
    st.sampled_from([199, 200, 201, 1000, 1001]),
)
texts = st.one_of(*[_usual] * 8, _calm, _listed, _mixed, _long)

_day = st.sampled_from(
    [
        "2024-03-05",
        "2024-02-29",
        "2023-02-29",
        "2002-09-30",
        "2002-10-01",
        "2025-02-01",
        "0001-01-01",
        "9999-12-31",
        "0000-01-01",
    ]
)
_clock = st.sampled_from(
    ["00:00:00", "23:59:59", "10:00", "01:00:00.000001", "01:00:00", "24:00:00", "10:00:00.123456789", "1:2"]
)
_zone = st.sampled_from(
    ["Z", "", "+00:00", "+0530", "-18:00", "+18", "+18:01", " BST", "z", " Z", "Z ", "[UTC]", "+05:60"]
)
times = st.one_of(
    *[st.just("2024-03-05T10:00:00Z")] * 4,
    st.sampled_from([entry["text"] for entry in conformance("times")]),
    st.builds("{}{}{}{}".format, _day, st.sampled_from(["T", "T", " ", "  ", "t"]), _clock, _zone),
    texts,
)


def make(strategy: st.SearchStrategy, count: int) -> list:
    """So many values of a strategy, the same for the same seed."""
    made: list = []

    @seed(SEED)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value):
        made.append(value)

    collect()
    assert len(made) >= count * 0.9, f"seed {SEED}: Hypothesis made {len(made)} of {count}"
    return made


def field(text: str, style: str) -> str:
    """A text as a field of a CSV: quoted as RFC 4180 has it, quoted wrongly, or as it stands."""
    quoted = '"' + text.replace('"', '""') + '"'
    return {"quoted": quoted, "open": quoted[:-1], "late": f"{quoted}x", "bare": text}[style]


styles = st.sampled_from(["bare"] * 8 + ["quoted"] * 8 + ["open", "late"])


def csv_lines(fields: list[st.SearchStrategy]) -> st.SearchStrategy:
    """Lines (or what odd texts make of them) with these fields, now and then one too many or too few."""
    written = st.tuples(*(st.builds(field, strategy, styles) for strategy in fields)).map(list)
    spoil = st.sampled_from([lambda row: row] * 12 + [lambda row: [*row, ""], lambda row: row[:-1]])
    return st.builds(lambda row, change: ",".join(change(row)), written, spoil)


def csv_file(header: str, lines: list[str]) -> str:
    """A file of these lines, with every kind of line break."""
    breaks = random.Random(SEED)
    return header + "\n" + "".join(line + breaks.choice(["\n", "\n", "\r\n", "\r"]) for line in lines)
