import numpy as np
import pytest
from small_models import SETTINGS, listener, model_of, tracks_of

from lakehouse import reasons
from lakehouse.als import TrackFactors, fold_in, shares_of
from lakehouse.evaluation import measure, pools
from lakehouse.item_to_item import Cover, Together, cosine, ease
from lakehouse.model import DEFAULT_WEIGHTS, PARTS, newness, z_scored
from lakehouse.ranking import best_of, highest, varied
from lakehouse.tuning import pool_of, tuned_weights

ONLY = {name: {part: 1.0 if part == name else 0.0 for part in PARTS} for name in PARTS}


def test_a_listeners_factors_are_the_sum_of_the_shares_of_what_they_like():
    factors = TrackFactors(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32), SETTINGS)
    liked, ratings = np.array([1, 4]), np.array([1.0, 2.0])
    folded = fold_in(factors, factors.gram, liked, ratings)
    assert folded == pytest.approx(shares_of(factors, factors.gram, liked, ratings).sum(axis=0))
    # It minimises the weighted squares: the gradient (all rows with weight 1, liked ones with 1 + alpha * rating) is 0.
    rows, confidence = factors.rows.astype(float), np.ones(6)
    confidence[liked] += SETTINGS.alpha * ratings
    wanted = np.zeros(6)
    wanted[liked] = 1
    gradient = rows.T @ (confidence * (rows @ folded - wanted)) + SETTINGS.regularisation * 2 * folded
    assert gradient == pytest.approx(np.zeros(4), abs=1e-6)


def test_ease_is_the_closed_form_and_covers_the_tracks_with_most_listeners_only():
    cover = Cover.most_liked(np.array([3.0, 1.0, 2.0, 0.0]), most=2)
    assert (cover.tracks.tolist(), cover.place.tolist()) == ([0, 2], [0, -1, 1, -1])
    together = Together.of([[listener("a", {0: 1.0, 2: 1.0})], [listener("b", {0: 1.0, 1: 1.0})]], cover)
    # G + 1 = [[3, 1], [1, 2]]; its inverse is [[2, -1], [-1, 3]] / 5; B = -P / diag(P), 0 on the diagonal.
    assert ease(together, ridge=1.0) == pytest.approx(np.array([[0, 1 / 3], [1 / 2, 0]]))


def test_ease_of_many_tracks_is_the_same_closed_form():
    count = 1300
    together = Together.over(Cover.most_liked(np.ones(count)))
    together.add(np.random.default_rng(1).random((300, count)).astype(np.float32))
    inverse = np.linalg.inv(together.gram.astype(np.float64) + 5 * np.eye(count))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0.0)
    assert np.abs(ease(together, ridge=5.0) - expected).max() < 1e-3 * np.abs(expected).max()


def test_cosine_is_shrunk_where_the_evidence_is_thin():
    together = Together.over(Cover.most_liked(np.array([4.0, 4.0])))
    together.gram = np.array([[4.0, 4.0], [4.0, 4.0]], dtype=np.float32)
    assert cosine(together)[0, 1] == pytest.approx(4 / (4 + 10))


def test_newest_songs_of_an_artist_have_most_and_songs_of_one_day_share_alike():
    tracks = tracks_of(6, artists=[0, 0, 0, 0, 1, 1], released=[10, 20, 20, 99, -np.inf, -np.inf])
    found = newness(tracks, until=50.0)
    # Three are out: two share sqrt(2/3), the third has the rest; track 3 is not out; without dates both are alike.
    half = np.sqrt(2 / 3) / 2
    assert found == pytest.approx([1 - 2 * half, half, half, 0, 0.5, 0.5])


def test_a_part_that_is_everywhere_the_same_says_nothing():
    found = z_scored(np.array([[2.0, 2.0], [0.0, 4.0]], dtype=np.float32))
    assert (found.values.tolist(), found.scales.tolist()) == ([[0, 0], [-1, 1]], [1, 2])


