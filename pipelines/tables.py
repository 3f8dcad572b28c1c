"""The tables of a store and their columns, declared once: the schema of the files and the reference in
the README both come from here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

SCHEMA_VERSION: Final = 3
PARTITION: Final = "call_date"
QUARTERS: Final = 4
"""Parts of equal time into which a call is cut for `sentiment_by_quarter`."""
UNKNOWN: Final = "UNKNOWN"
UNSURE: Final = "unsure"

CHANNEL_MODES: Final = ("mono", "split", "mixed")
KINDS: Final = ("contact_center", "consultation")
KIND_SOURCES: Final = ("given", "recognised")
MOMENT_KINDS: Final = (
    "silence",
    "hold",
    "music",
    "interruption",
    "backchannel",
    "overlap",
    "monologue",
    "dead_air_start",
    "dead_air_end",
)
ROLES: Final = ("agent", "customer", "doctor", "patient", "ivr", "other", "unknown")
RUN_STATUSES: Final = ("running", "finished", "interrupted", "failed")
STARTED_AT_SOURCES: Final = ("metadata", "container", "file_modified")
ENTITY_DETECTORS: Final = ("spacy", "rules")
ENTITY_KINDS: Final = (
    "person",
    "organization",
    "location",
    "group",
    "product",
    "date",
    "time",
    "money",
    "percent",
    "quantity",
    "ordinal",
    "number",
    "phone_number",
    "card_number",
    "account_number",
    "national_id",
    "email",
    "postal_code",
    "digits",
)
RESULTS: Final = ("pass", "fail", "not_applicable", "needs_person")
MATCHES: Final = ("matched", "needs_person")
TIMING_SOURCES: Final = ("cross_attention", "ctc", "interpolated")

_BOOL = pa.bool_()
_DOUBLE = pa.float64()
_INT = pa.int32()
_STRING = pa.string()
_STRINGS = pa.list_(_STRING)
_DOUBLES = pa.list_(_DOUBLE)
_FLOATS = pa.list_(pa.float32())
_STRING_MAP = pa.map_(_STRING, _STRING)
_DOUBLE_MAP = pa.map_(_STRING, _DOUBLE)
_TOPICS = pa.list_(pa.struct([("topic", _STRING), ("score", _DOUBLE)]))
_QUOTE = pa.struct([("turn", _INT), ("sentence", _INT), ("text", _STRING)])
_QUOTES = pa.list_(_QUOTE)
_TIMESTAMP = pa.timestamp("us", tz="UTC")
_EVIDENCE_TYPE = pa.list_(
    pa.struct(
        [
            ("turn", _INT),
            ("start_s", _DOUBLE),
            ("end_s", _DOUBLE),
            ("speaker", _STRING),
            ("role", _STRING),
            ("text", _STRING),
            ("note", _STRING),
        ]
    )
)
_STRETCHES = pa.list_(pa.struct([pa.field("start_s", _DOUBLE), pa.field("end_s", _DOUBLE)]))


Row = Mapping[str, Any]


@dataclass(frozen=True)
class CallRows:
    """All rows of one call, as mappings from column to value.

    `call` is the row of `calls` and its `call_date`, a `datetime.date`; the rows of the other tables have
    no `call_date`. `words` are in order of `position`, `turns` in order of `turn`, `sentences` in order of
    `sentence`, `entities` in order of `turn` and `start_char`.
    """

    call: Row
    turns: Sequence[Row]
    words: Sequence[Row]
    speakers: Sequence[Row]
    moments: Sequence[Row]
    sentences: Sequence[Row]
    entities: Sequence[Row]
    scores: Sequence[Row] = ()
    categories: Sequence[Row] = ()


@dataclass(frozen=True)
class Column:
    """A column of a table. `values`, where given, lists all that the column may hold."""

    name: str
    type: pa.DataType
    description: str
    nullable: bool = False
    values: tuple[str, ...] = ()

    @property
    def meaning(self) -> str:
        """The description, and the values that are allowed where they are few."""
        if not self.values:
            return self.description
        return f"{self.description} One of {', '.join(f'`{value}`' for value in self.values)}."


@dataclass(frozen=True)
class Table:
    """A table: what a row of it is, what `call_date` means in it, and its columns in order."""

    name: str
    description: str
    partition: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The schema of every file of the table. `call_date` is in the path of a file and not in it."""
        return pa.schema(
            [_field(column) for column in self.columns],
            metadata={
                "table": self.name,
                "description": self.description,
                "schema_version": str(SCHEMA_VERSION),
            },
        )

    @property
    def read_schema(self) -> pa.Schema:
        """The schema that a reader sees: that of the files, and `call_date` last."""
        return self.schema.append(_field(self.partition_column))

    @property
    def partition_column(self) -> Column:
        """The column that readers take from the names of the folders."""
        return Column(PARTITION, pa.date32(), self.partition)


