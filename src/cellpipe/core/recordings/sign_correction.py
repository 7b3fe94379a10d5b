"""Give the current the sign that the other columns of a recording agree on, and say so.

An export may print currents without a sign, or count them the other way round. The words of the
steps, the charge counters and the voltage's course are witnesses of the direction: what most of
them say decides. Where only one speaks against the current, nothing is changed here;
:mod:`cellpipe.core.recordings.signs` says it.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.energies import CHARGES, ENERGIES
from cellpipe.core.recordings.records import (
    SAMPLE,
    Floats,
    Records,
    growth,
    is_empty,
    take_sample,
    to_array,
)
from cellpipe.core.recordings.signs import (
    Stretches,
    Witness,
    ask_counters,
    ask_step_types,
    ask_voltage,
    find_answer,
    find_movement,
)
from cellpipe.core.recordings.step_types import find_step_sign, replace_words
from cellpipe.core.recordings.voltages import voltage_findings

_NEEDED = ("test_time_second", "voltage_volt", "current_ampere")
_CURRENT, _NET = pl.col("current_ampere"), "net_capacity_ah"
_MOST = 0.9  # of a step type's records: what makes its sign
_FEWEST = 10  # records with a current
_SOME = 20 * SAMPLE  # records that tell which signs there are
_FAINT, _FEW = 0.01, 0.001  # of the usual current: none; of the records: bad ones
_PARTLY = 0.1  # of the counted charge: what flows the other way

Corrected = tuple[pl.DataFrame, tuple[Finding, ...]]


def correct_signs(table: pl.DataFrame) -> Corrected:
    """Return a ``timeseries`` with the sign of its current corrected, and a finding if it was.

    Parameters
    ----------
    table
        A recording in standard columns. Counters that are split by the sign of the current are no
        witnesses of it: this comes before they are split.

    """
    if table.height < 2 or any(is_empty(table[name]) for name in _NEEDED):
        return table, ()
    words = _directional_words(table)
    corrected = (
        _sign_by_words(table, words)
        or _sign_by_counters(table)
        or _turn_whole(table)
        or _turn_steps(table, words)
    )
    if corrected is None:
        return table, ()
    records = Records.of(table)
    return (table, ()) if voltage_findings(table, records, records) else corrected


def _directional_words(table: pl.DataFrame) -> dict[str, int]:
    """Return the words of the steps that say charge (+1) or discharge (−1)."""
    if "step_type" not in table.columns:
        return {}
    signs = {word: find_step_sign(word) for word in table["step_type"].unique().drop_nulls()}
    return {word: sign for word, sign in signs.items() if sign is not None}


def _is_unsigned(current: Floats) -> bool:
    """Return whether no current is negative, but for an offset and a few bad records."""
    some = current[:: current.size // _SOME + 1]
    flowing = np.abs(some[some != 0])
    if flowing.size < 2:
        return False
    least = _FAINT * float(np.quantile(flowing, 0.99))
    positive, negative = (int(np.count_nonzero(sign * some > least)) for sign in (1, -1))
    return positive > 0 and negative <= _FEW * positive


def _negate(table: pl.DataFrame, which: pl.Expr, sentence: str) -> Corrected | None:
    """Make the positive currents of some records negative, if there are any."""
    number = int(table.select((which & (_CURRENT > 0)).sum()).item())
    signed = pl.when(which & (_CURRENT > 0)).then(-_CURRENT).otherwise(_CURRENT)
    finding = Finding("info", "current_unsigned", sentence, number)
    return (table.with_columns(signed), (finding,)) if number else None


def _sign_by_words(table: pl.DataFrame, words: dict[str, int]) -> Corrected | None:
    if -1 not in words.values() or not _is_unsigned(to_array(table["current_ampere"])):
        return None
    discharges = (replace_words(words, pl.Int8()) < 0).fill_null(value=False)
    sentence = "The currents have no sign; those of discharge steps are taken as negative."
    return _negate(table, discharges, sentence)


def _sign_by_counters(table: pl.DataFrame) -> Corrected | None:
    if not {*CHARGES} <= {*table.columns} or _NET in table.columns:  # a net counter has a sign
        return None
    current = to_array(table["current_ampere"])
    if not _is_unsigned(current):
        return None
    charged, discharged = (growth(table[name], np.zeros(0, np.intp)) for name in CHARGES)
    opposite = discharged * (current[1:] > 0)
    most = float(charged.sum() + discharged.sum()), np.count_nonzero(charged + discharged)
    if opposite.sum() <= _PARTLY * most[0] or np.count_nonzero(opposite) <= _PARTLY * most[1]:
        return None
    sign = pl.Series("sign", np.append(0.0, np.sign(charged - discharged)))
    steps = table["step_count"] if "step_count" in table.columns else sign * 0
    by_step = pl.DataFrame({"sign": sign.replace(0.0, None), "step": steps})
    told = pl.col("sign").backward_fill().forward_fill().over("step")
    discharges = by_step.select((told < 0).fill_null(value=False)).to_series()
    sentence = (
        "The currents have no sign; those with which the counter of discharge grows are taken as "
        "negative."
    )
    return _negate(table, pl.lit(discharges), sentence)


def _turn_whole(table: pl.DataFrame) -> Corrected | None:
    """Turn the current if two witnesses contradict it, or two against one; physics outvotes all."""
    sample = take_sample(table)
    records = Records.of(sample)
    if records.is_rest or records.time.size < _FEWEST:
        return None
    counters, words = ask_counters(sample, records), ask_step_types(sample)
    if not (counters.contradicts or words.contradicts):  # the voltage alone turns nothing
        return None
    every = records if sample is table else Records.of(table)
    voltage, answer = ask_voltage(every, Stretches.of(records)), find_answer(every)
    against = [each for each in (voltage, counters, words) if each.contradicts]
    if len(against) < 2 or voltage.agrees or (answer is not None and answer < _PARTLY):
        return None
    sentence = f"{'; '.join(each.says for each in against)}. The current was turned."
    finding = Finding("warning", "current_sign_turned", sentence, table.height)
    return _turn_counters(table.with_columns(-_CURRENT), counters, records, sample), (finding,)


def _turn_counters(
    table: pl.DataFrame, counters: Witness, records: Records, sample: pl.DataFrame
) -> pl.DataFrame:
    """Exchange the counters, and turn the net one, that counted by the sign that was turned."""
    if counters.agrees:
        pairs = [pair for pair in (CHARGES, ENERGIES) if {*pair} <= {*table.columns}]
        table = table.rename({a: b for one, two in pairs for a, b in ((one, two), (two, one))})
    if _NET in table.columns and not is_empty(table[_NET]):
        grown = np.diff(to_array(sample[_NET])) * ~records.is_apart
        if float((grown * np.sign(records.charges)).sum()) > 0:
            table = table.with_columns(-pl.col(_NET))
    return table


def _turn_steps(table: pl.DataFrame, words: dict[str, int]) -> Corrected | None:
    """Turn the current of the step types whose word, and another witness, contradict it."""
    if not words:
        return None
    some = table.gather_every(table.height // _SOME + 1)
    counts = some.group_by("step_type").agg(
        up=(_CURRENT > 0).sum().cast(pl.Int64), down=(_CURRENT < 0).sum().cast(pl.Int64)
    )
    wrong, right = set(), set()
    for word, up, down in counts.iter_rows():
        if word in words and up + down >= _FEWEST:
            agreeing = (up if words[word] > 0 else down) / (up + down)
            wrong |= {word} if agreeing < 1 - _MOST else set()
            right |= {word} if agreeing > _MOST else set()
    if not wrong or not right:
        return None
    mine = pl.col("step_type").is_in(sorted(wrong)).fill_null(value=False)
    own = table.filter(mine)
    records = Records.of(own)
    moving, _ = find_movement(Stretches.of(records))
    asked = (Witness(moving, ""), ask_counters(own, records))
    if any(each.agrees for each in asked) or not any(each.contradicts for each in asked):
        return None
    sentence = (
        f"The current of the steps {', '.join(sorted(wrong))} has the other sign than their word, "
        "and voltage or counters agree with the word. It was turned."
    )
    finding = Finding("warning", "current_sign_turned", sentence, own.height)
    turned = pl.when(mine).then(-_CURRENT).otherwise(_CURRENT)
    return table.with_columns(turned), (finding,)
