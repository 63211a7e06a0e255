"""ALS in this process: each half of an iteration solves the equations that Spark solves, and a fit finds tastes."""

import numpy as np
import pytest

from lakehouse.als import AlsSettings, Ratings, _Owners, fit, fold_in, keys_of

SETTINGS = AlsSettings(rank=16, iterations=1, regularisation=0.7, alpha=7.0)


def numbered(users: int) -> np.ndarray:
    return keys_of([f"u{user}" for user in range(users)])


def random_ratings(users: int, tracks: int, each: int, seed: int = 1) -> Ratings:
    draw = np.random.default_rng(seed)
    # Some tracks have fewer listeners than there are factors, and some have more.
    chance = (np.arange(tracks) + 1.0) ** -0.8
    track = [draw.choice(tracks, each, replace=False, p=chance / chance.sum()) for _ in range(users)]
    rating = draw.uniform(0.3, 3.0, users * each).astype(np.float32)
    return Ratings(np.repeat(np.arange(users), each), np.concatenate(track), rating, numbered(users))


def test_half_an_iteration_solves_the_normal_equations_of_every_track():
    ratings = random_ratings(60, 90, 20)
    of_users, found = np.random.default_rng(2).normal(size=(60, 16)), np.zeros((90, 16))
    _Owners.of(ratings.track, ratings.user, ratings.rating).solve(found, of_users, SETTINGS)
    counts = np.bincount(ratings.track, minlength=90)
    assert counts.min() < 16 < counts.max()
    for track in range(90):
        mine = ratings.track == track
        rows, confidence = of_users[ratings.user[mine]], 7.0 * ratings.rating[mine].astype(np.float64)
        system = of_users.T @ of_users + (rows.T * confidence) @ rows + 0.7 * mine.sum() * np.eye(16)
        expected = np.linalg.solve(system, rows.T @ (1 + confidence)) if mine.any() else np.zeros(16)
        assert found[track] == pytest.approx(expected, abs=1e-9)


def test_a_fit_tells_two_tastes_apart_and_is_the_same_each_time():
    # Users of one half like 8 of its 20 tracks.
    draw = np.random.default_rng(3)
    liked = [draw.choice(20, 8, replace=False) + 20 * (user % 2) for user in range(80)]
    ratings = Ratings(np.repeat(np.arange(80), 8), np.concatenate(liked), np.ones(640, dtype=np.float32), numbered(80))
    factors = fit(ratings, 40, seed=42)
    for user in (0, 1):
        scores = factors.rows @ fold_in(factors, factors.gram, liked[user], np.ones(8))
        own = slice(20 * (user % 2), 20 * (user % 2) + 20)
        other = np.delete(scores, np.arange(40)[own])
        assert scores[own].min() > other.max()
    assert np.array_equal(fit(ratings, 40, seed=42).rows, factors.rows)
    assert not np.array_equal(fit(ratings, 40, seed=43).rows, factors.rows)


def test_tracks_without_a_rating_and_a_fit_of_none_are_zeros():
    one = Ratings(np.array([0]), np.array([2]), np.array([1.0], dtype=np.float32), numbered(1))
    assert np.flatnonzero(fit(one, 5, seed=1).rows.any(axis=1)).tolist() == [2]
    nothing = Ratings(np.array([], int), np.array([], int), np.array([], np.float32), numbered(0))
    assert not fit(nothing, 3, seed=1).rows.any()
    assert fit(nothing, 0, seed=1).rows.shape[0] == 0


def test_one_more_user_leaves_the_others_nine_tenths_of_their_first_twenty():
    users, tracks, each = 60, 1500, 150
    draw = np.random.default_rng(1)
    tastes = draw.normal(size=(users, 8)) @ draw.normal(size=(8, tracks)) * 1.2 - 0.5 * np.log(np.arange(tracks) + 1.0)
    chances = np.exp(tastes) / np.exp(tastes).sum(axis=1, keepdims=True)
    liked = [np.sort(draw.choice(tracks, each, replace=False, p=chance)) for chance in chances]
    # Somebody of whom nobody knew, among the first, with tracks that nobody knew.
    stranger = np.arange(tracks, tracks + 1000)
    before = firsts(liked, numbered(users), tracks, liked)
    more, keys = [*liked[:10], stranger, *liked[10:]], numbered(users)
    after = firsts(more, np.insert(keys, 10, keys_of(["stranger"])), tracks + 1000, liked)
    kept = [len(one & other) / 20 for one, other in zip(before, after, strict=True)]
    assert np.mean(kept) >= 0.9


def firsts(fitted: list[np.ndarray], keys: np.ndarray, tracks: int, liked: list[np.ndarray]) -> list[set[int]]:
    """The first twenty tracks of some users that they do not know, by a fit of those of all users."""
    counts = [len(each) for each in fitted]
    user, track = np.repeat(np.arange(len(fitted)), counts), np.concatenate(fitted)
    factors = fit(Ratings(user, track, np.ones(len(track), dtype=np.float32), keys), tracks, seed=42)
    found = []
    for known in liked:
        scores = factors.rows @ fold_in(factors, factors.gram, known, np.ones(len(known)))
        scores[known] = -np.inf
        found.append(set(np.argsort(-scores)[:20].tolist()))
    return found