def _field(column: Column) -> "pa.Field[Any]":
    return pa.field(
        column.name, column.type, nullable=column.nullable, metadata={"description": column.meaning}
    )


_CALL_ID = Column("call_id", _STRING, "The call; joins to `calls.call_id`.")
_DATE_OF_CALL = "Date of the call's `started_at`, in UTC."
_SETTINGS_SHA256 = (
    "SHA-256, in hexadecimal, of all settings and of the hashes of all models. "
    "A recording is processed again when it is no longer that of the present settings and models."
)
_EARLIER = "Null while the run is at work, and where an earlier version did not count them."
_MODELS = "The models used: name to SHA-256 of its files."
_LOUDNESS = (
    "Level of the speaker's talk in dBFS as AES17 defines it (root mean square; a sine wave that just "
    "reaches full scale has 0). Measured on the speaker's own channel, or, where there is none, where "
    "nobody else speaks. Null where that is less than 0.1 s"
)
_FILLERS = (
    'They are the words of a list by language: English "uh", "um", "uhm", "er", "erm". Whisper leaves out '
    "many of them, so that this is the least there were. Null in a language without a list."
)

CALLS: Final = Table(
    "calls",
    "A row for each call. It is written after the rows of the other tables: a call exists when its row "
    "here does, and readers join on it.",
    _DATE_OF_CALL,
    (
        Column(
            "call_id",
            _STRING,
            "The call: the first 32 hexadecimal digits of `source_sha256`. The same recording under two "
            "names is one call.",
        ),
        Column("source", _STRING, "Path or address of the recording, as it was when it was processed."),
        Column("source_sha256", _STRING, "SHA-256 of the bytes of the recording, in hexadecimal."),
        Column("started_at", _TIMESTAMP, "When the recording begins, in UTC."),
        Column(
            "started_at_source",
            _STRING,
            "Where `started_at` comes from: the manifest or the file beside the recording, the recording's "
            "own header, or, failing both, the time at which the file was last changed.",
            values=STARTED_AT_SOURCES,
        ),
        Column("duration_s", _DOUBLE, "Length of the sound that could be decoded, in seconds."),
        Column("channels", _INT, "Channels of the recording as it came."),
        Column(
            "channel_mode",
            _STRING,
            "`mono`: one channel, or several that are the same; `split`: each channel is one speaker; "
            "`mixed`: several channels with several speakers in one of them.",
            values=CHANNEL_MODES,
        ),
        Column("sample_rate", _INT, "Samples per second and channel of the recording as it came, in Hz."),
        Column("codec", _STRING, "Encoding of the sound, by FFmpeg's name for it."),
        Column(
            "kind",
            _STRING,
            "What sort of conversation it is: as given by the metadata or the run, else by what is said.",
            values=KINDS,
        ),
        Column(
            "kind_source",
            _STRING,
            "Where `kind` comes from: the metadata or the run's settings, or what is said. Null where an "
            "older version made the row.",
            nullable=True,
            values=KIND_SOURCES,
        ),
        Column("language", _STRING, "Language spoken, as an ISO 639-1 code such as `en`."),
        Column(
            "language_confidence",
            _DOUBLE,
            "Probability of `language`, 0 to 1; 1 where the language was given and not detected.",
        ),
        Column("agent_id", _STRING, "The agent or doctor, from the metadata; empty when not given."),
        Column("customer_id", _STRING, "The customer or patient, from the metadata; empty when not given."),
        Column("queue", _STRING, "The queue or department, from the metadata; empty when not given."),
        Column(
            "direction", _STRING, "`inbound`, `outbound` or what the metadata says; empty when not given."
        ),
        Column("metadata", _STRING_MAP, "Everything else that the metadata says: name to value, as text."),
        Column("speaker_count", _INT, f"Rows of the call in `speakers`, `{UNKNOWN}` not counted."),
        Column("word_count", _INT, "Rows of the call in `words`."),
        Column("turn_count", _INT, "Rows of the call in `turns`."),
        Column(
            "speech_s",
            _DOUBLE,
            "Seconds in which at least one person speaks, as voice activity detection hears it.",
        ),
        Column("silence_s", _DOUBLE, "Seconds in which nobody speaks: `duration_s` minus `speech_s`."),
        Column(
            "overlap_s",
            _DOUBLE,
            "Seconds in which two or more people speak at once, with pauses of up to 0.5 s in which nobody "
            "else says anything whole.",
        ),
        Column(
            "uncovered_speech_s",
            _DOUBLE,
            "Seconds of detected speech in which no word was recognised. Much of it means that the "
            "transcript lacks something.",
        ),
        Column(
            "snr_db",
            _DOUBLE,
            "Loudness of speech over that of the pauses, in dB (ratio of mean powers). Null when it cannot "
            "be measured because the call has no pause, or pauses of digital silence.",
            nullable=True,
        ),
        Column(
            "non_talk_s",
            _DOUBLE,
            "Seconds in which nobody speaks, added up over all stretches of at least 3 s, or of what "
            "`--silence` says: the moments `silence`, `hold`, `dead_air_start` and `dead_air_end`.",
        ),
        Column("hold_s", _DOUBLE, "Seconds on hold: all moments `hold` added up."),
        Column("music_s", _DOUBLE, "Seconds in which music or a tone plays: all moments `music` added up."),
        Column("dead_air_start_s", _DOUBLE, "Seconds before anybody first speaks."),
        Column("dead_air_end_s", _DOUBLE, "Seconds after everybody has spoken for the last time."),
        Column("interruptions", _INT, "Moments `interruption` of the call."),
        Column(
            "overlap_share",
            _DOUBLE,
            "`overlap_s` as a share of the seconds in which anybody speaks, with the same pauses, 0 to 1; 0 "
            "where nobody does.",
        ),
        Column(
            "first_agent_word_s",
            _DOUBLE,
            "Start of the first word of an agent or doctor, in seconds from the start of the call. Null "
            "where no speaker has that role.",
            nullable=True,
        ),
        Column(
            "first_customer_word_s",
            _DOUBLE,
            "Start of the first word of a customer or patient, in seconds from the start of the call. Null "
            "where no speaker has that role.",
            nullable=True,
        ),
        Column(
            "damage",
            _STRING,
            "What could not be decoded of the recording, in a sentence; empty when it is whole.",
        ),
        Column(
            "review_flags",
            _STRINGS,
            "Reasons for a person to listen to the call, as short names; empty when there is none. damaged; "
            "no_words; speech_without_words (over 5 s and a fifth of the speech); low_word_confidence (mean "
            "under 0.5); low_speaker_confidence (mean under 0.7); voices_alike (mean voices of two have a "
            "cosine similarity of 0.65 or more, so that they may have been mixed up or taken for one); "
            "language_unsure (under 0.5); noisy (snr_db under 10).",
        ),
        Column(
            "topic",
            _STRING,
            f"What the call is about: the first of `topics` where it leads the next by 0.04 or more, else "
            f"`{UNSURE}`. Null where topics cannot be told: see `analysis_notes`.",
            nullable=True,
        ),
        Column(
            "topic_score",
            _DOUBLE,
            "Score of the first of `topics`, 0 to 1. Null where there is none.",
            nullable=True,
        ),
        Column(
            "topics",
            _TOPICS,
            "The topics, of those in `data/topics`, that score 0.5 or more, best first, five at most. The "
            "score is the cosine between the sentence and the example of the topic that are nearest in "
            "meaning, times a weight of the sentence, up to 1: `reason` weighs most, then what is said early "
            "and by the customer or patient.",
        ),
        Column(
            "reason",
            _QUOTE,
            "Why the call takes place: the sentence of the first third that comes nearest to the examples "
            "in `data/gist`, as it was said. `turn` joins to `turns`, `sentence` to `sentences`. Null where "
            "none comes near enough.",
            nullable=True,
        ),
        Column(
            "outcome",
            _QUOTE,
            "How it ended: the sentence of the second half that comes nearest to the examples; fields as of "
            "`reason`. Null where none comes near enough.",
            nullable=True,
        ),
        Column(
            "next_steps",
            _QUOTES,
            'What somebody is going to do: the sentences that commit or instruct ("I\'ll", "you will", '
            '"please send") and come near to the examples, in order, five at most; fields as of `reason`.',
        ),
        Column(
            "analysis_notes",
            _STRING_MAP,
            "What could not be found out about what was said, and why: name of the column or table to a "
            "sentence. Empty when nothing is lacking.",
        ),
        Column(
            "examples_sha256",
            _STRING,
            "SHA-256, in hexadecimal, of the example files by which roles, topics, `reason`, `outcome` and "
            "`next_steps` were found. It is no part of `settings_sha256`.",
        ),
        Column("profile", _STRING, "Name of the set of models that was used."),
        Column("models", _STRING_MAP, _MODELS),
        Column("settings_sha256", _STRING, _SETTINGS_SHA256),
        Column("pipeline_version", _STRING, "Version of Callfolio that made the call's rows."),
        Column("schema_version", _INT, "Version of these tables that the call's rows follow."),
        Column("run_id", _STRING, "The run that made the call's rows; joins to `runs.run_id`."),
        Column("processed_at", _TIMESTAMP, "When the call's rows were made, in UTC."),
        Column(
            "stage_s", _DOUBLE_MAP, "Time that each stage of the processing took, in seconds: name to time."
        ),
    ),
)

