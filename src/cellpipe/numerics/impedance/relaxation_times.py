"""Distribution of relaxation times of a spectrum, without a circuit model.

Z = R + jωL + 1/(jωC) + ∫ γ(ln τ) / (1 + jωτ) d ln τ, with γ ≥ 0 on a grid of time constants, by
least squares with a penalty on the second difference of γ (A. N. Tikhonov; for spectra: T.
H. Wan, M. Saccoccio, C. Chen, F. Ciucci, Electrochim. Acta 184, 483 (2015), doi
10.1016/j.electacta.2015.09.097). The penalty is the strongest that still describes the spectrum
down to its noise. A CPE or Warburg element appears as a series of peaks at long time constants. The
distribution illustrates the fit; its numbers are not results.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from cellpipe.numerics.impedance.elements import Complexes, Floats
from cellpipe.numerics.impedance.kramers_kronig import kramers_kronig
from cellpipe.numerics.impedance.spectra import modulus

_PER_DECADE = 8
_BEYOND = 3.0  # factor beyond the measured window
_PENALTIES = np.geomspace(1e2, 1e-5, 15)
_ABOVE_NOISE = 1.15
_FEW = 10


@dataclass(frozen=True)
class RelaxationTimes:
    """Distribution γ, ohm per unit of ln τ, at ``time_constant_second``; shape (m,).

    ``residual`` is the root mean square of |residual| / |Z|.
    """

    time_constant_second: Floats
    distribution: Floats
    residual: float


def relaxation_times(frequency_hertz: Floats, impedance_ohm: Complexes) -> RelaxationTimes | None:
    """Return the distribution of relaxation times of a spectrum.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The spectrum in the order of frequency, Hz and ohm; shape (n,).

    Returns
    -------
    The distribution; None for fewer than ten frequencies.

    """
    if len(frequency_hertz) < _FEW:
        return None
    omega = 2 * np.pi * frequency_hertz
    decades = np.log10(omega.max() / omega.min()) + 2 * np.log10(_BEYOND)
    tau = np.geomspace(
        1 / _BEYOND / omega.max(), _BEYOND / omega.min(), int(_PER_DECADE * decades) + 1
    )
    step = float(np.log(tau[1] / tau[0]))
    scale = float(np.median(np.abs(impedance_ohm)))
    weight = scale / modulus(impedance_ohm)
    lumped = [np.ones_like(omega), 1j * omega / omega.max(), omega.min() / (1j * omega)]
    columns = np.concatenate([lumped, step / (1 + 1j * omega * tau[:, None])]) * weight
    target = impedance_ohm / scale * weight
    design = np.concatenate([columns.real, columns.imag], axis=1).T
    data = np.concatenate([target.real, target.imag])
    test = kramers_kronig(frequency_hertz, impedance_ohm)
    noise = 0.01 if test is None else max(test.noise, test.violation / np.sqrt(2), 1e-4)
    amplitudes, residual = _fit_smoothest(design, data, len(lumped), noise)
    return RelaxationTimes(tau, amplitudes[len(lumped) :] * scale, residual)


def _fit_smoothest(
    design: Floats, data: Floats, unpenalised: int, noise: float
) -> tuple[Floats, float]:
    """Return the solution with the strongest penalty whose residual is within the noise."""
    size = design.shape[1]
    curvature = np.zeros((size - unpenalised, size))
    curvature[:, unpenalised:] = np.diff(np.eye(size - unpenalised + 2), 2, axis=0)[:, 1:-1]
    best = np.zeros(size)
    lowest = np.inf
    for penalty in _PENALTIES:
        stacked = np.concatenate([design, np.sqrt(penalty) * curvature])
        amplitudes, _ = nnls(
            stacked, np.concatenate([data, np.zeros(len(curvature))]), maxiter=20 * size
        )
        residual = float(np.sqrt(np.mean((design @ amplitudes - data) ** 2)))
        if residual < 0.98 * lowest:
            best, lowest = amplitudes, residual
        if residual < _ABOVE_NOISE * noise:
            break
    return best, float(np.sqrt(2) * lowest)
