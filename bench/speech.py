"""Accuracy and cost of speech recognition and diarization, ours beside the stock parts.

    python -m bench.speech tests/data/sample --systems callscope,stock --runs 3
    python -m bench.speech FOLDER... --out FILE.json        the figures, with all that made them

Every recording below the folders is measured, with as much as its truth can tell (formats in
`bench.references`); without truth, only what it costs. Systems take turns on each recording.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from bench import table
from bench.figures import Figures, figures, summary
from bench.machine import describe, load
from bench.references import Case, find_cases
from bench.systems import SYSTEMS, Setup
from bench.trials import Trials
from callscope.audio import AudioLimits, probe
from callscope.errors import CallscopeError

__all__ = ["main"]

_PACKAGES = ("callscope", "ctranslate2", "faster-whisper", "pyannote-audio", "torch", "jiwer",
             "pyannote-metrics", "transformers")  # fmt: skip

_SAMPLE = Path(__file__).parents[1] / "tests/data/sample/mono.wav"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, keep and show."""
    options = _options(arguments)
    result: Figures = {}
    for result in measure(options):
        if options.out:  # after each recording: what is measured is not lost
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(_json(result), encoding="utf-8")
    if not result:
        sys.exit("none of the recordings could be measured")
    print(table.render(result))


def measure(options: argparse.Namespace) -> Iterator[Figures]:
    """Run all systems on all recordings, and tell the figures so far after each.

    What `--add` finds in the file is kept and extended.
    """
    cases = [
        case
        for folder in options.folders
        for case in find_cases(folder)
        if not options.only or any(fnmatch(case.id, pattern) for pattern in options.only)
    ]
    if not cases:
        sys.exit(f"no recordings in {', '.join(map(str, options.folders))}")
    before = _before(options)
    measured: dict[str, Figures] = dict(before.get("recordings", {}))
    cases = [case for case in cases if case.id not in measured]
    if not cases:
        yield before
        return
    folders = [case.file.parent for case in cases]
    root = Path(os.path.commonpath([*folders, options.warm_up.resolve().parent]))
    setup = Setup(root, options.models, options.model, options.threads, options.device)
    machine = describe(_PACKAGES)
    with Trials(options.systems, setup, options.warm_up) as trials:
        models = trials.models()
        for case in cases:
            try:
                measured[case.id] = _measured(case, trials, options.runs)
            except CallscopeError as error:
                print(f"{case.id} is left out: {error.message}", file=sys.stderr)
                continue
            print(f"{case.id}: {table.brief(measured[case.id])}", file=sys.stderr, flush=True)
            yield {
                "systems": options.systems,
                "runs": options.runs,
                "threads": options.threads,
                "machine": machine,
                "models": models,
                "summary": summary(measured),
                "recordings": measured,
            }


def _measured(case: Case, trials: Trials, times: int) -> Figures:
    with case.file.open("rb") as content:
        info = probe(content, AudioLimits())
    before = load()
    runs = trials.run(case.file, times)
    return {
        "duration": round(info.duration, 2),
        "channels": info.channels,
        "load": before,
        "systems": {name: figures(case.truth, each, info.duration) for name, each in runs.items()},
    }


def _before(options: argparse.Namespace) -> Figures:
    """What the file holds that is to be added to, if it was measured alike."""
    if not (options.add and options.out and options.out.exists()):
        return {}
    before: Figures = json.loads(options.out.read_text(encoding="utf-8"))
    asked = {"systems": options.systems, "runs": options.runs, "threads": options.threads}
    if any(before[name] != value for name, value in asked.items()):
        sys.exit(
            f"{options.out} was measured otherwise: {before['systems']}, {before['runs']} runs"
        )
    return before


def _json(result: Figures) -> str:
    """Readable, and a line for each system of each recording."""
    text = json.dumps({**result, "recordings": {}}, indent=2).removesuffix("{}\n}")
    rows = []
    for id_, each in result["recordings"].items():
        systems = ",\n".join(
            f"        {json.dumps(name)}: {json.dumps(row)}"
            for name, row in each["systems"].items()
        )
        facts = json.dumps({**each, "systems": {}}).removesuffix("{}}")
        rows.append(f"    {json.dumps(id_)}: {facts}{{\n{systems}\n    }}}}")
    return text + "{\n" + ",\n".join(rows) + "\n  }\n}\n"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.speech",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folders", nargs="+", type=Path, help="folders of recordings", metavar="FOLDER")
    add(
        "--systems",
        type=lambda text: text.split(","),
        default=["callscope", "stock"],
        help=f"separated by commas, the first is compared with the others: {', '.join(SYSTEMS)}",
    )
    add("--runs", type=int, default=3, help="of each system on each recording; medians count")
    add(
        "--only",
        action="append",
        default=[],
        metavar="PATTERN",
        help="recordings, as synth/*/mono.wav",
    )
    add("--model", default="whisper-base", help="of Whisper, for all systems")
    add("--models", type=Path, default=Path(".models"), help="folder of the models")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)))
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--warm-up", type=Path, default=_SAMPLE, help="what all systems hear first, uncounted")
    add("--out", type=Path, help="where the figures are kept")
    add("--add", action="store_true", help="go on with the recordings that OUT does not have yet")
    options = parser.parse_args(arguments)
    unknown = set(options.systems) - set(SYSTEMS)
    if unknown:
        parser.error(f"no such system: {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    return options


if __name__ == "__main__":
    main()