TURNS: Final = Table(
    "turns",
    "A row for each turn: consecutive words of one speaker.",
    _DATE_OF_CALL,
    (
        _CALL_ID,
        Column("turn", _INT, "Number of the turn in the call, from 0, in order of `start_s`."),
        Column("speaker", _STRING, "Who speaks; joins to `speakers.speaker` of the same call."),
        Column("role", _STRING, "Role of the speaker.", values=ROLES),
        Column("start_s", _DOUBLE, "Start of the first word, in seconds from the start of the call."),
        Column("end_s", _DOUBLE, "End of the last word to end, in seconds from the start of the call."),
        Column("text", _STRING, "The words of the turn, with punctuation and case."),
        Column("word_count", _INT, "Rows of the turn in `words`."),
        Column("word_confidence", _DOUBLE, "Mean of the words' `confidence`, 0 to 1."),
        Column("speaker_confidence", _DOUBLE, "Mean of the words' `speaker_confidence`, 0 to 1."),
        Column("overlap_s", _DOUBLE, "Seconds of the turn in which somebody else speaks too."),
        Column(
            "words_per_minute",
            _DOUBLE,
            "Speech rate: the turn's words over the minutes of it in which its speaker speaks. Null where "
            "that is less than half a second.",
            nullable=True,
        ),
        Column("loudness_dbfs", _DOUBLE, f"{_LOUDNESS} of the turn.", nullable=True),
        Column("fillers", _INT, f"Filled pauses of the turn. {_FILLERS}", nullable=True),
        Column(
            "response_s",
            _DOUBLE,
            "Response time: the floor transfer offset (Heldner and Edlund 2010), seconds from the end of "
            "the other speaker's turn to the speaker's own talk; negative where they overlap. Backchannels "
            "are neither waited for nor responses. Null where the speaker does not take the turn from "
            "another, or does so after a hold.",
            nullable=True,
        ),
        Column(
            "sentiment",
            _DOUBLE,
            "Sentiment, from -1, negative, to 1, positive: mean of VADER's compound scores of the sentences, "
            'each with the weight of its words. Words that only answer or fill ("no", "like") are left out '
            "of what is scored. Null where there is no lexicon for the language, or no word.",
            nullable=True,
        ),
        Column(
            "key_phrases",
            _STRINGS,
            "At most five noun phrases, best first by their C-value in the call (how often they occur, less "
            "what they owe to longer phrases, times the logarithm of their length), in lower case with the "
            "noun in the singular. Names of persons, numbers and dates are in `entities` instead.",
        ),
        Column("questions", _INT, "Rows of the turn in `sentences` with `question`."),
    ),
)

