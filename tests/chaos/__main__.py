"""Attacks the suite at random for as long as one likes, and prints how often it did the right thing.

  python -m tests.chaos --minutes 3            all kinds, in turn
  python -m tests.chaos --minutes 60 --only stop
  python -m tests.chaos --minutes 60 --page docs/reliability.md     and writes the table into this page
  python -m tests.chaos --seed 7 --only damage_pack --count 1     one attack again, as a line about a fault says

Exit code 0; 1 if anything went wrong, and then the folders of those attacks are kept.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from impls.repository import commit_of_code
from tests.chaos import damage, nonsense, stops
from tests.chaos.outcomes import Tally, Wrong, with_block
from tests.support.signals import reach_children

Attack = Callable[[random.Random, Path, Path], None]
ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        stops.stop_training,
        stops.stop_campaign,
        stops.stop_workflow,
        stops.fill_the_disk,
        damage.damage_result,
        damage.damage_checkpoint,
        damage.damage_drawn_run,
        damage.damage_drawing,
        damage.damage_pack,
        nonsense.random_spec,
        nonsense.random_preset,
        nonsense.random_flags,
    )
}


def attack(name: str, number: int, place: Path) -> str | None:
    """Run one attack; returns what went wrong, or None. Its random numbers are those of its name and number."""
    folder = place / f"{name}-{number}"
    folder.mkdir()
    try:
        ATTACKS[name](random.Random(f"{name} {number}"), place, folder)
    except Wrong as wrong:
        return f"{wrong} (again: python -m tests.chaos --seed {number} --only {name} --count 1)"
    except Exception as error:  # a defect of the suite, or of an attack
        return f"{type(error).__name__}: {error} (again: python -m tests.chaos --seed {number} --only {name} --count 1)"
    shutil.rmtree(folder, ignore_errors=True)
    return None


def run(names: list[str], seed: int, place: Path, enough: Callable[[Tally], bool]) -> Tally:
    """Attack in turn until it is enough."""
    tally, number = Tally(), seed
    while not enough(tally):
        for name in names:
            tally.add(name, attack(name, number, place))
            if tally.wrong and tally.wrong[-1].startswith(name) and sys.stderr.isatty():
                print(tally.wrong[-1], file=sys.stderr)
            if enough(tally):
                break
        number += 1
    return tally


def main() -> int:
    """Attack as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="how long (%(default)s)")
    parser.add_argument("--count", type=int, help="how many attacks, instead of a time")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="number of the first attack (random)")
    parser.add_argument("--only", default="", help=f"attacks with this in their names: {', '.join(ATTACKS)}")
    parser.add_argument("--page", type=Path, help="a page into which the table is written, between its markers")
    options = parser.parse_args()
    names = [name for name in ATTACKS if options.only in name]
    if not names:
        parser.error(f"no attack has {options.only!r} in its name")
    place, until = Path(tempfile.mkdtemp(prefix="dni-chaos-")), time.monotonic() + 60 * options.minutes

    def enough(tally: Tally) -> bool:
        return sum(tally.tried.values()) >= options.count if options.count else time.monotonic() > until

    reach_children()
    tally = run(names, options.seed, place, enough)
    print(tally.as_markdown())
    if options.page:
        told = f"{date.today().isoformat()}, commit {commit_of_code()}, attacks from number {options.seed} on:"
        options.page.write_text(with_block(options.page.read_text(), f"{told}\n\n{tally.as_markdown()}"))
    for wrong in tally.wrong:
        print(f"- {wrong}")
    if tally.wrong:
        print(f"\nkept: {place}")
        return 1
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
