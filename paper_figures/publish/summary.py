"""What README.md, docs/ and the headers of experiments say about the published runs: verdicts, numbers, pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from impls.errors import UserError
from impls.registry import experiments
from paper_figures.claims.judging import judged_claims
from paper_figures.claims.remarks import RESOLVES, meanings_of, resolves_text, verdict_and_remarks
from paper_figures.claims.sections import section
from paper_figures.claims.statistics import UNJUDGED, VERDICTS
from paper_figures.drawing import captions
from paper_figures.drawing.table_files import in_one_line, number_and_interval, our_text
from paper_figures.files import JUDGED_CLAIMS
from paper_figures.names import FRAMEWORKS
from paper_figures.publish.claim_texts import FINDINGS, HYPOTHESES, describe_claim, published_number
from paper_figures.runs import ROOT, Run, all_runs

PUBLISHED = ROOT / "results" / "published"
VERDICTS_PAGE = ROOT / "docs" / "verdicts.md"
EXPERIMENTS = list(experiments())
MOST, FEW = 10, 2  # numbers of one artifact on a page, and on the first page; its table has them all
COMPARABLE = "In brackets: replicas. ± is half a 95% t interval. A blank cell has no run."


class Summary:
    """All claims, judged by the published runs of every device.

    Where several devices have a run for one claim and framework, the one that trained longest is taken, and of equally
    long ones the one with the most replicas. The choice does not depend on the verdict.

    Attributes:
        judged: one row per number and framework, as `judging.judge` makes them, with `device`, the folder of the runs.
        findings: the same for orderings and trends.
        folders: of the devices, below results/published, sorted.
        runs: the runs themselves.
    """

    def __init__(self, published_runs: Path = PUBLISHED) -> None:
        self.folders = sorted(folder for folder in published_runs.glob("*/") if next(folder.rglob("run.json"), None))
        if not self.folders:
            raise UserError(f"{published_runs}: holds no run; it is where the committed results stand.")
        judged: list[pd.DataFrame] = []
        self.runs: list[Run] = []
        for folder in self.folders:
            of_device, _ = judged_claims(folder)
            judged.append(of_device.assign(device=folder.name))
            self.runs += all_runs(folder)
        everything = pd.concat(judged, ignore_index=True)
        everything["waits"] = everything["verdict"].map({word: rank for rank, word in enumerate(UNJUDGED, 1)}).fillna(0)
        furthest = everything.sort_values(
            ["waits", "ours_iteration", "n"], ascending=[True, False, False], kind="stable", na_position="last"
        ).drop_duplicates(["id", "framework"])
        furthest = furthest.sort_index()  # PyTorch before JAX
        order = {claim: place for place, claim in enumerate(everything["id"].unique())}
        furthest = furthest.drop(columns="waits").sort_values("id", key=lambda ids: ids.map(order), kind="stable")
        is_finding, is_ours = (furthest["artifact"] == artifact for artifact in (FINDINGS, HYPOTHESES))
        self.judged, self.findings = furthest[~is_finding & ~is_ours], furthest[is_finding]
        self.hypotheses = furthest[is_ours]

    def all_results(self, page: Path) -> str:
        """The claims that could be judged, by experiment, and how many could not; links are relative to `page`."""
        everything = pd.concat([self.judged, self.findings])
        chosen = pd.concat([self._chosen(self.judged), self._chosen(self.findings)])
        chosen = chosen.sort_values("experiment", key=lambda names: names.map(EXPERIMENTS.index), kind="stable")
        lines = [["Experiment", "What", "Paper", "Framework", "Ours", "n", "Resolves", "Verdict"]]
        lines.append(["---", "---", "---", "---", "---", "--:", "--:", "---"])
        lines += [self._judged_line(row, page) for _, row in chosen.iterrows()]
        return "\n\n".join(
            [
                f"The paper has {_number_of(self.judged, 'number')} that it prints or plots, and "
                f"{_number_of(self.findings, 'finding')} that it states (an ordering, a trend). Each is checked in "
                f"{' and in '.join(FRAMEWORKS.values())}, which train from the same seeds: they are one sample, run "
                "twice. Judged so far, at the paper's sizes, on its data, and a plot's number at its own iteration:",
                _table(lines) if len(chosen) else "None yet.",
                f"*n*: replicas (seeds). ± is half a 95% t interval. {RESOLVES[0].upper()}{RESOLVES[1:]}. "
                f"{meanings_of(chosen, False)} Of one drawing at most {MOST} numbers are shown, those of the most "
                "replicas and then the latest, whatever the verdict.",
                f"**Not known yet**: {self._unjudged_text(everything)} "
                f"([all verdicts by table and figure]({_link(VERDICTS_PAGE, page)}#all-verdicts)). "
                f"({captions.machines_line(self.runs)})",
            ]
        )

    def headline(self, page: Path) -> str:
        """The verdicts in two sentences, and some of the numbers that could be judged."""
        everything = pd.concat([self.judged, self.findings])
        with_verdict = everything[~everything["verdict"].isin(UNJUDGED)]
        shown = pd.concat([self._chosen(self.judged, most=FEW), self._chosen(self.findings, most=FEW)])
        return "\n\n".join(
            [
                f"Of {_number_of(self.judged, 'number')} that the paper prints or plots and "
                f"{_number_of(self.findings, 'finding')} that it states, {with_verdict['id'].nunique()} could be "
                f"judged so far, by runs of the paper's size on its data. {self._counts_of_each(with_verdict)} "
                "The others have no such run yet.",
                self._numbers_table(shown),
                f"{COMPARABLE} At most {FEW} numbers of a plot or table, those of the most replicas "
                f"([all, and the machines]({_link(VERDICTS_PAGE, page)}#what-could-be-judged)).",
            ]
        )

    def counts(self, page: Path) -> str:
        """How many claims have which verdict, by artifact."""
        everything = pd.concat([self.judged, self.findings])
        texts = [
            f"{name}: {self._counts_text(everything[everything['framework'] == framework])}."
            for framework, name in FRAMEWORKS.items()
        ]
        where = [f"[{folder.name}]({_link(folder / JUDGED_CLAIMS, page)})" for folder in self.folders]
        return "\n\n".join(
            [
                f"{everything['id'].nunique()} claims. {' '.join(texts)} Every row, with its reason: "
                f"{', '.join(where)}; `report.html` beside it has the command for each missing run. "
                f"{' / '.join(FRAMEWORKS.values())}:",
                self._counts_table(page),
            ]
        )

    def results_of(self, artifact: str, page: Path) -> str:
        """The numbers of one artifact that have a verdict; where none has, those that runs show so far, and why."""
        rows = self.judged[self.judged["artifact"] == artifact]
        if rows.empty:
            raise UserError(f"{artifact!r}: no claim of claims.csv is about it.")
        return self._paragraph(
            rows, f"{self._linked(artifact, f'`{artifact}`', page)}: {_number_of(rows, 'published number')}"
        )

    def findings_of(self, heading: str, page: Path) -> str:
        """The same of the findings that a section of the paper states."""
        rows = self.findings[self.findings["section"].map(section) == heading]
        if rows.empty:
            raise UserError(f"{heading!r}: no finding of claims.csv is of a section of this name.")
        return self._paragraph(rows, f"{self._linked(FINDINGS, '`claims.csv`', page)}: {_number_of(rows, 'finding')}")

    def hypotheses_of(self, experiment: str, page: Path) -> str:
        """The same of this suite's own hypotheses about an experiment."""
        rows = self.hypotheses[self.hypotheses["experiment"] == experiment]
        if rows.empty:
            raise UserError(f"{experiment!r}: no hypothesis of claims.csv is about an experiment of this name.")
        linked = self._linked(FINDINGS, "`claims.csv`", page)
        return self._paragraph(rows, f"{linked}: {len(rows['id'].unique())} hypotheses")

    def result_line(self, experiment: str) -> str:
        """The runs of one experiment, its verdicts, and the number with the best evidence, whatever its verdict."""
        runs = [run for run in self.runs if run.record.experiment == experiment]
        if not runs:
            return "none yet."
        numbers, findings = (rows[rows["experiment"] == experiment] for rows in (self.judged, self.findings))
        parts = [f"{len(runs)} run{'' if len(runs) == 1 else 's'}.", captions.data_line(runs)]
        parts.append(captions.machines_line(runs))
        rows = pd.concat([numbers, findings])
        if rows.empty:
            return " ".join([*parts, "The paper has no number for this experiment."])
        parts.append(self._counts_of_each(rows))
        choices = (self._chosen(kind, without) for without in (UNJUDGED, ("missing",)) for kind in (numbers, findings))
        best = next((rows for rows in choices if not rows.empty), pd.DataFrame())
        if not best.empty:
            claim = best.sort_values(["n", "ours_iteration"], ascending=False, kind="stable").iloc[0]
            of_claim = rows[rows["id"] == claim["id"]].set_index("framework")
            ours = "; ".join(f"{name} {our_text(of_claim.loc[key], in_one_line)}" for key, name in FRAMEWORKS.items())
            parts.append(f"{describe_claim(claim)}: paper {published_number(claim)}; {ours}.")
        return " ".join(parts)

    def _judged_line(self, row: pd.Series, page: Path) -> list[str]:
        """One claim in one framework, as a line of the table of all results."""
        n = str(row["n"]) + (f" of {row['n'] + row['n_diverged']}" if row["n_diverged"] else "")
        linked = self._linked(row["artifact"], describe_claim(row), page)
        cells = [f"`{row['experiment']}`", linked, published_number(row), FRAMEWORKS[row["framework"]]]
        ours = " ".join(filter(None, number_and_interval(row)))
        return [*cells, ours, n, resolves_text(row), verdict_and_remarks(row)]

    def _unjudged_text(self, rows: pd.DataFrame) -> str:
        """How many claims have no run, or none that can be compared, by framework."""
        parts = []
        for framework, name in FRAMEWORKS.items():
            counts = self._verdict_counts(rows[rows["framework"] == framework])
            parts.append(f"in {name} {' and '.join(f'{counts[word]} {word}' for word in reversed(UNJUDGED))}")
        return f"of {rows['id'].nunique()} claims, {'; '.join(parts)}"

    def _paragraph(self, rows: pd.DataFrame, what: str) -> str:
        head = f"{what}. {self._counts_of_each(rows)}"
        with_verdict = self._chosen(rows)
        if not with_verdict.empty:
            return f"{head} {self._selection_note(with_verdict)}\n\n{self._numbers_table(with_verdict)}"
        shown = self._chosen(rows, ("missing",))
        if shown.empty:
            return f"{head} No run at the paper's size yet."
        reasons = "; ".join(dict.fromkeys(shown.loc[shown["verdict"] == "not comparable", "why"]))
        return f"{head} Not comparable: {reasons}. {self._selection_note(shown)}\n\n{self._numbers_table(shown)}"

    def picture_of(self, artifact: str, page: Path) -> str:
        """The published figure if it shows runs of ours, else where the quick preset draws it."""
        for folder in self.folders:
            figure = folder / "figures" / f"{artifact}.png"
            points = figure.with_suffix(".csv")
            if figure.is_file() and points.is_file():
                sources = pd.read_csv(points).get("source", pd.Series(dtype=str))
                if sources.isin(list(FRAMEWORKS)).any():
                    return f"![{artifact}, from the published runs]({_link(figure, page)})"
        return (
            f"No published run draws `{artifact}` yet. The quick preset does, on stand-in data, to show the ordering "
            f"alone: `results/quick/figures/{artifact}.png`."
        )

    def _counts_table(self, page: Path) -> str:
        lines = [["From the paper", "Numbers", *(word[0].upper() + word[1:] for word in VERDICTS)]]
        lines.append(["---", "--:", *["--:"] * len(VERDICTS)])
        parts = [(*key, rows) for key, rows in self.judged.groupby(["section", "artifact"], sort=False)]
        headings = self.findings["section"].map(section)
        parts += [(f"{key}: findings", FINDINGS, rows) for key, rows in self.findings.groupby(headings, sort=False)]
        for heading, artifact, rows in parts:
            by_framework = [self._verdict_counts(rows[rows["framework"] == framework]) for framework in FRAMEWORKS]
            cells = [" / ".join(str(words[word]) for words in by_framework) for word in VERDICTS]
            cells = ["" if set(cell) <= set("0 /") else cell for cell in cells]
            lines.append([self._linked(artifact, heading, page), str(rows["id"].nunique()), *cells])
        return _table(lines)

    def _numbers_table(self, rows: pd.DataFrame) -> str:
        if rows.empty:
            return "None yet."
        ours = set(rows["artifact"]) == {HYPOTHESES}
        headings = ["What", "Hypothesis" if ours else "Paper", *FRAMEWORKS.values()]
        lines = [headings, ["---"] * len(headings)]
        for _, claim in rows.groupby("id", sort=False):
            first = claim.iloc[0]
            by_framework = claim.set_index("framework")
            cells = [
                our_text(by_framework.loc[name], in_one_line) if name in by_framework.index else ""
                for name in FRAMEWORKS
            ]
            lines.append([describe_claim(first), published_number(first), *cells])
        return _table(lines)

    def _chosen(self, rows: pd.DataFrame, without: tuple[str, ...] = UNJUDGED, most: int = MOST) -> pd.DataFrame:
        """Rows with another verdict than `without`, of each artifact those of `most` claims."""
        kept = rows[~rows["verdict"].isin(without)]
        by_claim = kept.groupby("id", sort=False).agg(
            artifact=("artifact", "first"), n=("n", "max"), iteration=("ours_iteration", "max")
        )
        best = by_claim.sort_values(["n", "iteration"], ascending=False, kind="stable").groupby("artifact").head(most)
        return kept[kept["id"].isin(best.index)]

    def _linked(self, artifact: str, text: str, page: Path) -> str:
        for folder in self.folders:
            for file in (
                f"tables/{artifact}.md",
                f"figures/{artifact}.png",
                *([JUDGED_CLAIMS] if artifact == FINDINGS else []),
            ):
                if (folder / file).is_file():
                    return f"[{text}]({_link(folder / file, page)})"
        return text

    @staticmethod
    def _selection_note(rows: pd.DataFrame) -> str:
        few = rows["id"].nunique() == MOST
        return f"{f'At most {MOST}: those of the most replicas, then the latest. ' if few else ''}{COMPARABLE}"

    def _counts_text(self, rows: pd.DataFrame) -> str:
        counts = self._verdict_counts(rows)
        return ", ".join(f"{counts[word]} {word}" for word in VERDICTS if counts[word])

    def _counts_of_each(self, rows: pd.DataFrame) -> str:
        """The counts of verdicts, by framework: "PyTorch: 1 reproduced, 3 missing. JAX: 4 missing."."""
        by_framework = {
            name: self._counts_text(rows[rows["framework"] == framework]) for framework, name in FRAMEWORKS.items()
        }
        if len(set(by_framework.values())) == 1:
            return f"{' and '.join(by_framework)}: {next(iter(by_framework.values()))} each."
        return " ".join(f"{name}: {counts}." for name, counts in by_framework.items())

    @staticmethod
    def _verdict_counts(rows: pd.DataFrame) -> dict[str, int]:
        words = rows["verdict"].str.partition(" (")[0]
        return {word: int((words == word).sum()) for word in VERDICTS}


def _number_of(rows: pd.DataFrame, noun: str) -> str:
    number = rows["id"].nunique()
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _table(lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _link(file: Path, page: Path) -> str:
    return Path(os.path.relpath(file, page.parent)).as_posix()
