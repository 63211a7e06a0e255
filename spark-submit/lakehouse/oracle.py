"""The generator's own knowledge of its listeners (`generate -- oracle`), as chances by user and track.

Only for measuring: the recommender never sees it.
"""

import json

import numpy as np

from lakehouse.files import open_uri
from lakehouse.listeners import Tracks


def read_oracle(uri: str | None, tracks: Tracks) -> dict[str, np.ndarray] | None:
    """For each user how likely a listen is of each track (see generators/oracle.ts); None without a file."""
    if uri is None:
        return None
    filesystem, path = open_uri(uri)
    with filesystem.open_input_stream(path) as stream:
        told = json.loads(stream.read())
    place = {track: index for index, track in enumerate(told["trackIds"])}
    order = np.array([place[track] for track in tracks.ids])
    artist, genre = np.array(told["artist"])[order], np.array(told["genre"])[order]
    artist_share = told["favourite"] * np.array(told["artistShare"])[order]
    chart_share = told["discovery"] * np.array(told["chartShare"])[order]
    tastes = np.array(told["tastes"])
    found = {}
    for row, user in enumerate(told["userIds"]):
        favourites = np.zeros(max(told["artist"]) + 1)
        for index, chance in told["favouriteArtists"][row]:
            favourites[index] = chance
        found[user] = favourites[artist] * artist_share + tastes[row][genre] * chart_share
    return found
