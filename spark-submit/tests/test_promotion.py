from lakehouse.promotion import LEAST_LISTENERS, decide_promotion

BETTER = {"ndcg": 0.10, "differenceLow": 0.03, "differenceHigh": 0.07}
NO_BETTER = {"ndcg": 0.14, "differenceLow": -0.01, "differenceHigh": 0.03}


def candidate(ndcg: float = 0.15, users: int = 500) -> dict:
    return {"users": users, "ndcg": ndcg}


def test_a_model_better_than_every_baseline_is_promoted_and_the_best_of_them_named():
    decision = decide_promotion(candidate(), None, {"popularity": BETTER, "item_knn": {**BETTER, "ndcg": 0.12}})
    assert decision["promoted"]
    assert "0.1500 against 0.1200" in decision["why"]


def test_a_difference_that_may_be_chance_is_refused_by_name():
    decision = decide_promotion(candidate(), None, {"popularity": NO_BETTER, "item_knn": BETTER})
    assert not decision["promoted"]
    assert "not better than popularity" in decision["why"]
    assert "-0.0100 and +0.0300" in decision["why"]


def test_a_model_below_the_served_ones_interval_is_refused_and_one_within_it_is_not():
    served = {"ndcg": 0.17, "ndcgLow": 0.16, "ndcgHigh": 0.18}
    refused = decide_promotion(candidate(0.159), served, {"popularity": BETTER})
    assert not refused["promoted"]
    assert "worse than the model that is served" in refused["why"]
    assert decide_promotion(candidate(0.161), served, {"popularity": BETTER})["promoted"]


def test_too_few_listeners_refuse_nothing_and_say_so():
    decision = decide_promotion(candidate(0.0, LEAST_LISTENERS - 1), None, {"popularity": NO_BETTER})
    assert decision["promoted"]
    assert decision["why"].startswith(f"not judged: {LEAST_LISTENERS - 1} users, {LEAST_LISTENERS} are needed")
