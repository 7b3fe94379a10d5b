"""Claims about groups of cells: outliers, differences, times to a limit, trends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cellpipe.numerics.groups.differences import (
    adjust_holm,
    compare_groups,
    needed_count,
    permutation_chance,
    pooled_deviation,
)
from cellpipe.numerics.groups.outliers import find_outliers, median_interval
from cellpipe.numerics.groups.survival import estimate_survival
from cellpipe.numerics.groups.trends import estimate_trend

FOUR_GOOD_ONE_BAD = np.array([90.8, 90.4, 90.3, 90.7, 62.0])
GOOD = np.array([86.7, 87.0, 87.1, 87.0, 87.1])


def test_one_bad_cell_of_five_stands_apart_by_the_modified_z_of_iglewicz_and_hoaglin() -> None:
    found = find_outliers(FOUR_GOOD_ONE_BAD)
    assert found.is_outlier.tolist() == [False, False, False, False, True]
    median = np.median(FOUR_GOOD_ONE_BAD)
    spread = np.median(np.abs(FOUR_GOOD_ONE_BAD - median))
    assert found.score == pytest.approx(0.6745 * (FOUR_GOOD_ONE_BAD - median) / spread)
    assert not find_outliers(GOOD).is_outlier.any()


def test_one_of_three_stands_apart_outside_of_the_prediction_interval_of_the_two_others() -> None:
    others = np.array([90.0, 90.6])
    half = stats.t.ppf(0.975, 1) * others.std(ddof=1) * math.sqrt(1.5)
    for value, is_out in ((90.3 - 0.98 * half, False), (90.3 - 1.02 * half, True)):
        found = find_outliers(np.append(others, value))
        assert found.is_outlier.tolist() == [False, False, is_out]


@pytest.mark.parametrize("values", [[], [90.0], [90.0, 50.0]])
def test_of_one_or_two_cells_none_can_be_told_apart(values: list[float]) -> None:
    assert not find_outliers(np.array(values)).is_outlier.any()


def test_cells_that_are_alike_within_what_a_cycler_measures_are_alike() -> None:
    assert not find_outliers(np.array([90.00, 90.00, 90.00, 90.00, 90.05])).is_outlier.any()
    assert find_outliers(np.array([90.0, 90.0, 90.0, 90.0, 92.0])).is_outlier[-1]


def test_scale_and_origin_of_a_number_do_not_change_who_stands_apart() -> None:
    for factor in (1e-3, 1.0, 1e3):
        assert find_outliers(factor * FOUR_GOOD_ONE_BAD).is_outlier[-1]


@pytest.mark.slow
def test_of_good_groups_no_more_have_one_named_than_the_page_says() -> None:
    rng = np.random.default_rng(1)
    for count, most in ((3, 0.16), (4, 0.22), (5, 0.25), (8, 0.17)):
        groups = 90 + rng.normal(size=(3000, count))
        named = np.mean([find_outliers(group).is_outlier.any() for group in groups])
        assert named <= most


@pytest.mark.slow
def test_the_interval_of_a_median_holds_the_true_one_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    for count in (3, 5, 8, 15):
        found = [median_interval(rng.exponential(size=count)) for _ in range(4000)]
        held = np.mean([each.low <= math.log(2) <= each.high for each in found])
        assert held == pytest.approx(found[0].level, abs=0.02)


def test_the_difference_is_welchs_and_the_permutations_are_all_that_there_are() -> None:
    first = FOUR_GOOD_ONE_BAD[:4]
    found = compare_groups(first, GOOD)
    assert found is not None
    wanted = stats.ttest_ind(first, GOOD, equal_var=False)
    assert found.welch == pytest.approx(wanted.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(wanted.confidence_interval(0.95)))
    assert found.permutation == found.smallest == pytest.approx(1 / math.comb(9, 4))
    assert found.effect_low < found.effect < found.effect_high
    assert found.effect_low > 5
    shift = (first.mean() - GOOD.mean()) / pooled_deviation((first, GOOD))
    assert found.effect == pytest.approx(shift * (1 - 3 / (4 * 7 - 1)), rel=0.01)


def test_a_bad_cell_hides_the_difference_that_is_there_without_it() -> None:
    found = compare_groups(FOUR_GOOD_ONE_BAD, GOOD)
    assert found is not None
    assert found.low < 0 < found.high
    assert found.welch > 0.5


def test_one_cell_or_no_scatter_makes_no_test() -> None:
    assert compare_groups(np.array([90.0]), GOOD) is None
    assert compare_groups(np.array([90.0, 90.0]), np.array([80.0, 80.0])) is None


@pytest.mark.slow
def test_tests_and_intervals_hold_their_level_for_groups_of_unequal_size_and_scatter() -> None:
    rng = np.random.default_rng(3)
    for one, other, scatter in ((3, 3, 1.0), (5, 5, 3.0), (4, 8, 2.0)):
        pairs = [
            compare_groups(rng.normal(size=one), scatter * rng.normal(size=other))
            for _ in range(800)
        ]
        known = [pair for pair in pairs if pair]
        assert np.mean([pair.welch < 0.05 for pair in known]) <= 0.075
        assert np.mean([pair.permutation <= 0.05 for pair in known]) <= 0.075
        assert np.mean([pair.low <= 0 <= pair.high for pair in known]) >= 0.93
    for true in (0.0, 1.0, 3.0):
        effects = [
            compare_groups(true + rng.normal(size=5), rng.normal(size=6)) for _ in range(500)
        ]
        held = [each.effect_low <= true <= each.effect_high for each in effects if each]
        assert 0.92 <= np.mean(held) <= 0.98


def test_many_values_are_dealt_at_random_and_give_the_same_each_time() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=12), rng.normal(size=12) + 0.8
    chance, smallest = permutation_chance(first, second)
    assert permutation_chance(first, second)[0] == chance
    assert smallest < 1e-4
    assert chance == pytest.approx(stats.ttest_ind(first, second).pvalue, abs=0.02)


def test_holm_multiplies_the_smallest_by_all_and_never_changes_the_order() -> None:
    assert adjust_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjust_holm([]) == []
    assert adjust_holm([0.9, 0.8]) == [1.0, 1.0]


def test_so_many_cells_are_needed_as_tables_of_power_say() -> None:
    assert needed_count(1.0, 1.0) == 17  # d = 1, power 0.8, 5 % two-sided
    assert needed_count(0.5, 1.0) == 64
    assert needed_count(0.8, 1.0) == 26
    assert needed_count(0.01, 1.0) is None
    assert needed_count(0.0, 1.0) is None


def test_cells_that_still_run_count_up_to_their_last_cycle() -> None:
    last = np.array(
        [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35.0]
    )
    passed = np.isin(np.arange(21), [0, 1, 2, 4, 7, 9, 10, 14, 15])  # Freireich's 21 patients
    found = estimate_survival(last, passed)
    assert found.cycle.tolist() == [6, 7, 10, 13, 16, 22, 23]
    wanted = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert found.share == pytest.approx(wanted, abs=1e-3)
    assert found.median == 23
    assert found.median_high is None


def test_where_no_cell_passed_the_limit_there_is_no_median() -> None:
    found = estimate_survival(np.array([100.0, 200.0]), np.array([False, False]))
    assert found.median is None
    assert not len(found.share)


def test_a_factor_needs_five_cells_and_a_trend_is_spearmans() -> None:
    factor = np.arange(6.0)
    number = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 7.0])
    found = estimate_trend(factor, number)
    assert found is not None
    assert found.correlation == pytest.approx(stats.spearmanr(factor, number).statistic)
    assert found.low <= found.slope <= found.high
    assert estimate_trend(factor[:4], number[:4]) is None
    assert estimate_trend(factor, np.ones(6)) is None
