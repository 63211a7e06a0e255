"""What fills a list for which the model found too few tracks, and in which order."""

from dataclasses import replace

import numpy as np
from small_models import listener, model_of, tracks_of

from lakehouse.fallback import REST_DAYS, filled, liked_before
from lakehouse.model import Model
from lakehouse.reasons import Reason

UNTIL = 100.0
_OWN = Reason("artist_you_play")


def model(tracks: int) -> Model:
    # Track 1 has three listeners, track 2 two, track 3 one.
    crowd = [listener(f"c{n}", {1: 1.0, 2: 1.0, 3: 1.0}) for n in range(1)]
    crowd += [listener("d", {1: 1.0, 2: 1.0}), listener("e", {1: 1.0})]
    return model_of(crowd, tracks_of(tracks), UNTIL)


def reasons(found: dict[int, Reason]) -> list[tuple[int, str]]:
    return [(track, reason.type) for track, reason in found.items()]


def test_the_models_own_tracks_come_first_then_the_chart_then_what_most_like_then_what_was_liked_before():
    who = listener("u", {0: 1.0, 5: 2.0}, heard=10.0)
    found = filled(model(7), who, {6: _OWN}, chart=[5, 2], size=20)
    # 5 is on the chart, and known. Nobody likes 4; 5 was liked more than 0.
    assert reasons(found) == [
        (6, "artist_you_play"),
        (2, "trending"),
        (1, "not_heard_yet"),
        (3, "not_heard_yet"),
        (4, "not_heard_yet"),
        (5, "rediscover"),
        (0, "rediscover"),
    ]


def test_a_list_that_is_full_stays_as_it_is_and_one_that_is_not_gets_no_longer_than_asked_for():
    who = listener("u", {0: 1.0}, heard=10.0)
    listed = {6: _OWN, 3: _OWN}
    assert filled(model(7), who, listed, chart=[1], size=2) == listed
    assert reasons(filled(model(7), who, listed, chart=[1], size=4))[2:] == [(1, "trending"), (2, "not_heard_yet")]


def test_what_was_only_skipped_or_hated_never_comes_back():
    who = listener("u", {}, known=[0, 1, 2, 3])
    assert filled(model(4), who, {}, chart=[0, 1, 2], size=5) == {}


def test_of_an_artist_only_two_tracks_come_before_those_of_others():
    tracks = tracks_of(6, artists=[9, 9, 9, 9, 1, 2])
    who = listener("u", {track: 6.0 - track for track in range(6)}, heard=10.0)
    found = filled(model_of([who], tracks, UNTIL), who, {}, chart=[], size=6)
    assert list(found) == [0, 1, 4, 5, 2, 3]


def test_what_has_rested_comes_back_the_dearest_first_and_the_rest_by_the_time_since():
    rested = UNTIL - REST_DAYS
    last_met = np.array([rested, rested - 50, UNTIL - 1, UNTIL - 5, UNTIL - 5])
    who = replace(listener("u", {0: 3.0, 1: 1.0, 2: 9.0, 3: 1.0, 4: 2.0}), last_met=last_met)
    assert liked_before(who, UNTIL) == [0, 1, 4, 3, 2]