WORDS: Final = Table(
    "words",
    "A row for each word.",
    _DATE_OF_CALL,
    (
        _CALL_ID,
        Column("turn", _INT, "The turn that the word is in; joins to `turns.turn` of the same call."),
        Column("position", _INT, "Number of the word in the call, from 0, in the order of the transcript."),
        Column("word", _STRING, "The word as written, with its punctuation and case."),
        Column("start_s", _DOUBLE, "Start of the word, in seconds from the start of the call."),
        Column("end_s", _DOUBLE, "End of the word, in seconds from the start of the call."),
        Column("confidence", _DOUBLE, "Probability that the word was recognised rightly, 0 to 1."),
        Column(
            "timing_source",
            _STRING,
            "Where the times come from: the recogniser's cross-attention, alignment by a CTC model, or "
            "interpolation between neighbouring words.",
            values=TIMING_SOURCES,
        ),
        Column("speaker", _STRING, "Who speaks; joins to `speakers.speaker` of the same call."),
        Column("role", _STRING, "Role of the speaker.", values=ROLES),
        Column("speaker_confidence", _DOUBLE, "Probability that the word is this speaker's, 0 to 1."),
        Column(
            "speaker_source",
            _STRING,
            "How the speaker was found: `voice` where the voice of the utterance decided, `channel` where "
            "the channel is the speaker, `diarization` where the diarization has one speaking at the word, "
            "`nearest` where it is the nearest speech, `none` where there is no speech to go by.",
        ),
        Column("overlapped", _BOOL, "Whether somebody else speaks during the word."),
    ),
)

