"""Who speaks when: diarization error rate, by pyannote.metrics."""

from collections.abc import Sequence

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from pipelines.evaluation.document import Span
from pipelines.evaluation.rates import DiarizationError


def diarization_errors(
    reference: Sequence[Span], hypothesis: Sequence[Span], scored: Sequence[Span] | None, collar: float
) -> DiarizationError:
    """DER with overlapped speech, without what is within `collar` seconds on either side of a boundary.

    Only what is in `scored` counts, or everything where it is None.
    """
    if scored is None:
        scored = [Span(0.0, max((span.end for span in (*reference, *hypothesis)), default=0.0))]
    # pyannote.metrics takes the width of the whole collar, half of it on either side.
    metric = DiarizationErrorRate(collar=2 * collar)
    found = metric.compute_components(
        _annotation(reference),
        _annotation(hypothesis),
        uem=Timeline([Segment(span.start, span.end) for span in scored]),
    )
    return DiarizationError(
        float(found["missed detection"]),
        float(found["false alarm"]),
        float(found["confusion"]),
        float(found["total"]),
    )


def _annotation(spans: Sequence[Span]) -> Annotation:
    annotation = Annotation()
    for track, span in enumerate(spans):
        annotation[Segment(span.start, span.end), track] = span.speaker
    return annotation
