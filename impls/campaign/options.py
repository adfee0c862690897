"""The command-line options of a campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from impls.fields import ClosedModel, Count, GivenPath, Processes


class CampaignOptions(ClosedModel):
    """One call of `python -m impls campaign`."""

    budget_minutes: PositiveFloat | None = Field(
        None, description="time for the whole campaign, in minutes from now; required for training"
    )
    out: GivenPath = Field(Path("results/campaign"), description="new folder for results, logs and status.json")
    resume: GivenPath | None = Field(
        None, description="continue the campaign in this folder, or in a file of --pack, which is unpacked into --out"
    )
    configfile: GivenPath = Field(Path("config/campaign.yaml"), description="the list of cells, most valuable first")
    only: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="only runs whose name contains one of these patterns, such as 'mnist/*/depth~3' or '/jax/x5'"
    )
    framework: Literal["torch", "jax"] | None = Field(None, description="only this framework; not given: both")
    dry_run: bool = Field(False, description="print the plan and train nothing")
    device: Literal["auto", "cpu", "cuda"] | None = Field(None, description="not given: as in the list")
    jobs: Processes | None = Field(
        None, description="cells at once; not given: cores / threads, or on a GPU up to 4 if they fit into its memory"
    )
    threads: Processes | None = Field(
        None, description="CPU threads of each cell; not given: 1, or with --jobs the cores divided by the jobs"
    )
    checkpoint_minutes: NonNegativeFloat = Field(
        1.0, description="minutes between checkpoints, the most that a kill loses"
    )
    changed: Literal["keep", "restart"] | None = Field(
        None,
        description="for cells whose checkpoint or result was made by other code or settings. keep: leave them as "
        "they are; restart: move them to set-aside/ and train them again; not given: stop and list them",
    )
    pack: GivenPath | None = Field(
        None,
        description="also write the results, and the checkpoints that fit, into this .tar.gz, every five minutes and "
        "at the end: for machines that keep no files. Without --budget-minutes: only pack the folder of --resume",
    )
    pack_checkpoints: bool = Field(True, description="also pack checkpoints, so that the campaign can be resumed")
    pack_mib: PositiveFloat = Field(16.0, description="maximum size of one packed file, in MiB")
    pack_files: Count = Field(1, description="maximum number of files of that size")
