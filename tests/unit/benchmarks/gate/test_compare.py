"""`python -m benchmarks compare` on stored files: every verdict, every exit code, every reason not to compare."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from benchmarks.gate.evidence import why_not_comparable
from benchmarks.gate.report import percent
from tests.support.gate_records import CALM, NAME, RESULT, benchmark, by_pytest, record, saved


@pytest.mark.parametrize(
    ("slowdown", "scatter", "code", "word"),
    [(0.10, 1, 1, "slower"), (0.0, 1, 0, "not slower"), (-0.3, 1, 0, "not slower"), (0.03, 1, 2, "inconclusive")],
)
def test_verdict_and_exit_code_of_one_benchmark(judge, slowdown, scatter, code, word):
    found, out, _ = judge(saved(benchmark(slowdown, scatter=scatter)))
    assert found == code
    assert out.splitlines()[0].startswith(f"{word:14} torch {NAME}  ")
    assert out.splitlines()[-1] == f"1 {word}: exit code {code}"


def test_the_change_and_its_interval_are_said(judge):
    """By hand from CALM without its smallest and largest pair; t with 7 degrees of freedom, 5% per side and look."""
    kept = sorted(CALM)[1:-1]
    winsorized = [kept[0], *kept, kept[-1]]
    error = math.sqrt(sum((x - np.mean(winsorized)) ** 2 for x in winsorized) / (8 * 7))
    for looks, quantile in ((1, 1.894579), (2, 2.364624)):
        low, high = (100 * math.expm1(0.1 + np.mean(kept) + sign * quantile * error) for sign in (-1, 1))
        _, out, _ = judge(saved(benchmark(0.1), looks=looks))
        assert f"{percent(0.1 + np.mean(kept))} ({low:+.1f}% to {high:+.1f}%), 10 pairs\n" in out


def test_more_noise_makes_it_inconclusive(judge):
    assert judge(saved(benchmark(0.10, scatter=20)))[0] == 2
    assert judge(saved(benchmark(0.0, scatter=20)))[0] == 2


def test_the_gravest_verdict_gives_the_exit_code_and_stands_first(judge):
    good, slow = benchmark(0.0, "a/good/x1"), benchmark(0.2, "b/slow/x1")
    open_, other = benchmark(0.03, "c/open/x1"), benchmark(0.0, "d/other/x1", threads=4)
    assert judge(saved(good, slow, open_, other))[0] == 1
    code, out, _ = judge(saved(good, open_, other))
    assert code == 3
    assert [line[:14].strip() for line in out.splitlines()[:3]] == ["not comparable", "inconclusive", "not slower"]
    assert out.splitlines()[-1] == "1 not comparable, 1 inconclusive, 1 not slower: exit code 3"
    assert judge(saved(good, open_))[0] == 2
    assert judge(saved(good))[0] == 0


def test_holm_runs_over_all_benchmarks(judge):
    """Alone it is slower, p = 0.0017; among forty others it would have to be below 0.05 / 41."""
    doubtful = benchmark(0.042, "a/doubtful/x1")
    assert judge(saved(doubtful))[0] == 1
    others = [benchmark(0.0, f"b/{i}/x1") for i in range(40)]
    assert judge(saved(doubtful, *others))[0] == 2
    also_those_that_cannot_be_compared = [benchmark(0.0, f"b/{i}/x1", reason="broken") for i in range(40)]
    code, out, _ = judge(saved(doubtful, *also_those_that_cannot_be_compared))
    assert code == 3 and "inconclusive   torch a/doubtful/x1" in out


def test_the_looks_of_a_saved_comparison_are_counted(judge):
    """p = 0.01."""
    assert judge(saved(benchmark(0.038)))[0] == 1
    assert judge(saved(benchmark(0.038), looks=20))[0] == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"machine__cpu": "another"}, "different cpu: a cpu and another"),
        ({"machine__driver": "590.2"}, "different driver: 580.1 and 590.2"),
        ({"machine__name": "b gpu"}, "different name: a gpu and b gpu"),
        ({"machine__governor": "powersave"}, "different governor: none and powersave"),
        ({"precision": "tf32"}, "different precision: fp32 and tf32"),
        ({"threads": 4}, "different threads: 2 and 4"),
        ({"versions__torch": "2.14.0"}, "different torch: 2.13.0 and 2.14.0"),
        ({"case__steps": 50}, "different steps: 20 and 50"),
        (
            {"result": [1.3 * x for x in RESULT]},
            "result differs: by 0.3 of what training changed; the tolerance is 0.1",
        ),
        ({"result": [math.nan, *RESULT[1:]]}, "result differs: that of head is not finite"),
    ],
)
def test_what_is_not_comparable_is_refused_with_its_reason(judge, change, reason):
    """However fast HEAD is."""
    code, out, _ = judge(saved(benchmark(-0.5, **change)))
    assert code == 3
    assert out.splitlines()[0] == f"not comparable torch {NAME}  {reason}"


def test_a_result_that_differs_by_rounding_is_the_same(judge):
    assert judge(saved(benchmark(0.0, result=[1.05 * x for x in RESULT])))[0] == 0


def test_one_other_record_is_enough():
    base, head = [record() for _ in range(5)], [record() for _ in range(5)]
    assert why_not_comparable(base, head, 0.1) is None
    for side, name in ((base, "base"), (head, "head")):
        side[3] = record(sources_sha256="1")
        assert why_not_comparable(base, head, 0.1) == f"the code of {name} changed while it was measured"
        side[3] = record(threads=1)
        assert why_not_comparable(base, head, 0.1) == "different threads: 2 and 1"
        side[3] = record()
    head = [record(sources_sha256="1") for _ in range(5)]  # base and head are meant to have different code
    assert why_not_comparable(base, head, 0.1) is None
    base, head = [record(result=[0.0] * 64)], [record()]
    assert why_not_comparable(base, head, 0.1).startswith("result differs: by all of what")


def test_a_benchmark_that_one_side_lacks_is_not_comparable(judge, tmp_path):
    other = record(benchmark="feedforward/bprop/x1")
    both = [by_pytest(tmp_path / f"{i}.json", record(), *extra) for i, extra in enumerate([[other], []])]
    code, out, _ = judge(*both)
    assert code == 3 and "not comparable torch feedforward/bprop/x1  no measurement in head" in out
    code, out, _ = judge(*reversed(both))
    assert code == 3 and "not comparable torch feedforward/bprop/x1  no measurement in base" in out


def test_the_reason_of_a_failure_is_kept(judge):
    broken = benchmark(0.0, reason="head ended with exit code 1: ImportError: no") | {"pairs": []}
    code, out, _ = judge(saved(broken, benchmark(0.0, "a/good/x1")))
    assert code == 3 and f"torch {NAME}  head ended with exit code 1: ImportError: no" in out


@pytest.mark.parametrize(("slowdown", "code"), [(0.1, 1), (0.0, 0), (0.03, 2)])
def test_several_files_of_pytest_make_an_interval(judge, tmp_path, slowdown, code):
    """Eight separate processes on each side, which scatter by 1%."""
    for i, x in enumerate(CALM[:8]):
        by_pytest(tmp_path / f"base-{i}.json", record(x))
        by_pytest(tmp_path / f"head-{i}.json", record(slowdown + x))
    found, out, _ = judge(f"{tmp_path}/base-*.json", f"{tmp_path}/head-*.json")
    assert found == code and ", 8 processes per side" in out


def test_one_file_of_pytest_a_side_decides_nothing(judge, tmp_path):
    base, head = (by_pytest(tmp_path / f"{name}.json", record(x)) for name, x in (("a", 0.0), ("b", 0.5)))
    code, out, _ = judge(base, head)
    assert code == 2 and "+64.9%; one process per side does not show how processes differ: measure more" in out


def test_two_saved_comparisons_are_combined(judge):
    """The base is that of the first, the head that of the second."""
    first, second = saved(benchmark(5.0, reason="its head is broken")), saved(benchmark(0.1))
    for pair in second["benchmarks"][0]["pairs"]:
        pair["base"]["seconds_per_step"] = 99.0
    code, out, _ = judge(first, second)
    assert code == 1 and "+10." in out and "10 processes per side" in out


def test_benchmarks_and_framework_choose(judge):
    content = saved(benchmark(0.2, "a/slow/x1"), benchmark(0.0, "b/good/x1"))
    assert judge(content, None, "--benchmarks", "b/*")[0] == 0
    assert judge(content, None, "--benchmarks", "none,b/*")[0] == 0
    assert judge(content, None, "--benchmarks", "a/*,b/*")[0] == 1
    assert judge(content, None, "--framework", "torch")[0] == 1
    code, _, err = judge(content, None, "--framework", "jax")
    assert code == 4 and err == "error: no benchmark in these files matches '*' and framework jax\n"


def test_the_summary_for_a_pull_request(judge, tmp_path):
    pairs = benchmark(0.1)
    pairs["pairs"][3]["busy"] = pairs["pairs"][0]["busy"] = True  # the first does not count
    judge(saved(pairs, benchmark(0.0, "a/other/x1", threads=4)), None, "--markdown", str(tmp_path / "summary.md"))
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("### Speed: 1 slower, 1 not comparable\n")
    row = next(line for line in text.splitlines() if "**slower**" in line)
    assert re.fullmatch(
        r"\| \*\*slower\*\* \| torch feedforward/dni/x1 \| 10 \| 11(\.\d)? \| 100 \| \+10.*%\), .* \| 3% \|", row
    )
    assert ", 10 pairs, 1 of them on a busy machine | 3% |" in row
    assert text.index("**slower**") < text.index("| not comparable | torch a/other/x1 |")
    assert (
        "cpu a cpu, cores 2, name a gpu, driver 580.1, python 3.12.1, torch 2.13.0, threads 2, precision fp32." in text
    )
