"""Scrobbles with ListenBrainz's own client: argv are the API's address, a token, and the user whose recommendations to read.

Submits 900 listens in imports of 100 and 100 singles, and prints one JSON line of what it saw.
"""

import json
import sys
import time

import liblistenbrainz

url, token, user = sys.argv[1:]
client = liblistenbrainz.ListenBrainz(api_base_url=url)
client.set_auth_token(token)

now = int(time.time())
listens = [
    liblistenbrainz.Listen(
        track_name=f"Track {number % 250}",
        artist_name=f"Artist {number % 50}",
        listened_at=now - 1_000 + number,
        release_name="Release",
        listening_from="tests",
        tags=["test"],
    )
    for number in range(1_000)
]
answers = [client.submit_multiple_listens(listens[at : at + 100]) for at in range(0, 900, 100)]
answers += [client.submit_single_listen(listen) for listen in listens[900:]]
playing = liblistenbrainz.Listen(track_name="Track 1", artist_name="Artist 1")
answers.append(client.submit_playing_now(playing))

refused = None
try:
    liblistenbrainz.ListenBrainz(api_base_url=url).set_auth_token("not-a-token")
except liblistenbrainz.errors.InvalidAuthTokenException:
    refused = "invalid token"

unknown = None
try:
    client.get_user_recommendation_recordings("nobody")
except liblistenbrainz.errors.ListenBrainzAPIException as error:
    unknown = error.status_code

print(
    json.dumps(
        {
            "ok": sum(answer == {"status": "ok"} for answer in answers),
            "refused": refused,
            "unknown": unknown,
            "none_yet": client.get_user_recommendation_recordings("newcomer"),
            "recommendations": client.get_user_recommendation_recordings(user)["payload"],
            "remaining": client.remaining_requests,
        }
    )
)
