"""A webhook's receiver: checks signatures, takes each event once, fetches the record.

    CALLSCOPE_WEBHOOK_SECRET=whsec_... python examples/webhook_receiver.py 8099

Needs `pip install standardwebhooks`. Real receivers put the event into a queue and answer at once.
"""

import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = os.environ["CALLSCOPE_WEBHOOK_SECRET"]
KEY = os.environ.get("CALLSCOPE_KEY")
seen: set[str] = set()  # a real receiver keeps this in its database


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what is ours, 401 to everything else."""

    def do_POST(self) -> None:
        """Take one event."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = Webhook(SECRET).verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.send_response(401)
            self.end_headers()
            return
        if event["id"] not in seen:
            handle(event)
            seen.add(event["id"])
        self.send_response(204)
        self.end_headers()


def handle(event: dict) -> None:
    """Print what happened, and how a finished call was scored."""
    if event["type"] != "callscope.call.done":
        print(event["type"], event.get("subject"), flush=True)
        return
    request = urllib.request.Request(event["data"]["links"]["record"])
    if KEY:
        request.add_header("Authorization", f"Bearer {KEY}")
    record = json.load(urllib.request.urlopen(request))
    print("call", event["subject"], "scored", record["overall"]["score"], flush=True)


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
