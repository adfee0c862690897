"""The embedded stand-in for Penn Treebank: text of 50 symbols from a source whose entropy rate is known exactly.

A symbol is one of 25 letters in lower or upper case. Its case is the toss of a coin. Its letter is of one of two kinds,
as vowels and consonants are: the kind that the case of the symbol five places back announces, in 15 of 16 symbols.
Of each kind, the letter before leaves three to choose from, with chances of 12, 3 and 1 in 16. So the next symbol's
entropy is the same whatever came before it, which makes it the entropy rate, in bits per character:

    entropy_rate = 1 (case) + H(15/16, 1/16) (kind) + H(12/16, 3/16, 1/16) (letter of that kind)

No symbol in between depends on the case five places back, so a model that does not look back as far finds both kinds
equally likely, however many of the four nearer symbols it sees:

    entropy_rate_previous_symbol = 1 + 1 + H(12/16, 3/16, 1/16)

This is what a network loses if it cannot learn over five steps. Everything is drawn in whole numbers, so that every
machine gets the same bytes.
"""

import hashlib

import numpy as np

from impls.data.dataset import Dataset, Split
from impls.data.pictures import Dice

KEY = 1993  # Penn Treebank's year; a key once used stays, so that every run has the same text
COUNTS = {"train": 200_000, "valid": 20_000, "test": 20_000}  # symbols
LETTERS = 25
KINDS = 2  # a letter's kind is its remainder
DISTANCE = 5  # places back to the symbol whose case announces the kind
KIND_CHANCES = np.array([15, 1])  # of the kind announced and of the other
LETTER_CHANCES = np.array([12, 3, 1])
CHANCES = KIND_CHANCES.sum() * LETTER_CHANCES.sum()  # 256
WARM_UP = 100  # symbols drawn and left out before the text, enough to forget the first letter


def load_ptb() -> Dataset:
    """Make the stand-in for Penn Treebank.

    Returns: as `impls.data.ptb.load_original`, but 200,000 train, 20,000 valid and 20,000 test symbols, a lower-case
        letter's token its number, an upper-case letter's 25 more; the same bytes on every machine. `Dataset.facts` has
        both entropies of the header, in bits per character.
    """
    dice = Dice(KEY)
    # One text, cut into three: no part of it is in two splits.
    text = draw(letter_chances(dice), sum(COUNTS.values()), dice)
    parts = dict(zip(COUNTS, np.split(text, np.cumsum(list(COUNTS.values()))[:-1]), strict=True))
    files = {f"ptb.{split}.txt": hashlib.sha256(part.tobytes()).hexdigest() for split, part in parts.items()}
    facts = entropies()
    counts = ", ".join(f"{count} {split}" for split, count in COUNTS.items())
    description = (
        f"STAND-IN for Penn Treebank: this suite's Markov source of {2 * LETTERS} symbols, "
        f"entropy rate {facts['entropy_rate']:.3f} bits per character ({counts})"
    )
    splits = {split: Split(part[:-1], part[1:]) for split, part in parts.items()}
    return Dataset("ptb", "stand-in", description, files, splits, facts)


def letter_chances(dice: Dice) -> np.ndarray:
    """In how many of 256 symbols a letter follows: int64 [2 cases five places back, 25 letters before, 25 letters]."""
    chances = np.zeros((KINDS, LETTERS, LETTERS), np.int64)
    for before in range(LETTERS):
        for kind in range(KINDS):
            chosen = dice.shuffled(np.arange(kind, LETTERS, KINDS))[: len(LETTER_CHANCES)]
            for announced in range(KINDS):
                chances[announced, before, chosen] = KIND_CHANCES[int(announced != kind)] * LETTER_CHANCES
    return chances


def draw(chances: np.ndarray, count: int, dice: Dice) -> np.ndarray:
    """Text of `count` symbols: uint8 [count]; `chances` as of `letter_chances`."""
    letters = np.tile(np.arange(LETTERS), KINDS * LETTERS)
    table = np.repeat(letters, chances.ravel()).reshape(KINDS, LETTERS, CHANCES).tolist()
    cases = dice.whole(0, 1, DISTANCE + WARM_UP + count)
    throws = dice.whole(0, int(CHANCES) - 1, WARM_UP + count)
    text, letter = [], 0
    for announced, throw in zip(cases[:-DISTANCE].tolist(), throws.tolist(), strict=True):
        letter = table[announced][letter][throw]
        text.append(letter)
    return (np.array(text) + LETTERS * cases[DISTANCE:]).astype(np.uint8)[WARM_UP:]


def entropies() -> dict[str, float]:
    """The least mean loss of any model, and of one that sees fewer than five symbols, in bits per character."""
    case, letter = 1.0, _entropy(LETTER_CHANCES)
    return {
        "entropy_rate": case + _entropy(KIND_CHANCES) + letter,
        "entropy_rate_previous_symbol": case + _entropy(np.ones(KINDS)) + letter,
    }


def _entropy(chances: np.ndarray) -> float:
    probabilities = chances / chances.sum()
    return float(-(probabilities * np.log2(probabilities)).sum())
