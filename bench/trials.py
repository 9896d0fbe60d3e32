"""Trials: each system in a process of its own, taking turns on every recording (ABAB)."""

import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.machine import peak_memory
from bench.references import Account
from bench.systems import Setup, System, open_system

__all__ = ["Run", "Trials"]

_system: System  # of this process, where it is one of a trial's


@dataclass(frozen=True, slots=True)
class Run:
    """What a system made of a recording, and what it took; `peak_mb` since it was started."""

    account: Account
    seconds: float
    cpu_seconds: float
    peak_mb: float


class Trials:
    """The systems, each loaded in its own process; leaving the block ends them.

    A recording's first runs are as warm as its last: every system has heard one recording
    before, `warm_up`.
    """

    def __init__(self, names: Sequence[str], setup: Setup, warm_up: Path) -> None:
        self._names = names
        self._setup = setup
        self._warm_up = warm_up
        self._stack = ExitStack()
        self._processes: dict[str, Executor] = {}

    def __enter__(self) -> "Trials":
        os.environ["OMP_NUM_THREADS"] = str(self._setup.threads)
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        context = multiprocessing.get_context("spawn")
        for name in self._names:
            process = ProcessPoolExecutor(1, context, _load, (name, self._setup))
            self._processes[name] = self._stack.enter_context(process)
            process.submit(_listen, self._warm_up).result()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def models(self) -> dict[str, str]:
        """The digests of all models in use."""
        found: dict[str, str] = {}
        for process in self._processes.values():
            found |= process.submit(_models).result()
        return dict(sorted(found.items()))

    def run(self, file: Path, times: int) -> Mapping[str, Sequence[Run]]:
        """Every system's runs on a recording, one system after the other, `times` over."""
        runs: dict[str, list[Run]] = {name: [] for name in self._names}
        for _ in range(times):
            for name, process in self._processes.items():
                runs[name].append(process.submit(_listen, file).result())
        return runs


def _load(name: str, setup: Setup) -> None:
    global _system
    opened = ExitStack()
    _system = opened.enter_context(open_system(name, setup))
    multiprocessing.util.Finalize(None, opened.close, exitpriority=100)


def _listen(file: Path) -> Run:
    began, cpu = time.perf_counter(), time.process_time()
    account = _system.listen(file)
    return Run(account, time.perf_counter() - began, time.process_time() - cpu, peak_memory())


def _models() -> dict[str, str]:
    return _system.models
