import math

import numpy as np
import pytest

from lakehouse.metrics import Ranked, coverage, diversity, interval, novelty, ranked


def test_the_best_possible_list_scores_one_and_a_list_without_a_hit_nothing():
    best = ranked(np.array([1, 2, 3]), np.array([3, 2, 1, 4]), 3)
    assert (best.recall, best.ndcg, best.average_precision) == (3 / 4, pytest.approx(1), 1)
    none = ranked(np.array([7, 8]), np.array([1]), 2)
    assert (none.recall, none.ndcg, none.average_precision) == (0, 0, 0)


def test_metrics_of_one_list_are_those_worked_out_by_hand():
    found = ranked(np.array([5, 1, 6, 2]), np.array([1, 2, 3]), 4)
    # Hits at places 2 and 4 of 3 possible: recall 2/3; DCG 1/log2(3) + 1/log2(5), ideal 1 + 1/log2(3) + 1/2;
    # precision at the hits 1/2 and 2/4, divided by 3.
    assert found.recall == pytest.approx(2 / 3)
    assert found.ndcg == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / (1.5 + 1 / math.log2(3)))
    assert found.average_precision == pytest.approx((1 / 2 + 2 / 4) / 3)


def test_only_the_first_k_places_count_and_a_short_list_is_no_error():
    assert ranked(np.array([9, 9, 1]), np.array([1]), 2).recall == 0
    assert ranked(np.array([], dtype=int), np.array([1]), 2).ndcg == 0


def test_coverage_novelty_and_diversity_at_their_limits():
    lists = [np.array([0, 1]), np.array([1, 2])]
    assert coverage(lists, 4) == 3 / 4
    assert coverage([], 4) == 0
    # Tracks 0, 1, 1, 2, liked by 4, 2, 2 and nobody (counted as one) of 4 users: 0 + 1 + 1 + 2 bits over 4.
    assert novelty(lists, np.array([4.0, 2.0, 0.0, 0.0]), 4) == 1
    same, apart = np.array([[1.0, 0], [2, 0]]), np.array([[1.0, 0], [0, 3]])
    assert diversity([np.array([0, 1])], same) == pytest.approx(0)
    assert diversity([np.array([0, 1])], apart) == pytest.approx(1)
    assert diversity([np.array([0])], same) == 0


def test_the_interval_holds_the_mean_and_is_a_point_for_equal_values():
    assert interval(np.full(50, 0.25), seed=1) == (0.25, 0.25)
    values = np.random.default_rng(0).random(400)
    low, high = interval(values, seed=1)
    # The standard error of 400 uniform values is 0.0144, so the interval is about 0.057 wide.
    assert low < values.mean() < high
    assert 0.045 < high - low < 0.07
    assert interval(values, seed=1) == (low, high)
    assert interval(np.array([]), seed=1) == (0, 0)


def test_lists_in_which_nothing_is_are_measured_as_nothing():
    empty = [np.array([], dtype=np.int64)]
    assert novelty(empty, np.array([1.0]), 3) == 0.0
    assert coverage(empty, 4) == diversity(empty, np.ones((1, 2))) == 0.0
    assert ranked(empty[0], np.array([1]), 10) == Ranked(0.0, 0.0, 0.0)
