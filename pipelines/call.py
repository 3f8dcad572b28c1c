"""What happens to a recording, from its bytes to a call with speakers, turns and words.

This is the front door for a reader: every step is named here, in order.
"""

from collections.abc import Callable

from models.loaded import Models
from pipelines.analytics.conversation import analyse_conversation
from pipelines.analytics.examples import Examples, examples_in
from pipelines.analytics.gist import find_gist
from pipelines.analytics.reading import read
from pipelines.analytics.roles import find_roles, recognise_kind
from pipelines.attribution import attribute
from pipelines.channels import separate
from pipelines.cross_talk import without_cross_talk
from pipelines.decoding import decode
from pipelines.diarization import diarize_voices, speakers_of
from pipelines.failures import NoSpeech
from pipelines.measures import measure, review_flags
from pipelines.recording import Recording
from pipelines.resegmentation import resegment
from pipelines.settings import CallSettings
from pipelines.speakers import name_speakers
from pipelines.stages import Hook, Stages
from pipelines.transcript import Call
from pipelines.transcription import choose_language, find_speech, transcribe
from pipelines.turns import make_turns


def process(
    recording: Recording,
    models: Models,
    settings: CallSettings,
    hook: Hook | None = None,
    examples: Callable[[], Examples] | None = None,
) -> Call:
    """Turn a recording into a call. Raises a `RecordingFailure` that says why where that cannot be.

    `examples` gives what is not needed before a call has been heard: those that come with Callfolio if none.
    """
    given, levers = recording.metadata, settings.levers
    with Stages(hook) as stage:
        with stage("decode"):
            audio = decode(recording.path)
            channels = separate(audio)
            if levers.cross_talk_suppression:
                channels = without_cross_talk(channels)
            tracks = channels.tracks
        # Who speaks is found out on one core while what is said is found out on another.
        speakers = given.speakers or settings.speakers
        voices = stage.beside(
            "diarize", diarize_voices, channels, speakers, models.diarizer, levers.two_party_prior
        )
        with stage("vad"):
            activity = find_speech(tracks, models.recogniser)
            if not any(heard.speech for heard in activity):
                raise NoSpeech(recording.path, audio.duration)
        with stage("transcribe"):
            wanted = given.language or settings.language
            language = choose_language(recording.path, tracks, activity, wanted, models.recogniser)
            transcripts = transcribe(
                tracks,
                activity,
                language.code,
                settings.vocabulary,
                models.recogniser,
                models.aligner,
                levers.word_edges_on_sound,
                levers.verbatim_prompt,
            )
        with stage("attribute"):
            diarization = speakers_of(channels, activity, voices.result())
            words = attribute(transcripts, diarization, channels)
            if levers.utterance_voices:
                words, diarization = resegment(words, diarization, speakers)
            words, people = name_speakers(words, diarization, channels, given.channel_roles)
            turns = make_turns(words)
        with stage("read"):
            reading = read(turns, language.code, models.parser, models.sentiment, models.embedder)
        with stage("interpret"):
            like = examples() if examples else examples_in(embedder=models.embedder)
            kind_given = given.kind or settings.kind
            kind = kind_given or recognise_kind(people, reading, language.code, like)
            people = find_roles(people, reading, kind, language.code, like)
            gist = find_gist(people, reading, kind, language.code, like)
        with stage("converse"):
            people, conversation = analyse_conversation(
                turns, people, channels, audio.duration, language.code, settings.silence_s
            )
        with stage("measure"):
            measures = measure(tracks, activity, people, words)
            flags = review_flags(measures, language, words, diarization, audio.damage)
    return Call(
        recording,
        kind,
        kind_given is not None,
        audio,
        channels,
        language,
        turns,
        people,
        reading,
        gist,
        measures,
        conversation,
        flags,
        stage.seconds,
    )