SPEAKERS: Final = Table(
    "speakers",
    "A row for each speaker of each call. Names of speakers mean nothing beyond their call.",
    _DATE_OF_CALL,
    (
        _CALL_ID,
        Column(
            "speaker",
            _STRING,
            f"`S1`, `S2`, … in order of first speech, or `{UNKNOWN}` for words that nobody could be given.",
        ),
        Column(
            "role",
            _STRING,
            "Role of the speaker in the conversation. `ivr`: a menu, announcement or answering machine; "
            "`other`: a third voice; `unknown`: there is too little to tell by.",
            values=ROLES,
        ),
        Column(
            "role_confidence",
            _DOUBLE,
            "Probability of `role`, 0 to 1: 1 where a channel map gave it, at most 0.99 where it was found "
            "by what is said and how; 0 where it is `unknown`.",
        ),
        Column(
            "channel",
            _INT,
            "Channel that is the speaker's alone, from 1; 0 where no channel is (`mono` and `mixed` calls).",
        ),
        Column(
            "talk_s",
            _DOUBLE,
            "Talk time: seconds in which the speaker speaks, with pauses of up to 1 s in which nobody else "
            "says anything whole. Voice activity detection or diarization tells that somebody speaks, the "
            "sound itself from when to when. Where two speak at once, the time counts for both.",
        ),
        Column(
            "diarization",
            _STRETCHES,
            "The stretches in which diarization, or detection on the speaker's own channel, has the speaker "
            "speak, in order and without overlap, in seconds from the start of the call. They begin and "
            "end a little early and late; `talk_s` is settled on the sound.",
        ),
        Column("turns", _INT, "Rows of the speaker in `turns`."),
        Column("words", _INT, "Rows of the speaker in `words`."),
        Column(
            "word_confidence", _DOUBLE, "Mean of the words' `confidence`, 0 to 1; 0 where there is no word."
        ),
        Column(
            "speaker_confidence",
            _DOUBLE,
            "Mean of the words' `speaker_confidence`, 0 to 1; 0 where there is no word.",
        ),
        Column(
            "talk_share",
            _DOUBLE,
            "`talk_s` as a share of the `talk_s` of all the call's speakers, 0 to 1; 0 where nobody speaks.",
        ),
        Column(
            "longest_turn_s",
            _DOUBLE,
            "Seconds of the speaker's longest row in `turns`, from where the speaker is heard first in it to "
            "where last; 0 without one.",
        ),
        Column(
            "mean_turn_s",
            _DOUBLE,
            "Mean seconds of the speaker's rows in `turns`, each from where the speaker is heard first in it "
            "to where last; 0 without one.",
        ),
        Column(
            "longest_monologue_s",
            _DOUBLE,
            "Seconds of the speaker's longest stretch without another taking a turn and without non-talk "
            "time (`calls.non_talk_s`). Backchannels do not end it. 0 where there is none.",
        ),
        Column("interruptions", _INT, "Moments `interruption` in which the speaker interrupts."),
        Column(
            "interruption_s", _DOUBLE, "Seconds for which the speaker talks over those whom they interrupt."
        ),
        Column("interrupted", _INT, "Moments `interruption` in which the speaker is interrupted."),
        Column("backchannels", _INT, "Moments `backchannel` of the speaker."),
        Column(
            "overlap_s",
            _DOUBLE,
            "Seconds in which the speaker speaks and somebody else speaks too, with pauses of up to 0.5 s in "
            "which nobody else says anything whole.",
        ),
        Column(
            "response_median_s",
            _DOUBLE,
            "Median of the speaker's `turns.response_s`, in seconds. Null where there is none.",
            nullable=True,
        ),
        Column(
            "response_p90_s",
            _DOUBLE,
            "90th percentile of the speaker's `turns.response_s`, in seconds, interpolated linearly. Null "
            "where there is none.",
            nullable=True,
        ),
        Column(
            "words_per_minute",
            _DOUBLE,
            "Speech rate: `words` over the minutes of `talk_s`. Null where `talk_s` is less than half a "
            "second.",
            nullable=True,
        ),
        Column("fillers", _INT, f"Filled pauses of the speaker. {_FILLERS}", nullable=True),
        Column(
            "filler_rate",
            _DOUBLE,
            "`fillers` for every 100 words. Null where there is no word or `fillers` is null.",
            nullable=True,
        ),
        Column(
            "first_word_s",
            _DOUBLE,
            "Start of the speaker's first word, in seconds from the start of the call. Null without a word.",
            nullable=True,
        ),
        Column("loudness_dbfs", _DOUBLE, f"{_LOUDNESS} of the call.", nullable=True),
        Column(
            "loudness_by_second",
            _DOUBLES,
            "`loudness_dbfs` of each second of the call, the first one's first; an element is null where the "
            "speaker speaks for less than 0.1 s of that second.",
        ),
        Column(
            "clipped_share",
            _DOUBLE,
            "Share of the samples of the speaker's talk that are clipped, 0 to 1: in runs of three or more "
            "at 0.98 of full scale or above.",
        ),
        Column(
            "sentiment",
            _DOUBLE,
            "Sentiment of all that the speaker says, defined as in `turns`. Null where there is no lexicon "
            "for the language, or no word.",
            nullable=True,
        ),
        Column(
            "sentiment_by_quarter",
            _DOUBLES,
            "Sentiment of the speaker in each quarter of `duration_s`: mean of the scores of the sentences, "
            "each with the weight of its seconds in that quarter. Four numbers; one of them is null where "
            "the speaker says nothing in that quarter, all where there is no lexicon for the language.",
        ),
        Column(
            "sentiment_change",
            _DOUBLE,
            "`sentiment_by_quarter` of the last quarter that has one minus that of the first. Null when "
            "fewer than two quarters have one.",
            nullable=True,
        ),
        Column("questions", _INT, "Rows of the speaker in `sentences` with `question`."),
    ),
)

