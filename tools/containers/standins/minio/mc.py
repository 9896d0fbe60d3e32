#!/opt/minio/bin/python
"""The three commands of MinIO's client that docker-compose.yml uses."""

import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from minio import Minio

ALIASES = Path(os.environ.get("MC_CONFIG_DIR", "/tmp/mc")) / "aliases.json"  # noqa: S108


def main(words: list[str]) -> None:
    """`ready local`, `alias set NAME URL USER PASSWORD`, `mb --ignore-existing NAME/BUCKET`."""
    match words:
        case ["ready", "local"]:
            urlopen("http://127.0.0.1:9000/minio/health/live", timeout=3)
        case ["alias", "set", name, *server]:
            ALIASES.parent.mkdir(parents=True, exist_ok=True)
            ALIASES.write_text(json.dumps({name: server}))
        case ["mb", "--ignore-existing", path]:
            name, _, bucket = path.partition("/")
            url, user, password = json.loads(ALIASES.read_text())[name]
            host = urlsplit(url).netloc
            client = Minio(host, access_key=user, secret_key=password, secure=False)
            if not client.bucket_exists(bucket_name=bucket):
                client.make_bucket(bucket_name=bucket)
        case _:
            sys.exit(f"not a command of this stand-in: {words}")


if __name__ == "__main__":
    main(sys.argv[1:])
