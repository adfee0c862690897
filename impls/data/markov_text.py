"""The embedded stand-in for Penn Treebank: text of 50 symbols from a source whose entropy rate is known exactly.

A symbol is one of 25 letters in lower or upper case, and both cases are equally likely. There are two kinds of letters,
such as vowels and consonants. In 15 of 16 symbols, the case of the symbol five places back decides the kind of the
letter. In each kind, the previous letter allows three letters, with chances of 12, 3 and 1 in 16. So the entropy of the
next symbol does not depend on the text before it. It is the entropy rate, in bits per character:

    entropy_rate = 1 (case) + H(15/16, 1/16) (kind) + H(12/16, 3/16, 1/16) (letter of that kind)

No symbol in between depends on the case five places back. For a model that sees only the last four symbols, both kinds
are therefore equally likely:

    entropy_rate_previous_symbol = 1 + 1 + H(12/16, 3/16, 1/16)

This is the loss of a network that cannot learn over five steps. All random numbers are integers, so every machine gets
the same bytes.
"""

import hashlib

import numpy as np

from impls.data.dataset import Dataset, Split
from impls.data.pictures import Dice

KEY = 1993  # Penn Treebank's year; do not change it: every run must have the same text
COUNTS = {"train": 200_000, "valid": 20_000, "test": 20_000}  # symbols
LETTERS = 25
KINDS = 2  # a letter's kind is its remainder
DISTANCE = 5  # places back to the symbol whose case decides the kind
KIND_CHANCES = np.array([15, 1])  # of the decided kind and of the other
LETTER_CHANCES = np.array([12, 3, 1])
CHANCES = KIND_CHANCES.sum() * LETTER_CHANCES.sum()  # 256
WARM_UP = 100  # symbols drawn and dropped before the text, so that it does not depend on the first letter


def load_ptb() -> Dataset:
    """Make the stand-in for Penn Treebank.

    Returns: as `impls.data.ptb.load_original`, but 200,000 train, 20,000 valid and 20,000 test symbols. The token of a
        lower-case letter is its number; that of an upper-case letter is 25 more. The bytes are the same on every
        machine. `Dataset.facts` has both entropies of the header, in bits per character.
    """
    dice = Dice(KEY)
    # One text is cut into three, so the splits do not overlap.
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
    """Chances of the next letter in 256ths: int64 [2 cases five places back, 25 previous letters, 25 letters]."""
    chances = np.zeros((KINDS, LETTERS, LETTERS), np.int64)
    for before in range(LETTERS):
        for kind in range(KINDS):
            chosen = dice.shuffled(np.arange(kind, LETTERS, KINDS))[: len(LETTER_CHANCES)]
            for announced in range(KINDS):
                chances[announced, before, chosen] = KIND_CHANCES[int(announced != kind)] * LETTER_CHANCES
    return chances


def draw(chances: np.ndarray, count: int, dice: Dice) -> np.ndarray:
    """Text of `count` symbols: uint8 [count]; `chances` as returned by `letter_chances`."""
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
    """The lowest mean loss of any model, and of a model that sees fewer than five symbols, in bits per character."""
    case, letter = 1.0, _entropy(LETTER_CHANCES)
    return {
        "entropy_rate": case + _entropy(KIND_CHANCES) + letter,
        "entropy_rate_previous_symbol": case + _entropy(np.ones(KINDS)) + letter,
    }


def _entropy(chances: np.ndarray) -> float:
    probabilities = chances / chances.sum()
    return float(-(probabilities * np.log2(probabilities)).sum())