SENTENCES: Final = Table(
    "sentences",
    "A row for each sentence of each turn.",
    _DATE_OF_CALL,
    (
        _CALL_ID,
        Column("turn", _INT, "The turn that the sentence is in; joins to `turns.turn` of the same call."),
        Column("sentence", _INT, "Number of the sentence in the call, from 0, in the order of the turns."),
        Column("speaker", _STRING, "Who speaks; joins to `speakers.speaker` of the same call."),
        Column("role", _STRING, "Role of the speaker.", values=ROLES),
        Column("text", _STRING, "The sentence as written, with punctuation and case."),
        Column("start_char", _INT, "Where `text` begins in the turn's `text`, in characters from 0."),
        Column(
            "end_char", _INT, "Where `text` ends in the turn's `text`: the character behind its last one."
        ),
        Column("start_s", _DOUBLE, "Start of the first word, in seconds from the start of the call."),
        Column("end_s", _DOUBLE, "End of the last word to end, in seconds from the start of the call."),
        Column(
            "lemmas",
            _STRINGS,
            "The words in lower case and without inflection (`be` for `was`), punctuation left out. Words in "
            "lower case as they are for languages that no model reads: see `calls.analysis_notes`.",
        ),
        Column(
            "question",
            _BOOL,
            "Whether it asks something: it ends with a question mark or, in English, has the form of a "
            'question without one ("can I get", "what is", "isn\'t it").',
        ),
        Column(
            "embedding",
            _FLOATS,
            "The meaning as 384 numbers of unit length by all-MiniLM-L6-v2, rounded to 11 significant bits; "
            "the scalar product of two is their similarity, at most 1. Empty where no model serves the "
            "language: see `calls.analysis_notes`.",
        ),
    ),
)

MOMENTS: Final = Table(
    "moments",
    "A row for each thing that happens in a conversation and has a place in it.",
    _DATE_OF_CALL,
    (
        _CALL_ID,
        Column(
            "kind",
            _STRING,
            "`silence`: nobody speaks for 3 s or more, or what `--silence` says. `hold`: nobody speaks for "
            "5 s or more while music or a tone plays, or after a hold was announced. `music`: music or a "
            "tone, such as ringing, for 2 s or more, pauses between rings included. `interruption`: the "
            "speaker begins while the other is in the middle of a turn, the other stops within 3 s and the "
            "speaker goes on. "
            '`backchannel`: the speaker says something short (up to three words such as "okay", or '
            "anything of up to 0.8 s) during the other's turn and leaves it to them. `overlap`: two speak "
            "at once for 0.12 s or more for any other reason: at the end of a turn, by beginning together, "
            "or in vain. "
            "`monologue`: the speaker's longest (see `speakers.longest_monologue_s`). `dead_air_start`, "
            "`dead_air_end`: a silence at an end of the call.",
            values=MOMENT_KINDS,
        ),
        Column("start_s", _DOUBLE, "Start, in seconds from the start of the call."),
        Column("end_s", _DOUBLE, "End, in seconds from the start of the call."),
        Column(
            "speaker",
            _STRING,
            "Who does it: interrupts, says the backchannel, begins the overlap, holds the monologue; empty "
            "where nobody does. Joins to `speakers.speaker` of the same call.",
        ),
        Column(
            "other_speaker",
            _STRING,
            "To whom: who is interrupted, listened to or talked over; empty where there is nobody. Joins to "
            "`speakers.speaker` of the same call.",
        ),
        Column(
            "turn",
            _INT,
            "The turn that has the first word of what `speaker` says; joins to `turns.turn` of the same "
            "call. Null where nobody says anything, or no word of it was recognised.",
            nullable=True,
        ),
        Column(
            "value",
            _DOUBLE,
            "Of a backchannel, the seconds in which both speak; of every other kind, its length in seconds. "
            "Null where a kind has no figure.",
            nullable=True,
        ),
    ),
)

