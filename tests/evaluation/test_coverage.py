"""Intervals hold the population's value as often as they say, and the page says how often."""

import pytest

from tests.evaluation.coverage import (
    HIGH,
    LARGE,
    LOW,
    PAGE,
    SMALL,
    all_cases,
    all_estimates,
    coverage,
    mean_estimate,
)

CASES = all_cases()
ESTIMATES = all_estimates()


def name(case):
    return f"{case[0]}: {case.population}"


def rows(table):
    text = PAGE.read_text("utf-8").split(f"<!-- {table}:begin -->")[1]
    lines = text.split(f"<!-- {table}:end -->")[0].strip().splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=name)
def test_intervals_hold_the_population_value_as_often_as_they_say(case):
    repeats = 300 if case.is_slow else 1000
    found = coverage(case, SMALL, repeats, seed=1)
    # What so few draws leave open: three standard errors.
    slack = 3 * (0.05 * 0.95 / repeats) ** 0.5
    if not case.why:
        assert LOW - slack <= found <= HIGH + slack
    else:
        assert found >= 0.84


@pytest.mark.slow
@pytest.mark.parametrize("estimate", ESTIMATES, ids=name)
def test_what_is_called_unbiased_is(estimate):
    found, error = mean_estimate(estimate, SMALL, 200, seed=1)
    if estimate.metric == "KID":
        assert found == pytest.approx(estimate.truth, abs=3 * error)
    if estimate.metric in ("NMI", "Fréchet"):
        assert found > estimate.truth + 3 * error


def test_the_page_gives_the_coverage_of_every_case():
    found = rows("coverage")
    assert [row[:2] for row in found] == [list(case[:2]) for case in CASES]
    for row, case in zip(found, CASES, strict=True):
        assert float(row[2]) == pytest.approx(case.truth, abs=1e-4)
        assert row[5] == case.why
        shares = [float(cell) for cell in row[3:5]]
        assert case.why or all(LOW <= share <= HIGH for share in shares), row


def test_the_page_gives_the_bias_of_every_estimate():
    found = rows("estimates")
    assert [row[:2] for row in found] == [list(each[:2]) for each in ESTIMATES]
    for row, each in zip(found, ESTIMATES, strict=True):
        assert (row[4] != "") == (LARGE in each.sizes)
