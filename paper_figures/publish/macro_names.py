"""Names in letters alone, as LaTeX wants its macros: digits become number words, the other signs go."""

from __future__ import annotations

import re

_SMALL = (
    *("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve"),
    *("Thirteen", "Fourteen", "Fifteen", "Sixteen", "Seventeen", "Eighteen", "Nineteen"),
)
_TENS = ("Twenty", "Thirty", "Forty", "Fifty", "Sixty", "Seventy", "Eighty", "Ninety")
_LARGE = ((1_000_000, "Million"), (1_000, "Thousand"), (100, "Hundred"))
_PARTS = re.compile(r"(?P<word>[A-Za-z]+)|(?P<whole>\d+)(?:\.(?P<decimals>\d+))?|(?P<range>(?<=\d)-(?=\d))")


def in_letters(text: str) -> str:
    """`text` in camel case: "cifar10/0.15-0.20/5000" is CifarTenZeroPointOneFiveToZeroPointTwoZeroFiveThousand."""
    words = []
    for part in _PARTS.finditer(text):
        if part["word"]:
            words.append(part["word"][0].upper() + part["word"][1:])
        elif part["range"]:
            words.append("To")
        else:
            words.append(number_word(int(part["whole"])))
            if part["decimals"]:
                words += ["Point", *(_SMALL[int(digit)] for digit in part["decimals"])]
    return "".join(words)


def number_word(number: int) -> str:
    """A whole number from 0 on in words without spaces: 78750 is SeventyEightThousandSevenHundredFifty."""
    if number < len(_SMALL):
        return _SMALL[number]
    if number < 100:
        rest = number % 10
        return _TENS[number // 10 - 2] + (_SMALL[rest] if rest else "")
    unit, word = next((unit, word) for unit, word in _LARGE if number >= unit)
    rest = number % unit
    return number_word(number // unit) + word + (number_word(rest) if rest else "")
