"""Random numbers that are the same on every machine and with every release of numpy.

Only the raw 64-bit stream of PCG64 is used, which numpy promises never to change; the stream of
its distributions is not promised.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def bell_numbers(seed: int, count: int) -> Numbers:
    """Numbers with mean 0 and variance 1, close to a normal distribution (within ±3.5).

    Each is the sum of four uniform numbers, shifted and scaled, so that only additions and
    multiplications are used and the last bit agrees everywhere.
    """
    raw = np.random.PCG64(seed).random_raw(4 * count)
    uniform = (np.asarray(raw, dtype=np.uint64) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    quads = uniform.reshape(count, 4)
    return (quads[:, 0] + quads[:, 1] + quads[:, 2] + quads[:, 3] - 2.0) * 1.7320508075688772
