"""What the gateway itself costs: `python -m bench.gateway > bench/results/gateway.json`.

A real gateway on SQLite over made-up stages that take no time: what remains is taking recordings
in, waiting in the queue, and the workflow's bookkeeping. Recordings are sent by another process of
the same machine, so the client's work is in the figures. Beside it the same recordings go to a bare
receiver, the gateway's HTTP server around nothing but writing, hashing and syncing: what is above
it buys the probe, the database and the queue.
"""

import hashlib
import io
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import threading
import time
import wave
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn

from tests.gateway.conftest import Up, gateway_settings, noise, running
from tests.gateway.engines import Engines, serving

_BLOCK = 1 << 20
_MEBIBYTES = (0.25, 1, 4, 16, 128)  # a call of five minutes has 0.5 to 5
_WAYS = ("write_hash_sync", "bare_receiver", "gateway")


def main() -> None:
    """Run all measurements and print them as JSON."""
    with (
        tempfile.TemporaryDirectory() as name,
        serving() as engines,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as client,
    ):
        folder = Path(name)
        settings = gateway_settings(
            folder / "data", engines, poll_seconds=0.1, max_audio_bytes=1 << 30
        )
        with running(settings, engines) as up, _bare_receiver(folder) as bare:
            up.finished(_send(up, noise()))  # the first call finds everything cold
            machine = {
                "cores": os.cpu_count(),
                "load": round(os.getloadavg()[0], 1),  # others at work here, before we begin
                "python": platform.python_version(),
            }
            intake = [
                _intake(up, bare, client, folder, round(size * (1 << 20))) for size in _MEBIBYTES
            ]
            figures = {
                "machine": machine,
                "intake": intake,
                "intake_costs": {way: _costs(intake, way) for way in _WAYS},
                "one_call": _one_call(up, engines),
                "many_calls": _many_calls(up),
            }
    print(json.dumps(figures, indent=2))


def _intake(up: Up, bare: int, client: Executor, folder: Path, size: int) -> dict[str, Any]:
    """Seconds to take a recording in, against writing, hashing and syncing the same bytes."""
    sent = folder / "sent.wav"
    sent.write_bytes(_silence(size))
    taken: dict[str, list[float]] = {way: [] for way in _WAYS}

    def plainly() -> None:
        # Into a new file that stays, as a recording does: pages that were just freed cost nothing.
        taken["write_hash_sync"].append(
            _seconds(lambda: _write_and_hash(sent, folder / str(uuid4())))
        )

    def barely() -> None:
        taken["bare_receiver"].append(client.submit(_timed_upload, bare, sent).result()[0])

    def by_the_gateway() -> None:
        seconds, call_id = client.submit(_timed_upload, up.settings.http_port, sent).result()
        taken["gateway"].append(seconds)
        up.finished(call_id)

    for turn in range(20 if size < 100 << 20 else 8):
        ways = (plainly, barely, by_the_gateway)
        for work in ways if turn % 2 else reversed(ways):
            work()
    medians = {way: statistics.median(taken[way]) for way in _WAYS}
    return {
        "bytes": size,
        **{f"{way}_seconds": round(seconds, 4) for way, seconds in medians.items()},
        "ratio": round(medians["gateway"] / medians["write_hash_sync"], 2),
        "bare_ratio": round(medians["bare_receiver"] / medians["write_hash_sync"], 2),
    }


def _costs(intake: Sequence[Mapping[str, Any]], way: str) -> dict[str, float]:
    """What a recording costs, and what each of its mebibytes does, in milliseconds.

    The line through the ordinary sizes: the largest would rule it.
    """
    ordinary = [each for each in intake if each["bytes"] <= 16 << 20]
    line = statistics.linear_regression(
        [each["bytes"] / (1 << 20) for each in ordinary],
        [1000 * each[f"{way}_seconds"] for each in ordinary],
    )
    return {"a_recording": round(line.intercept, 2), "a_mebibyte": round(line.slope, 2)}


@contextmanager
def _bare_receiver(folder: Path) -> Iterator[int]:
    """The gateway's HTTP server, which does with a body what `_write_and_hash` does; its port."""

    async def receive_all(
        _: Mapping[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        digest, more = hashlib.sha256(), True
        with (folder / str(uuid4())).open("wb", buffering=0) as out:
            while more:
                part = await receive()
                digest.update(part["body"])
                out.write(part["body"])
                more = part["more_body"]
            os.fsync(out.fileno())
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b'{"id": ""}'})

    server = uvicorn.Server(
        uvicorn.Config(
            receive_all, port=0, http="httptools", lifespan="off", log_config=None, access_log=False
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def _timed_upload(port: int, file: Path) -> tuple[float, str]:
    # As light a client as can be: it takes the same cores as the gateway.
    connection = HTTPConnection("127.0.0.1", port, blocksize=_BLOCK)
    connection.connect()
    with file.open("rb") as content:
        headers = {"Content-Type": "audio/wav", "Content-Length": str(file.stat().st_size)}
        began = time.perf_counter()
        connection.request("POST", f"/v1/calls?external_id={uuid4()}", content, headers)
        answer = connection.getresponse()
        seconds = time.perf_counter() - began
    call = json.load(answer)
    connection.close()
    return seconds, call["id"]


def _write_and_hash(source: Path, target: Path) -> None:
    digest = hashlib.sha256()
    with source.open("rb") as file, target.open("wb", buffering=0) as out:
        while block := file.read(_BLOCK):
            digest.update(block)
            out.write(block)
        os.fsync(out.fileno())


def _one_call(up: Up, engines: Engines) -> dict[str, Any]:
    """Seconds from the answer to the first stage's begin, and to the record, one by one."""
    begun: list[float] = []
    engines.behaviors["transcribe"] = lambda _: begun.append(time.perf_counter())
    engines.behaviors["diarize"] = engines.behaviors["score"] = lambda _: None
    starts, ends = [], []
    audio = noise()
    for _ in range(40):
        begun.clear()
        call_id = _send(up, audio)
        answered = time.perf_counter()
        up.finished(call_id)
        ends.append(time.perf_counter() - answered)
        starts.append(begun[0] - answered)
    engines.behaviors.clear()
    return {"answer_to_first_stage": _spread(starts), "answer_to_record": _spread(ends)}


def _many_calls(up: Up) -> dict[str, Any]:
    """Calls a second, accepted and finished, when many come at once."""
    count = 200
    audio = noise()
    began = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        calls = list(pool.map(lambda _: _send(up, audio), range(count)))
    accepted = time.perf_counter() - began
    for call_id in calls:
        assert up.finished(call_id)["status"] == "done"  # noqa: S101 - a figure of failures is none
    finished = time.perf_counter() - began
    return {
        "calls": count,
        "accepted_per_second": round(count / accepted, 1),
        "finished_per_second": round(count / finished, 1),
    }


def _send(up: Up, audio: bytes) -> str:
    answer = up.http.post(
        "/v1/calls",
        params={"external_id": str(uuid4())},  # the same recording each time
        content=audio,
        headers={"content-type": "audio/wav"},
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


def _silence(size: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(size))
    return file.getvalue()


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _spread(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=20)
    return {"median": round(statistics.median(seconds), 4), "p95": round(cuts[-1], 4)}


if __name__ == "__main__":
    main()
