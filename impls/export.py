"""`python -m impls export`: curves of finished or running trainings for other tools that show them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd

from impls.engine.record import read_record
from impls.engine.run_folder import CURVES
from impls.errors import UserError

INSTALL = "exporting to TensorBoard needs one more package: .venv/bin/pip install tensorboardX"


def to_tensorboard(results: Path, output: Path) -> int:
    """Writes the curves of every run below `results` as TensorBoard's event files; returns the number of runs.

    Each replica is a run of TensorBoard, `<experiment>/<cell>/<framework>/seed~<seed>`. Its scalars are
    `<split>/<metric>`, over training iterations. A value that is not finite stays so.

    Raises:
        UserError: no run there, `output` is not empty, or tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise UserError(INSTALL) from None
    folders = sorted(path.parent for path in results.glob("**/run.json") if (path.parent / CURVES).is_file())
    if not folders:
        raise UserError(
            f"{results}: no run there. Give the folder of a preset, such as results/quick, or of a training."
        )
    if output.exists() and any(output.iterdir()):
        raise UserError(f"{output}: not empty; the curves would be there twice. Delete it, or give another --output.")
    for folder in folders:
        started = datetime.fromisoformat(read_record(folder / "run.json").started_at).timestamp()
        for seed, curves in pd.read_parquet(folder / CURVES).groupby("seed"):
            writer = SummaryWriter(str(output / folder.relative_to(results) / f"seed~{seed}"))
            for row in curves.sort_values("iteration", kind="stable").itertuples():
                writer.add_scalar(f"{row.split}/{row.metric}", row.value, row.iteration, walltime=started)
            writer.close()
    return len(folders)
