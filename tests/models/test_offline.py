"""Nothing connects anywhere once the process has been told to stay offline."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Whatever is about to ask for an address or a connection is written down and stopped.
_GUARD = """
import sys
attempts = []
def guard(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        attempts.append(f"{event} {args[0] if event == 'socket.getaddrinfo' else args[1]}")
        raise OSError("stopped by the test")
sys.addaudithook(guard)
"""

# What a pyannote model does when it is loaded, and the export that follows half a second later.
_LOAD = """
import whisperx, pyannote.audio
from pyannote.audio.telemetry import metrics
metrics.track_model_init(object())
metrics.provider.force_flush(3000)
"""


def _run(program: str, **environment: str) -> str:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "OTEL_", "PYANNOTE_", "PREFECT_")) and name != "DO_NOT_TRACK"
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_whisperx_and_pyannote_do_not_connect() -> None:
    told = _run(
        _GUARD
        + "from models.offline import stay_offline; stay_offline()"
        + _LOAD
        + "print(attempts)\n"
        # The guard itself has to work, or an empty list says nothing.
        + "import socket\n"
        + "try: socket.create_connection(('192.0.2.1', 9), 1)\n"
        + "except OSError: print(len(attempts))\n"
    )

    assert told == "[]\n1\n"


def test_without_the_switches_pyannote_would_report() -> None:
    assert "socket.getaddrinfo" in _run(_GUARD + _LOAD + "print(attempts)")


def test_the_hub_and_the_transformers_are_offline_for_all_that_is_imported_later() -> None:
    told = _run(
        _GUARD
        + "from models.offline import stay_offline; stay_offline()\n"
        + "import huggingface_hub, transformers.utils\n"
        + "print(huggingface_hub.constants.HF_HUB_OFFLINE, transformers.utils.is_offline_mode())\n"
        + "try: huggingface_hub.hf_hub_download('org/name', 'file')\n"
        + "except Exception as error: print(type(error).__name__, attempts)\n",
        HF_HUB_OFFLINE="0",
    )

    assert told == "True True\nLocalEntryNotFoundError []\n"


@pytest.mark.parametrize("times", [1, 2])
def test_staying_offline_imports_nothing_and_can_be_said_twice(times: int) -> None:
    told = _run(
        "import sys, os; before = set(sys.modules)\n"
        + "from models.offline import stay_offline\n"
        + "stay_offline()\n" * times
        + "print(sorted(set(sys.modules) - before), os.environ['HF_HUB_OFFLINE'])"
    )

    assert told == "['models', 'models.offline'] 1\n"
