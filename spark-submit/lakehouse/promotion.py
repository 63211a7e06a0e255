"""Whether a trained model may take the place of the one that is served."""

_TITLES = {"same_for_all": "the same list for everybody", "trending": "popularity of the last days"}
# Fewer listeners than this say nothing about a model.
LEAST_LISTENERS = 100


def decide_promotion(candidate: dict, served: dict | None, baselines: dict[str, dict]) -> dict:
    """`{promoted, why}` from the measures of one split.

    candidate: {users, ndcg}. baselines: by name {ndcg, differenceLow, differenceHigh}, the interval of the candidate's NDCG
    minus the baseline's, listener by listener. served: {ndcg, ndcgLow} of the lists that are served, None where they cannot be
    measured on this split. Every baseline must be beaten beyond chance; the served model must be reached: a candidate below
    its interval is worse.
    """
    if candidate["users"] < LEAST_LISTENERS:
        return _promoted(
            f"not judged: {candidate['users']} users, {LEAST_LISTENERS} are needed who heard something new in the days held out; "
            "nothing speaks against it"
        )
    for name, baseline in sorted(baselines.items(), key=lambda item: -item[1]["ndcg"]):
        if baseline["differenceLow"] <= 0:
            return _refused(
                f"not better than {_TITLES.get(name, name)}: NDCG {candidate['ndcg']:.4f} against {baseline['ndcg']:.4f}, a difference between "
                f"{baseline['differenceLow']:+.4f} and {baseline['differenceHigh']:+.4f}"
            )
    if served is not None and candidate["ndcg"] < served["ndcgLow"]:
        return _refused(
            f"worse than the model that is served: NDCG {candidate['ndcg']:.4f} against {served['ndcg']:.4f} "
            f"(at least {served['ndcgLow']:.4f})"
        )
    against = "" if served is None else f" and {served['ndcg']:.4f} of the model that is served"
    best = max((baseline["ndcg"] for baseline in baselines.values()), default=0.0)
    return _promoted(f"NDCG {candidate['ndcg']:.4f} against {best:.4f} of the best baseline{against}")


def _promoted(why: str) -> dict:
    return {"promoted": True, "why": why}


def _refused(why: str) -> dict:
    return {"promoted": False, "why": why}
