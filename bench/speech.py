"""Accuracy and cost of speech recognition and diarization, ours beside the stock parts.

    python -m bench.speech tests/data/sample --systems callscope,stock --runs 3
    python -m bench.speech FOLDER... --out FILE.json        the figures, with all that made them
    python -m bench.speech --show FILE.json [--into PAGE.md]    the table, between its markers

Every recording below the folders is measured, with as much as its truth can tell (formats in
`bench.references`); without truth, only what it costs. Systems take turns on each recording.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from bench import table
from bench.figures import Figures, figures, summary
from bench.machine import describe, load
from bench.references import Case, find_cases
from bench.systems import SYSTEMS, Setup
from bench.trials import Trials
from callscope.audio import AudioLimits, probe

__all__ = ["main"]

_PACKAGES = ("callscope", "ctranslate2", "faster-whisper", "pyannote-audio", "torch", "jiwer",
             "pyannote-metrics", "transformers")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, keep and show."""
    options = _options(arguments)
    if options.show:
        shown = table.render(json.loads(options.show.read_text(encoding="utf-8")))
        if options.into:
            table.write_into(options.into, options.show.stem, shown)
        else:
            print(shown)
        return
    result = measure(options)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(_json(result), encoding="utf-8")
    print(table.render(result))


def measure(options: argparse.Namespace) -> Figures:
    """Run all systems on all recordings; what `--add` finds in the file is kept and extended."""
    cases = [
        case
        for folder in options.folders
        for case in find_cases(folder.resolve())
        if not options.only or any(fnmatch(case.id, pattern) for pattern in options.only)
    ]
    kept = _kept(options)
    cases = [case for case in cases if case.id not in kept]
    if not cases:
        if kept:
            return _result(options, kept, {})
        sys.exit(f"no recordings in {', '.join(map(str, options.folders))}")
    root = Path(os.path.commonpath([case.file.parent for case in cases]))
    setup = Setup(root, options.models, options.model, options.threads, options.device)
    with Trials(options.systems, setup, cases[0].file) as trials:
        for case in cases:
            kept[case.id] = _measured(case, trials, options.runs)
            print(f"{case.id}: {table.brief(kept[case.id])}", file=sys.stderr, flush=True)
        return _result(options, kept, trials.models())


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


def _kept(options: argparse.Namespace) -> dict[str, Figures]:
    if not (options.add and options.out and options.out.exists()):
        return {}
    before = json.loads(options.out.read_text(encoding="utf-8"))
    asked = {"systems": options.systems, "runs": options.runs, "threads": options.threads}
    if any(before[name] != value for name, value in asked.items()):
        sys.exit(
            f"{options.out} was measured otherwise: {before['systems']}, {before['runs']} runs"
        )
    return dict(before["recordings"])


def _result(
    options: argparse.Namespace, recordings: dict[str, Figures], models: dict[str, str]
) -> Figures:
    if not models:
        models = json.loads(options.out.read_text(encoding="utf-8"))["models"]
    return {
        "systems": options.systems,
        "runs": options.runs,
        "threads": options.threads,
        "machine": describe(_PACKAGES),
        "models": models,
        "summary": summary(recordings),
        "recordings": recordings,
    }


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
    add("folders", nargs="*", type=Path, help="folders of recordings", metavar="FOLDER")
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
    add("--out", type=Path, help="where the figures are kept")
    add("--add", action="store_true", help="go on with the recordings that OUT does not have yet")
    add("--show", type=Path, help="measure nothing, show what this file holds")
    add("--into", type=Path, help="with --show: the page that has markers for the table")
    options = parser.parse_args(arguments)
    unknown = set(options.systems) - set(SYSTEMS)
    if unknown:
        parser.error(f"no such system: {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    if not options.show and not options.folders:
        parser.error("name a folder of recordings, such as tests/data/sample")
    return options


if __name__ == "__main__":
    main()
