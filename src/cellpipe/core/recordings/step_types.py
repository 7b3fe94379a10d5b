"""What an instrument's word for the kind of a step means: the standard mode, and the direction.

This is the one table of such words. Makers, languages and versions spell them in many ways
(``CC_Chg``, ``CC DChg``, ``C_CC``, ``恒流充电``), so that parts of words are looked for. A word
that names a direction but no mode (Maccor's ``C``) tells that the instrument drives a current, no
more. A word that is not in the table has no mode: none is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

_RESTS = (
    "r|p|s|rest( .*)?|ocv|ocp|open circuit.*|paused?|suspend(ed)?|idle|standby|wait|relax(ation)?|"
    "ruhe|搁置|静置|静止|休眠|休止|休息|暂停|开路.*"
)
_MODES = (  # the first that is found in a word counts
    ("rest", f"^({_RESTS})$"),
    ("impedance", r"\b[pg]?eis\b|impedance|阻抗"),
    ("pulse", r"\bpulse|脉冲"),
    ("ramp", r"\bramp\b|cyclic ?voltammetry|\blsv\b|\bcva\b|linear sweep|斜坡|循环伏安"),
    ("profile", r"\bsim\b|simulation|\bprofile\b|drive ?cycle|工况|模拟"),
    ("CC", r"\(cc\)$"),
    ("CV", r"\(cv\)$"),
    ("driven", r"\bpcccv\b|\bc[pr] ?cv\b|恒(功率|阻)恒压"),
    ("CCCV", r"\bcc ?cv\b|恒流恒压|定電流定電圧|constant current,? (and )?constant voltage"),
    ("CC", r"\bcc\b|恒流|定電流|constant current|galvanostatic"),
    ("CV", r"\bcv\b|恒压|定電圧|constant voltage|voltage hold|\bfloat\b|potentiostatic"),
    ("CP", r"\bcp\b|恒功率|constant power"),
    ("CR", r"\bcr\b|恒阻|constant resistance"),
)
_DISCHARGE = r"\bdis|entlad|\bd ?ch(a?r?g)?\b|放|^d( |$)"
_CHARGE = r"\bcharg|\b(auf)?lad|\bcha?\b|\bchg\b|充|^c( |$)"
_DRIVEN = ("driven", f"{_DISCHARGE}|{_CHARGE}|^driven$")


def find_step_mode(word: str) -> str | None:
    """Return the mode of a step (``step_mode`` in schemas/timeseries.yaml) by its maker's word.

    None if the word tells none.
    """
    text = _normalize(word)
    modes = (mode for mode, pattern in (*_MODES, _DRIVEN) if re.search(pattern, text, re.ASCII))
    return next(modes, None)


def find_step_sign(word: str) -> int | None:
    """Return +1 for a word that says charge, −1 for discharge, None for any other."""
    text = _normalize(word)
    if re.search(_DISCHARGE, text, re.ASCII):
        return -1
    return 1 if re.search(_CHARGE, text, re.ASCII) else None


def _normalize(word: str) -> str:
    return re.sub(r"[\s_\-./]+", " ", word).strip().lower()


def add_step_mode(table: pl.DataFrame) -> pl.DataFrame:
    """Add the mode of each record's step to a ``timeseries``, as far as the file tells it.

    Modes that the reader has found stay; records of an impedance spectrum are ``impedance``.
    """
    known = None
    if "step_mode" in table.columns:
        known = pl.col("step_mode")
    elif "step_type" in table.columns:
        modes = {word: find_step_mode(word) for word in table["step_type"].unique().drop_nulls()}
        known = replace_words(modes, pl.String())
    if "frequency_hertz" in table.columns:
        measures = pl.col("frequency_hertz").is_not_null()
        known = pl.when(measures).then(pl.lit("impedance")).otherwise(known)
    return table if known is None else table.with_columns(step_mode=known)


def replace_words(found: Mapping[str, object], dtype: pl.DataType) -> pl.Expr:
    """Return an expression that replaces each word of the column ``step_type``, others by null."""
    return pl.col("step_type").replace_strict(found, default=None, return_dtype=dtype)
