"""What systems heard, scored against the references: the same calls, by the same rules."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pipelines.benchmark.labelled import Labelled
from pipelines.evaluation import Evaluation, Rules, evaluate
from pipelines.evaluation.document import Document

Name = TypeVar("Name", bound=str)

UNDETERMINED = "und"
"""ISO 639-2's code for a language that nobody knows: Whisper's basic normaliser serves it."""


def score_alike(
    calls: Sequence[Labelled], heard: Mapping[Name, Mapping[str, Document]], rules: Rules
) -> dict[Name, Evaluation]:
    """Score the documents of each system, by the name of the recording; all have the same recordings.

    The normaliser of a call is that of the language that its reference names or, where it names none, that
    all systems heard: no figure differs because two texts were normalised by different rules.
    """
    references = {}
    for call in calls:
        documents = [of_system[call.name] for of_system in heard.values() if call.name in of_system]
        languages = {document.language for document in documents if document.language}
        language = call.reference.language or (languages.pop() if len(languages) == 1 else UNDETERMINED)
        facts = {**call.reference.facts, "language": rules.language or language}
        references[call.name] = replace(call.reference, language=language, facts=facts)
    return {
        system: evaluate(
            references,
            {name: replace(document, call=name) for name, document in of_system.items()},
            rules,
            only_paired=True,
        )
        for system, of_system in heard.items()
    }