def test_trend_counts_new_listeners_against_those_who_could_still_be_won():
    tracks = tracks_of(2)
    crowd = [listener("a", {0: 1.0}, heard=93.0), listener("b", {1: 1.0}, heard=100.0), listener("c", {1: 1.0})]
    model = model_of(crowd, tracks, until=100.0)
    # Track 0 won one listener a half-life ago (0.5), two could still be won; track 1 won one today, one could; + 1 each.
    assert model.crowd.trend == pytest.approx([0.5 / 3, 1.0 / 2])


def test_what_is_not_released_is_no_candidate_unless_somebody_likes_it():
    tracks = tracks_of(3, released=[10, 200, 200])
    model = model_of([listener("a", {0: 1.0, 2: 1.0})], tracks, until=100.0)
    assert model.candidates.tolist() == [0, 2]


def test_the_highest_come_first_and_equal_ones_in_order():
    assert highest(np.array([1.0, 3.0, 3.0, -np.inf, 3.0]), 2).tolist() == [1, 2]
    assert highest(np.array([1.0, -np.inf]), 5).tolist() == [0]
    assert highest(np.array([]), 5).tolist() == []


def test_an_artist_stands_at_most_twice_in_the_first_twenty_places():
    artists = np.array([0] * 10 + list(range(1, 30)))
    chosen, is_filled = varied(range(39), artists, size=30)
    assert is_filled
    assert chosen[:20] == [0, 1, *range(10, 28)]
    assert chosen[20:] == [2, 3, 4, 5, 6, 7, 8, 9, 28, 29]
    assert best_of(-np.arange(39.0), artists, 30).tolist() == chosen


def test_with_too_few_artists_a_list_is_not_varied_but_whole():
    chosen, is_filled = varied(range(6), np.zeros(6, dtype=int), size=5)
    assert (chosen, is_filled) == ([0, 1, 2, 3, 4], False)


def test_the_cause_named_is_the_largest_part():
    contributions = np.array(
        # taste, similar, follows, artist, genre of four tracks
        [[0.3, 0.1, 0.1, 0.0], [0.3, 0.0, 0.0, 0.1], [0.5, 0.4, 0.0, 0.0], [0.0, 0.2, 0.9, 0.1], [0.1, 0.3, 0.2, 0.3]]
    )
    # The first: taste and similar both come from what was played, 0.6 against 0.5.
    assert reasons.causes_of(contributions) == ["played", "follows", "artist", "genre"]


def test_a_track_that_no_part_speaks_for_is_said_to_be_unheard_and_nothing_else():
    crowd = [listener("u1", {0: 1.0})]
    nothing_for_it = np.array([[-1.0], [-0.5], [0.0], [-0.1], [-2.0]])
    found = reasons.reasons_of(
        model_of(crowd, tracks_of(3)), ONLY["taste"], crowd[0], np.array([2]), nothing_for_it, np.ones(len(PARTS))
    )
    assert found == [reasons.Reason("not_heard_yet")]


def test_because_you_played_names_the_track_with_the_largest_share_of_the_score():
    tracks = tracks_of(8)
    rng = np.random.default_rng(3)
    crowd = [listener(f"u{n}", {int(t): 1.0 for t in rng.choice(8, 4, replace=False)}) for n in range(30)]
    model, who = model_of(crowd, tracks), crowd[0]
    chosen = np.setdiff1d(np.arange(8), who.liked)
    contributions = np.vstack([np.ones((1, len(chosen))), np.zeros((4, len(chosen)))])
    found = reasons.reasons_of(model, ONLY["taste"], who, chosen, contributions, np.ones(len(PARTS)))
    shares = shares_of(model.fit.factors, model.gram, who.liked, who.ratings)
    for reason, track in zip(found, chosen, strict=True):
        owed = shares @ model.fit.factors.rows[track].astype(float)
        assert owed.sum() == pytest.approx(model._taste([who])[0][track], abs=1e-4)
        if owed.max() > 0:
            assert (reason.type, reason.track) == ("because_you_played", who.liked[np.argmax(owed)])


def test_each_cause_has_its_words():
    tracks = tracks_of(4, artists=[0, 0, 1, 2], genres=[1, 1, 1, 0], released=[10, 90, -np.inf, -np.inf])
    model = model_of([listener("a", {2: 1.0})], tracks, until=100.0)
    causes = [("artist", 0), ("artist", 1), ("genre", 2), ("genre", 3), ("follows", 2), ("played", 2)]
    found = [reasons._reason(model, cause, track, 2).type for cause, track in causes]
    assert found == [
        "artist_you_play",
        "new_from_artist",
        "trending_in_genre",
        "trending",
        "people_you_follow",
        "because_you_played",
    ]


