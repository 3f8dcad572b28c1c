"""What happens to a recording, from its bytes to a call with speakers, turns and words.

This is the front door for a reader: every step is named here, in order.
"""

from models.loaded import LoadedModels
from pipelines.attribution import attribute
from pipelines.channels import separate
from pipelines.cross_talk import without_cross_talk
from pipelines.decoding import decode
from pipelines.diarization import tell_speakers_apart
from pipelines.failures import NoSpeech
from pipelines.measures import measure, review_flags
from pipelines.recording import Recording
from pipelines.settings import CallSettings
from pipelines.speakers import name_speakers
from pipelines.stages import Hook, Stages
from pipelines.transcript import Call
from pipelines.transcription import choose_language, find_speech, transcribe
from pipelines.turns import make_turns


def process(
    recording: Recording, models: LoadedModels, settings: CallSettings, hook: Hook | None = None
) -> Call:
    """Turn a recording into a call. Raises a `RecordingFailure` that says why where that cannot be."""
    given = recording.metadata
    stage = Stages(hook)
    with stage("decode"):
        audio = decode(recording.path)
        channels = without_cross_talk(separate(audio))
    with stage("vad"):
        activity = find_speech(channels.tracks, models.recogniser)
        if not any(heard.speech for heard in activity):
            raise NoSpeech(recording.path, audio.duration)
    with stage("transcribe"):
        language = choose_language(
            recording.path, channels.tracks, activity, given.language or settings.language, models.recogniser
        )
        transcripts = transcribe(
            channels.tracks, activity, language.code, settings.vocabulary, models.recogniser, models.aligner
        )
    with stage("diarize"):
        speakers = given.speakers or settings.speakers
        diarization = tell_speakers_apart(channels, activity, speakers, models.diarizer)
    with stage("attribute"):
        words = attribute(transcripts, diarization, channels)
        words, people = name_speakers(words, diarization, channels, given.channel_roles)
        turns = make_turns(words)
    with stage("measure"):
        measures = measure(channels.tracks, activity, diarization, words)
        flags = review_flags(measures, language, words, audio.damage)
    kind = given.kind or settings.kind
    return Call(recording, kind, audio, channels, language, turns, people, measures, flags, stage.seconds)
