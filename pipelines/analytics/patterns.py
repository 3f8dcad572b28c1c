"""Rules for what calls are full of and a model trained on writing misses: numbers of cards, accounts and
telephones, sums of money, dates, times and addresses, as recognisers write what people say.

Presidio, which does this for writing, does not know digits that are spelled out, and fetches a list of
domains when it starts; what it adds beyond that, libphonenumber's knowledge of numbers, is used here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import phonenumbers

from models.language import Span
from pipelines.analytics.numbers import SaidNumber, find_said_numbers


@dataclass(frozen=True)
class Pattern(Span):
    """A stretch of a text that a rule recognised; `kind` is one of those of the table `entities`."""

    kind: str


@dataclass(frozen=True)
class _Said:
    """What the rules look at: a text, the numbers in it, and what was said before it."""

    text: str
    language: str
    before: str
    numbers: Sequence[SaidNumber]


def find_patterns(text: str, language: str, before: str = "") -> tuple[Pattern, ...]:
    """What the rules find in a text, in order and without overlap.

    `before` is what was said before it, which may have asked for the number that is in the text. Written
    numbers and addresses are found in any language; words for numbers where text2num knows them; words for
    money, dates and times, and what the words around a number make of it, in English.
    """
    said = _Said(text, language, before, find_said_numbers(text, language))
    found: list[Pattern] = []
    for rule in _RULES:
        for pattern in rule(said):
            if not any(pattern.overlaps(other) for other in found):
                found.append(pattern)
    return tuple(sorted(found, key=lambda pattern: pattern.start))


# E-mail addresses

_TOP: Final = r"(?:com|org|net|edu|gov|info|biz|io|co(?:\.uk| dot uk)?|uk|ca|us|de|es|fr|it|nl|eu)"
_NAME: Final = r"[\w+-]+(?:(?:\.| dot | underscore | dash )[\w+-]+)*"
_DOMAIN: Final = rf"[\w-]+(?:(?:\.| dot )[\w-]+)*?(?:\.| dot ){_TOP}\b"
_EMAIL: Final = re.compile(rf"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b{_NAME}\s?@\s?{_DOMAIN}", re.IGNORECASE)
_SPOKEN_EMAIL: Final = re.compile(rf"\b({_NAME}) at ({_DOMAIN})", re.IGNORECASE)
_MAIL_HOST: Final = re.compile(r"g ?mail|yahoo|hotmail|outlook|icloud|aol|proton ?mail|mail", re.IGNORECASE)
_SAYS_MAIL: Final = re.compile(r"\be-?\s?mail", re.IGNORECASE)


def _emails(said: _Said) -> Iterator[Pattern]:
    for match in _EMAIL.finditer(said.text):
        yield Pattern(match.start(), match.end(), "email")
    for match in _SPOKEN_EMAIL.finditer(said.text):
        # "Visit us at example.com" is a web site.
        spelled = re.search(r"\W|\d", match[1]) is not None
        if (
            spelled
            or _MAIL_HOST.match(match[2])
            or _SAYS_MAIL.search(said.before + said.text[: match.start()])
        ):
            yield Pattern(match.start(), match.end(), "email")


# Money and percentages

_SCALE: Final = r"(?:\s(?:hundred|thousand|million|billion|grand))?"
_FIGURE: Final = r"\d+(?:[.,]\d{3})*(?:[.,]\d{1,2})?"
_SYMBOL_MONEY: Final = re.compile(rf"[$£€¥]\s?{_FIGURE}{_SCALE}|\b{_FIGURE}{_SCALE}\s?[£€¥]", re.IGNORECASE)
_CURRENCIES: Final = r"(?:US\s)?(?:dollars?|bucks|cents?|euros?|quid|pence|dólares|pesos|céntimos|centimes)\b"
_CURRENCY: Final = re.compile(rf"{_SCALE}[\s-]{_CURRENCIES}", re.IGNORECASE)
_CURRENCY_OR_POUNDS: Final = re.compile(
    rf"{_SCALE}[\s-](?:{_CURRENCIES}|pounds?\b(?:\s\d\d\b)?)", re.IGNORECASE
)
_PAYING: Final = re.compile(
    r"\b(?:pay|paid|cost|charge|price|fee|bill|refund|owe|transfer|amount|deposit|balance|money|payment)|pence",
    re.IGNORECASE,
)
"""Pounds are money beside words such as these; else the model decides, which also knows them as weight."""
_AND_CENTS: Final = re.compile(r"(?:,? and |,? )")
_UNIT: Final = re.compile(
    r"\s?-?(?:mg|mcg|ml|kg|km|cm|mm|(?:milli|micro|kilo)?(?:grams?|met(?:er|re)s?|lit(?:er|re)s?)|kilos?|miles?"
    r"|inch(?:es)?|ounces?|(?:mega|giga)(?:bits?|bytes?))\b",
    re.IGNORECASE,
)
"""Units of which doses and distances are spoken, and which the model misses."""
_PERCENT: Final = re.compile(r"\s?(?:%|per\s?cent\b)", re.IGNORECASE)


def _money(said: _Said) -> Iterator[Pattern]:
    spans = [Span(*match.span()) for match in _SYMBOL_MONEY.finditer(said.text)]
    for number in said.numbers:
        around = said.text[max(0, number.start - _BEFORE) : number.end + _AFTER]
        unit = _CURRENCY_OR_POUNDS if _PAYING.search(around) else _CURRENCY
        if match := unit.match(said.text, number.end):
            spans.append(Span(_figure_start(said.text, number), match.end()))
    for span in _joined(spans, said.text, _AND_CENTS):
        yield Pattern(span.start, span.end, "money")


def _quantities(said: _Said) -> Iterator[Pattern]:
    for number in said.numbers:
        if match := _UNIT.match(said.text, number.end):
            yield Pattern(_figure_start(said.text, number), match.end(), "quantity")


def _percentages(said: _Said) -> Iterator[Pattern]:
    for number in said.numbers:
        if match := _PERCENT.match(said.text, number.end):
            yield Pattern(_figure_start(said.text, number), match.end(), "percent")


def _figure_start(text: str, number: SaidNumber) -> int:
    """Where the figure begins of which `number` is the last part, as 50 is of 1,860.50."""
    before = re.search(r"\d[\d.,]*[.,]$", text[: number.start]) if number.written else None
    return before.start() if before else number.start


def _joined(spans: Sequence[Span], text: str, link: re.Pattern[str]) -> Iterator[Span]:
    """The spans in order, one for those that overlap or have nothing but `link` between them."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        last = joined[-1] if joined else None
        if last and (span.start <= last.end or link.fullmatch(text, last.end, span.start)):
            joined[-1] = Span(last.start, max(last.end, span.end))
        else:
            joined.append(span)
    yield from joined