ENTITIES: Final = Table(
    "entities",
    "A row for each name, number, sum, date or the like that was said. No two of a turn overlap.",
    _DATE_OF_CALL,
    (
        _CALL_ID,
        Column("turn", _INT, "The turn that it is in; joins to `turns.turn` of the same call."),
        Column("speaker", _STRING, "Who says it; joins to `speakers.speaker` of the same call."),
        Column(
            "kind",
            _STRING,
            "What it is. `group`: a nationality, religion or party; `quantity`: a number with a unit that is "
            "not money or time; `number`: a count; `account_number`: also that of a policy, order, case or "
            "the like; `digits`: a string of four or more digits that is none of the others, such as a PIN "
            "or the last digits of a card.",
            values=ENTITY_KINDS,
        ),
        Column("text", _STRING, "It as written in the turn's `text`."),
        Column("start_char", _INT, "Where `text` begins in the turn's `text`, in characters from 0."),
        Column(
            "end_char", _INT, "Where `text` ends in the turn's `text`: the character behind its last one."
        ),
        Column(
            "start_s",
            _DOUBLE,
            "Start of the first word that it touches, in seconds from the start of the call.",
        ),
        Column(
            "end_s", _DOUBLE, "End of the last word that it touches, in seconds from the start of the call."
        ),
        Column(
            "score",
            _DOUBLE,
            "Probability that it is what `kind` says, 0 to 1. Null where the detector gives none, as both of "
            "the present ones.",
            nullable=True,
        ),
        Column(
            "detector",
            _STRING,
            "What found it: spaCy's model, or rules for how recognisers write numbers, sums and addresses.",
            values=ENTITY_DETECTORS,
        ),
    ),
)

_EVIDENCE = (
    "Where it can be heard, in order: the turn, its seconds, who speaks, the words quoted, and a note on "
    "what they show. Of what was looked for and not found, the stretches that were searched: `turn` is "
    "null and `text` empty."
)
_DOUBT = (
    "`needs_person` where the transcript, the speakers or the roles are too doubtful at the place that "
    "decides, or where something that it takes is not known of the call"
)

SCORES: Final = Table(
    "scores",
    "A row for each criterion of each scorecard that is for the call. The score of a call by a scorecard is "
    "`sum(points * weight) / sum(max_points * weight)` over the rows whose `points` are not null; a failed "
    "`critical` criterion fails the call whatever its score.",
    _DATE_OF_CALL,
    (
        _CALL_ID,
        Column("scorecard", _STRING, "Name of the scorecard."),
        Column("version", _STRING, "Version of the scorecard, as its file says."),
        Column("section", _STRING, "Section of the scorecard."),
        Column("criterion", _STRING, "Name of the criterion."),
        Column(
            "result",
            _STRING,
            f"{_DOUBT}; `not_applicable` where `applies_if` does not hold.",
            values=RESULTS,
        ),
        Column(
            "points",
            _DOUBLE,
            "Points got: `max_points` for a pass, 0 for a fail. Null where there is neither.",
            nullable=True,
        ),
        Column("max_points", _DOUBLE, "Points that a pass is worth."),
        Column(
            "weight",
            _DOUBLE,
            "What a point weighs in the scorecard: the section's weight times the criterion's.",
        ),
        Column("critical", _BOOL, "Whether a fail of the criterion fails the whole call."),
        Column(
            "confidence",
            _DOUBLE,
            "How sure the words, the speakers and the roles are that decide, 0 to 1: the least of their "
            "confidences. 0 where nothing could be computed.",
        ),
        Column(
            "computed",
            _BOOL,
            "False where something that the criterion takes is not known of the call; `reason` says what.",
        ),
        Column("reason", _STRING, "Why the result is this one, in a sentence or two."),
        Column("evidence", _EVIDENCE_TYPE, _EVIDENCE),
        Column("scorecard_sha256", _STRING, "SHA-256 of the file of the scorecard, in hexadecimal."),
    ),
)

CATEGORIES: Final = Table(
    "categories",
    "A row for each category that a call is of, or may be of. Calls that are not of a category have no row.",
    _DATE_OF_CALL,
    (
        _CALL_ID,
        Column("category", _STRING, "Name of the category."),
        Column("version", _STRING, "Version of the category, as its file says."),
        Column("result", _STRING, f"`matched` where the call is of it; {_DOUBT}.", values=MATCHES),
        Column(
            "confidence",
            _DOUBLE,
            "How sure the words, the speakers and the roles are that decide, 0 to 1: the least of their "
            "confidences. 0 where nothing could be computed.",
        ),
        Column("reason", _STRING, "Why the call is of it, in a sentence or two."),
        Column("evidence", _EVIDENCE_TYPE, f"The points of interest. {_EVIDENCE}"),
        Column("category_sha256", _STRING, "SHA-256 of the file of the category, in hexadecimal."),
    ),
)

