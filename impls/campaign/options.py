"""What the command line of a campaign takes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from impls.fields import ClosedModel


class CampaignOptions(ClosedModel):
    """One call of `python -m impls campaign`."""

    budget_minutes: PositiveFloat | None = Field(
        None, description="minutes from now after which nothing runs any more; needed to train"
    )
    out: Path = Field(Path("results/campaign"), description="new folder for results, checkpoints, logs and status.json")
    resume: Path | None = Field(
        None, description="go on with this folder; or with a file of --pack, which is unpacked into --out first"
    )
    configfile: Path = Field(Path("config/campaign.yaml"), description="the list of cells, the most valuable first")
    only: tuple[str, ...] = Field(
        (), description="only runs with one of these patterns in their name, such as 'mnist/*/depth~3' or '/jax/x5'"
    )
    framework: Literal["torch", "jax"] | None = Field(None, description="only this one; not given: they take turns")
    dry_run: bool = Field(False, description="print the plan and train nothing")
    device: Literal["auto", "cpu", "cuda"] | None = Field(None, description="not given: as the list says")
    jobs: PositiveInt | None = Field(
        None, description="cells at once; not given: cores / threads, on a GPU up to 4 while their memory fits"
    )
    threads: PositiveInt | None = Field(
        None, description="CPU threads of each; not given: 1, or the cores shared out among --jobs"
    )
    checkpoint_minutes: NonNegativeFloat = Field(1.0, description="minutes between checkpoints, the most a kill loses")
    changed: Literal["keep", "restart"] | None = Field(
        None,
        description="cells whose checkpoint or result was made by other code or settings. keep: leave them as they "
        "are; restart: move them to set-aside/ and train anew; not given: ask, before anything is done",
    )
    pack: Path | None = Field(
        None,
        description="also write the results, and the checkpoints that fit, into this .tar.gz, every five minutes and "
        "at the end: for machines that keep nothing. Without --budget-minutes: pack --resume's folder, and no more",
    )
    pack_checkpoints: bool = Field(True, description="pack checkpoints too, so that the file can be gone on from")
    pack_mib: PositiveFloat = Field(16.0, description="the most that one packed file may have, in MiB")
    pack_files: PositiveInt = Field(1, description="in how many files of that size the pack may be cut")