# Dates and times

_MONTH: Final = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DAY: Final = r"(?:[12]?\d|3[01])(?:st|nd|rd|th)?"
_DATE: Final = re.compile(
    rf"\b(?:\d{{4}}-\d\d-\d\d|\d{{1,2}}[/.-]\d{{1,2}}[/.-](?:\d{{4}}|\d\d)"
    rf"|(?-i:{_MONTH})\s(?:the\s)?{_DAY}(?:,?\s(?:19|20)\d\d)?"
    rf"|(?:the\s)?{_DAY}\s(?:of\s)?(?-i:{_MONTH})(?:,?\s(?:19|20)\d\d)?)\b",
    re.IGNORECASE,
)
_HOUR: Final = r"(?:[01]?\d|2[0-3]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_MINUTES: Final = r"(?:[:.\s][0-5]\d|[\s-](?:ten|fifteen|twenty|thirty|forty|fifty)(?:[\s-]five)?)"
_HALF: Final = r"(?:[ap]\.?\s?m\b\.?)"
_TIME: Final = re.compile(
    rf"\b(?:(?:[01]?\d|2[0-3]):[0-5]\d(?:\s?{_HALF})?|{_HOUR}{_MINUTES}?\s?{_HALF}|{_HOUR}\so'?clock\b"
    rf"|(?:half|quarter)\s(?:past|to)\s{_HOUR}\b|(?:noon|midnight)\b)",
    re.IGNORECASE,
)


def _dates(said: _Said) -> Iterator[Pattern]:
    for match in _DATE.finditer(said.text):
        yield Pattern(match.start(), match.end(), "date")


def _times(said: _Said) -> Iterator[Pattern]:
    for match in _TIME.finditer(said.text):
        yield Pattern(match.start(), match.end(), "time")


# Strings of digits

_GROUP_GAP: Final = re.compile(r"\s?[\s.-]\s?|\s?\)[\s-]?|\s?\(")
"""Between the groups of one number, as in "(415) 555-2671"."""
_DIGIT_GAP: Final = re.compile(r"\s?[\s,.…-]+\s?")
"""Between digits that are said one by one, with the pauses that a recogniser writes as punctuation."""

_BEFORE: Final = 60
_AFTER: Final = 30
_ASKED: Final = 120
"""Characters before a number, behind it, and of the turn before, that may say what number it is."""

_CONTEXT: Final = {
    "card_number": r"card|visa|mastercard|amex",
    "phone_number": (
        r"phone|telephone|cell|mobile|call (?:me|you|us|him|her)|call ?back|reach (?:me|you|us)|dial"
    ),
    "account_number": (
        r"account|acct|policy|reference|order|case|ticket|confirmation|member(?:ship)?|claim|invoice|tracking"
        r"|booking|reservation|customer number|serial|routing|sort code"
    ),
    "national_id": r"social security|social|national insurance",
    "postal_code": r"(?:zip|postal)(?: code)?|post ?code",
    "digits": r"pin|code|extension|digits|password|ending in",
}
_CONTEXTS: Final = re.compile(
    "|".join(rf"(?P<{kind}>\b(?:{words})\b)" for kind, words in _CONTEXT.items()), re.IGNORECASE
)

