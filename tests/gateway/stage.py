"""A made-up stage as a process: `python -m tests.gateway.stage`, see `processes.StageProcess`."""

import os
import time
from pathlib import Path

from callscope.serving.logs import call_id
from callscope.serving.server import serve
from tests.gateway.engines import Engines, Report, made_up


def main() -> None:
    stage, seconds = os.environ["MADE_UP_STAGE"], float(os.environ["MADE_UP_SECONDS"])
    results = Path(os.environ["MADE_UP_RESULTS"])

    def work(report: Report) -> None:
        for tenth in range(10):
            report(tenth / 10)
            time.sleep(seconds / 10)
        with results.open("a") as lines:
            lines.write(f"{call_id.get()}\n")

    service, settings = made_up(stage, Engines({stage: work}), int(os.environ["MADE_UP_PORT"]))
    serve(service, settings)


if __name__ == "__main__":
    main()