FAILURES: Final = Table(
    "failures",
    "A row for each recording that was set aside the last time it was tried. The row goes when the "
    "recording is processed.",
    "Date of the first failure of the recording, in UTC.",
    (
        Column(
            "call_id",
            _STRING,
            "First 32 hexadecimal digits of `source_sha256`; empty when the bytes could not be read.",
        ),
        Column("source", _STRING, "Path or address of the recording."),
        Column(
            "source_sha256",
            _STRING,
            "SHA-256 of the bytes of the recording, in hexadecimal; empty when they could not be read.",
        ),
        Column("reason", _STRING, "Why it was set aside, as a short name such as `not_audio`."),
        Column("message", _STRING, "Why it was set aside and what to do about it, in a sentence or two."),
        Column("retryable", _BOOL, "Whether the very same recording may succeed at another time."),
        Column(
            "attempts",
            _INT,
            "How often it has been tried without success, this time included: with these models and "
            "settings, and since `callfolio retry`. Of what could not be read, all times count.",
        ),
        Column("settings_sha256", _STRING, _SETTINGS_SHA256),
        Column("run_id", _STRING, "The run of the last attempt; joins to `runs.run_id`."),
        Column("failed_at", _TIMESTAMP, "When the last attempt failed, in UTC."),
    ),
)

RUNS: Final = Table(
    "runs",
    "A row for each run, rewritten while the run proceeds.",
    "Date of the run's `started_at`, in UTC.",
    (
        Column("run_id", _STRING, "The run."),
        Column("started_at", _TIMESTAMP, "When the run began, in UTC."),
        Column(
            "finished_at",
            _TIMESTAMP,
            "When the run ended, in UTC. Null while it is at work, and for ever where it was killed.",
            nullable=True,
        ),
        Column("command", _STRING, "The command line."),
        Column("host", _STRING, "Name of the machine."),
        Column("pid", _INT, "Number of the process on that machine."),
        Column("profile", _STRING, "Name of the set of models that was used."),
        Column("settings", _STRING, "All settings, as a JSON object."),
        Column("settings_sha256", _STRING, _SETTINGS_SHA256),
        Column("models", _STRING_MAP, _MODELS),
        Column("versions", _STRING_MAP, "Versions of Callfolio and of the libraries used: name to version."),
        Column("sources", _INT, "Recordings that the run was given."),
        Column("processed", _INT, "Recordings of these that it processed."),
        Column("skipped", _INT, "Recordings of these that were in the store already, or twice in the list."),
        Column(
            "set_aside",
            _INT,
            "Recordings of these that it put into `failures`, and those in the store whose changed metadata "
            "could not be brought into their rows, which stay as they were.",
        ),
        Column(
            "set_aside_before",
            _INT,
            "Recordings of these that an earlier run had set aside for good, with the same settings. "
            f"{_EARLIER}",
            nullable=True,
        ),
        Column(
            "elsewhere",
            _INT,
            f"Recordings of these that another run was at work on. {_EARLIER}",
            nullable=True,
        ),
        Column(
            "left_for_later",
            _INT,
            "Recordings of these that the time did not suffice for, or that another run is to try again. "
            f"{_EARLIER}",
            nullable=True,
        ),
        Column(
            "settling",
            _INT,
            f"Recordings of these that were left because they were still being written. {_EARLIER}",
            nullable=True,
        ),
        Column("audio_s", _DOUBLE, "Sum of `duration_s` of the calls that it processed, in seconds."),
        Column("wall_s", _DOUBLE, "Time since the run began, by the clock on the wall, in seconds."),
        Column(
            "status",
            _STRING,
            "How the run stands. A killed run says `running` and has no live process.",
            values=RUN_STATUSES,
        ),
    ),
)

TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {
        table.name: table
        for table in (
            *(CALLS, TURNS, WORDS, SPEAKERS, MOMENTS, SENTENCES, ENTITIES, SCORES, CATEGORIES),
            *(FAILURES, RUNS),
        )
    }
)


def reference_markdown() -> str:
    """The table reference of the README: a section for each table, a line for each column."""
    return "\n".join(_section(table) for table in TABLES.values())


def _section(table: Table) -> str:
    lines = [
        f"### `{table.name}`",
        "",
        table.description,
        "",
        "| Column | Type | Meaning |",
        "|---|---|---|",
        *(_line(column, column.meaning) for column in table.columns),
        _line(
            table.partition_column,
            f"{table.partition} It is in the name of the folder, `call_date=YYYY-MM-DD`, not in the files.",
        ),
        "",
    ]
    return "\n".join(lines)


def _line(column: Column, meaning: str) -> str:
    kind = f"{_type_name(column.type)}, may be null" if column.nullable else _type_name(column.type)
    return f"| `{column.name}` | {kind} | {meaning.replace('|', chr(92) + '|')} |"


def _type_name(kind: pa.DataType) -> str:
    if pa.types.is_map(kind):
        return f"map<{_type_name(kind.key_type)}, {_type_name(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{', '.join(f'{field.name}: {_type_name(field.type)}' for field in kind)}>"
    if pa.types.is_list(kind):
        return f"list<{_type_name(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{', '.join(f'{each.name}: {_type_name(each.type)}' for each in kind)}>"
    if pa.types.is_timestamp(kind):
        return "timestamp (UTC)"
    if pa.types.is_date(kind):
        return "date"
    return str(kind)