_LEAST_DIGITS: Final = 4
"""Digits of a string that is spelled out; fewer are as often a count."""
_LEAST_GROUPED: Final = 6
"""Digits that groups of more than one have together; fewer are as often two numbers in a row."""
_LEAST_ACCOUNT: Final = 5
_CARD_LENGTHS: Final = range(12, 20)
_PHONE_LENGTHS: Final = range(7, 16)

_REGIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("US", "GB", "AU", "IE", "NZ", "IN"),
    "es": ("ES", "MX", "AR", "CO", "US"),
    "fr": ("FR", "BE", "CA", "CH"),
    "de": ("DE", "AT", "CH"),
    "it": ("IT", "CH"),
    "pt": ("PT", "BR"),
    "nl": ("NL", "BE"),
    "pl": ("PL",),
    "ru": ("RU",),
    "ja": ("JP",),
    "zh": ("CN", "TW", "HK"),
}
"""Where a number without its country's code may be from, by language."""

_REFERENCE: Final = re.compile(r"\b(?=[A-Z-]*\d)(?=[\d-]*[A-Z])[A-Z\d]+(?:-[A-Z\d]+)*\b")


def _digit_strings(said: _Said) -> Iterator[Pattern]:
    text = said.text
    for run in _runs(text, said.numbers):
        start, end = run[0].start, run[-1].end
        digits, context = "".join(number.digits for number in run), _context(said, start, end)
        if not _is_string(run, digits, context):
            continue
        if text[start - 1 : start] in ("+", "("):
            start -= 1
        yield Pattern(start, end, _kind_of(digits, context, text[start] == "+", said.language))


def _references(said: _Said) -> Iterator[Pattern]:
    for match in _REFERENCE.finditer(said.text):
        if len(match[0]) >= _LEAST_ACCOUNT and _context(said, *match.span()) == "account_number":
            yield Pattern(match.start(), match.end(), "account_number")


def _runs(text: str, numbers: Sequence[SaidNumber]) -> Iterator[Sequence[SaidNumber]]:
    """Numbers that follow each other as parts of one."""
    run: list[SaidNumber] = []
    for number in numbers:
        if run and not _continues(run[-1], number, text[run[-1].end : number.start]):
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def _continues(before: SaidNumber, after: SaidNumber, gap: str) -> bool:
    one_by_one = len(before.digits) == len(after.digits) == 1
    return bool(_GROUP_GAP.fullmatch(gap) or (one_by_one and _DIGIT_GAP.fullmatch(gap)))


def _is_string(run: Sequence[SaidNumber], digits: str, context: str) -> bool:
    if len(digits) < _LEAST_DIGITS:
        return False
    if len(run) == 1:
        [number] = run
        year = len(digits) == 4 and digits.startswith(("19", "20"))
        return number.written and (context != "" or (len(digits) > 4 and not year))
    if all(len(number.digits) == 1 for number in run):
        return True
    return context != "" or len(digits) >= _LEAST_GROUPED


def _context(said: _Said, start: int, end: int) -> str:
    """What the words around say that the number is: those before it, else behind it, else what was asked."""
    before = list(_CONTEXTS.finditer(said.text, max(0, start - _BEFORE), start))
    asked = list(_CONTEXTS.finditer(said.before, max(0, len(said.before) - _ASKED)))
    match = before[-1] if before else _CONTEXTS.search(said.text, end, end + _AFTER)
    match = match or (asked[-1] if asked else None)
    return (match.lastgroup or "") if match else ""


def _kind_of(digits: str, context: str, international: bool, language: str) -> str:
    length = len(digits)
    if length in _CARD_LENGTHS and (context == "card_number" or (length > 12 and _passes_luhn(digits))):
        return "card_number"
    if context == "national_id" and length == 9:
        return "national_id"
    if context == "postal_code" and length in (5, 9):
        return "postal_code"
    if length in _PHONE_LENGTHS and (
        international
        or context == "phone_number"
        or (context not in ("card_number", "account_number") and _is_phone_number(digits, language))
    ):
        return "phone_number"
    if context == "account_number" and length >= _LEAST_ACCOUNT:
        return "account_number"
    return "digits"


def _passes_luhn(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1, annex B)."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def _is_phone_number(digits: str, language: str) -> bool:
    for region in _REGIONS.get(language, ()):
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(digits, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


_POSTAL_CODE: Final = re.compile(
    r"\b(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[A-Z] \d[A-Z]\d"
    r"|(?<=[A-Z]{2} )\d{5}(?:-\d{4})?)\b"
)
"""Of the United Kingdom, of Canada, and of the United States behind the letters of a state."""


def _postal_codes(said: _Said) -> Iterator[Pattern]:
    for match in _POSTAL_CODE.finditer(said.text):
        yield Pattern(match.start(), match.end(), "postal_code")


_RULES: Final[Sequence[Callable[[_Said], Iterator[Pattern]]]] = (
    _emails,
    _money,
    _percentages,
    _dates,
    _times,
    _quantities,
    _postal_codes,
    _references,
    _digit_strings,
)
"""Whoever comes first has the stretch."""
