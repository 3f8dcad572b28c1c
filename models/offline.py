"""Keeps this process from connecting anywhere, by the switches that libraries read from the environment."""

import os

SWITCHES = {
    # The hub's client, and the libraries that ask it for newer files of a model that is already here.
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    # pyannote.audio 4 counts models, pipelines and the length of every file, over OpenTelemetry; the second
    # switch turns the exporter itself into a stub, whoever wants to use it.
    "PYANNOTE_METRICS_ENABLED": "0",
    "OTEL_SDK_DISABLED": "true",
    # Prefect's server sends a heartbeat, and its client reports what is imported.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


def stay_offline() -> None:
    """Set the switches, over whatever the environment says.

    Call it before anything else of ours or theirs is imported: most libraries read them once, at import. It
    cannot hold back two: NLTK downloads `punkt_tab` in `whisperx.align` where the data is missing, and
    `torch.hub.load` asks GitHub whenever it is called; the adapters avoid both.
    """
    os.environ.update(SWITCHES)