def planted(users: int = 200, seed: int = 5):
    """Listeners of two groups of tracks who follow people of their own; their truth is what those people like."""
    rng = np.random.default_rng(seed)
    crowd, truth = [], {}
    for number in range(users):
        own = np.arange(0, 50) if number % 2 else np.arange(50, 100)
        mine = rng.permutation(own)
        crowd.append(
            listener(f"u{number}", {int(t): 1.0 for t in mine[:8]}, followed={int(t): 1.0 for t in mine[8:14]})
        )
        truth[f"u{number}"] = np.sort(mine[8:12])
    return crowd, truth


def test_tuning_finds_the_part_that_tells_and_drops_the_one_that_says_nothing():
    crowd, truth = planted()
    model = model_of(crowd, tracks_of(100))
    weights = tuned_weights(pools(model, [crowd], truth), 5)
    tuned, untuned = (
        measure(model, tried, [crowd], truth, k=5, is_varied=False)["candidate"].ndcg.mean()
        for tried in (weights, DEFAULT_WEIGHTS)
    )
    assert tuned > untuned + 0.1
    assert weights["follows"] > weights["taste"]
    # Nobody was first heard on a day: no track has a trend.
    assert weights["genre"] == 0


@pytest.mark.parametrize(("listeners", "is_tuned"), [(1, False), (99, False), (100, True)])
def test_weights_are_tuned_by_a_hundred_listeners_and_more(listeners, is_tuned):
    crowd, truth = planted(listeners)
    found = tuned_weights(pools(model_of(crowd, tracks_of(100)), [crowd], truth), 5)
    assert (found != DEFAULT_WEIGHTS) is is_tuned


def test_a_pool_holds_what_was_heard_and_nothing_that_is_known():
    parts = np.zeros((len(PARTS), 6), dtype=np.float32)
    pool = pool_of(parts, unknown=np.array([1, 2, 3]), heard=np.array([3]), truth=2)
    assert (pool.parts.shape[1], pool.is_heard.sum(), pool.truth) == (3, 1, 2)


def test_evaluation_finds_what_is_there_and_falls_to_chance_when_listeners_are_shuffled():
    crowd, truth = planted()
    model = model_of(crowd, tracks_of(100))
    found = measure(model, ONLY["follows"], [crowd], truth, k=5, is_varied=False)["candidate"].ndcg.mean()
    users = list(truth)
    mixed = dict(zip(users, [truth[user] for user in np.random.default_rng(0).permutation(users)], strict=True))
    shuffled = measure(model, ONLY["follows"], [crowd], mixed, k=5, is_varied=False)["candidate"].ndcg.mean()
    # 4 of the 6 followed tracks are the truth. By chance a place is a hit for 4 of the 92 unknown tracks.
    assert found > 0.6
    assert shuffled == pytest.approx(4 / 92, abs=0.03)


def test_the_oracle_and_the_same_list_for_all_are_measured_beside_the_model():
    crowd, truth = planted(40)
    model = model_of(crowd, tracks_of(100))
    oracle = {user: np.isin(np.arange(100), found).astype(float) for user, found in truth.items()}
    found = measure(model, ONLY["follows"], [crowd], truth, k=5, oracle=oracle)
    assert found["oracle"].ndcg.mean() == pytest.approx(1)
    assert found["same_for_all"].ndcg.mean() < found["candidate"].ndcg.mean()


def test_scores_of_no_track_and_pools_of_no_track_are_none():
    nothing = z_scored(np.zeros((len(PARTS), 2, 0), dtype=np.float32))
    assert (nothing.values.shape, nothing.scales.shape) == ((len(PARTS), 2, 0), (len(PARTS), 2))
    empty = np.array([], dtype=np.int64)
    pool = pool_of(np.zeros((len(PARTS), 0)), unknown=empty, heard=empty, truth=3)
    assert tuned_weights([pool], k=10) == DEFAULT_WEIGHTS
