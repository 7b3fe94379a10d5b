from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from made_cells import FULL, HALF, made

from cellpipe.core.contracts import empty_table
from cellpipe.report.figures.choice import downsample_indices, sample_evenly
from cellpipe.report.figures.cycling import cycling_panel, efficiency_limits
from cellpipe.report.figures.differential import differential_panel
from cellpipe.report.figures.impedance import fitted_impedance
from cellpipe.report.figures.labels import Box, place_labels
from cellpipe.report.figures.retention import own_retention, published_retention
from cellpipe.report.figures.scale import capacity_scale
from cellpipe.report.wording import kind_words


def test_thinning_keeps_both_ends_and_every_extreme() -> None:
    values = np.sin(np.arange(10_000) / 50)
    values[4321] = 9.0
    values[8765] = -9.0
    kept = downsample_indices(values, 200)
    assert kept.size <= 202
    assert {0, 4321, 8765, 9_999} <= set(kept.tolist())


@given(st.integers(1, 3000))
def test_at_most_six_cycles_are_shown_with_the_first_two_and_the_last(last: int) -> None:
    shown = sample_evenly(list(range(1, last + 1)))
    assert len(shown) == len(set(shown)) == min(last, 6)
    assert shown[:2] == [1, 2][:last]
    assert shown[-1] == last


def test_the_efficiency_axis_shows_the_scatter_and_names_what_it_cuts_off() -> None:
    one = made(FULL, 60, 0)
    cycles = one.tables["cycles"]
    known = cycles.filter("complete")
    low, high = efficiency_limits(
        known["cycle"].to_numpy(), known["coulombic_efficiency"].to_numpy()
    )
    assert low > 0.95
    assert 1.0 < high < 1.02
    panel = cycling_panel(
        cycles, capacity_scale(FULL, cycles), kind_words(FULL), empty_table("capacity_fade")
    )
    assert "below the axis: cycle 1: 75.6 %" in panel.picture
    assert "cycle 23: 91.0 %" in panel.picture


places = st.tuples(st.floats(20, 380), st.floats(20, 180))


@given(st.lists(places, min_size=1, max_size=8))
def test_labels_do_not_lie_on_each_other_where_there_is_room(
    anchors: list[tuple[float, float]],
) -> None:
    frame = Box(-400, -400, 900, 600)
    boxes = place_labels(anchors, [(40.0, 9.0)] * len(anchors), [], frame)
    for n, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:n])


def test_the_fit_line_is_the_fitted_circuit() -> None:
    one = made(FULL, 2, 1)
    points = one.tables["impedance"]
    z = fitted_impedance(one.tables["circuit_fits"], points["frequency_hertz"].to_numpy())
    measured = points["real_impedance_ohm"] + 0.0
    assert np.abs(z.real / measured.to_numpy() - 1).max() < 0.02


def test_retention_beside_table_1_starts_at_the_first_discharge() -> None:
    one = made(FULL, 10, 0)
    own = own_retention(one.tables["cycles"])
    assert own["retention"][0] == 1.0
    assert own["cycle"].to_list() == list(range(1, 10))


def test_a_published_range_stays_a_range() -> None:
    one = made(FULL, 10, 0)
    rows = published_retention(one.tables["baseline_comparison"], one.tables["baselines"])
    han = rows.filter(pl.col("first_author_year") == "Han 2021").row(0, named=True)
    assert (round(han["low"], 3), round(han["high"], 3), han["printed"]) == (0.611, 0.667, 0.64)


def test_one_spike_does_not_flatten_the_other_dqdv_curves() -> None:
    one = made(HALF, 6, 0)
    curves = one.tables["differential_capacity"]
    name = "differential_capacity_ah_per_volt"
    first = pl.col("half_cycle") == 1
    tall = curves.with_columns(pl.when(first).then(9 * pl.col(name)).otherwise(name).alias(name))
    scale = capacity_scale(HALF, one.tables["cycles"])
    words = kind_words(HALF)
    plain = differential_panel(HALF, one.tables["cycles"], curves, scale, words)
    cut = differential_panel(HALF, one.tables["cycles"], tall, scale, words)
    assert "The axis is cut" not in plain.caption
    assert "The axis is cut: cycle 1 reaches −" in cut.caption
