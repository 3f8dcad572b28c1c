"""How positive English sentences are, by VADER (Hutto and Gilbert 2014): a lexicon and rules, no network."""

from collections.abc import Sequence

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

LANGUAGES = frozenset({"en"})
"""Languages of the lexicon."""


class SentimentModel:
    """VADER's lexicon in memory."""

    def __init__(self) -> None:
        """Read the lexicon, which is a file of the installed package."""
        self._analyser = SentimentIntensityAnalyzer()

    def serves(self, language: str) -> bool:
        """Whether the lexicon is of the language."""
        return language in LANGUAGES

    def score(self, sentences: Sequence[str]) -> tuple[float, ...]:
        """VADER's compound score of each sentence, from -1, most negative, to 1; 0 is neutral."""
        return tuple(float(self._analyser.polarity_scores(sentence)["compound"]) for sentence in sentences)
