"""Shapes and sizes of the first paper's ResNets, as integer arithmetic without torch.

The network (Riemer et al. 2025, Sec. 5 and App. A; layer by layer as in the authors' code,
CERC-AAI/realtime_rl) reads one 84 × 84 grey image. A block is a base convolution
3 × 3 without padding, a max-pool 3 × 3 without padding, and two residual blocks of two padded
convolutions 3 × 3: five convolutions. So a base convolution takes 2 pixels off the side, and
a pool takes 2 more (stride 1) or leaves ⌊(side − 3)/2⌋ + 1 (stride 2):

====== ============== ======================= ============================== ==========
depth  filters        pool strides            sides after the pools          flattened
====== ============== ======================= ============================== ==========
15     16k, 2 × 32k   2, 2, 2                 40, 18, 7                      1568k
30     16k, 5 × 32k   2, 1, 1, 1, 2, 1        40, 36, 32, 28, 12, 8          2048k
====== ============== ======================= ============================== ==========

The paper gives only the filters and the parameter counts of the 30-convolution network. Its
strides are those of the authors' code, and they are the ones that bring the smallest model to
its published 70 thousand parameters: halving every image side in the first three blocks, as
depth 15 does, and pooling no more leaves 7 × 7 and 55 thousand.

A linear layer of 512 units and one of ``actions`` units follow. Summed up, where 16k is whole::

    depth 15:   96768 k² +  803360 k + 512 + 513 · actions
    depth 30:  235008 k² + 1049600 k + 512 + 513 · actions
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

from rtsim.errors import InvalidValue

#: Image side in pixels; one grey channel.
SIDE = 84
#: Units of the linear layer between the convolutions and the action values.
HIDDEN = 512

_POOL_STRIDES = {15: (2, 2, 2), 30: (2, 1, 1, 1, 2, 1)}
#: Numbers of convolutions that exist.
DEPTHS = tuple(_POOL_STRIDES)
#: The filter multipliers of the paper's models, by depth, smallest first (Sec. 5, App. A).
PUBLISHED_K = MappingProxyType(
    {
        15: (0.0625, 1.0, 7.0, 29.0, 98.0),
        30: (0.0625, 0.75, 4.75, 18.5, 63.0),
    }
)
#: A model of this k would have 10^13 parameters: whoever asks for more has mistyped.
MAX_K = 10_000


@dataclass(frozen=True)
class Block:
    """One block: base convolution, pool, two residual blocks.

    Attributes
    ----------
    inputs, filters : int, > 0
        Channels in and out.
    stride : int, 1 or 2
        Stride of the pool.
    conv_side, side : int, pixels, > 0
        Image side after the base convolution, and after the pool.
    """

    inputs: int
    filters: int
    stride: int
    conv_side: int
    side: int


def filters(k: float) -> tuple[int, int]:
    """Filters of the first block and of the others: 16k and 32k, cut to whole numbers.

    Parameters
    ----------
    k : float, 1/16 <= k <= 10000
        Filter multiplier (Riemer et al. 2025, Sec. 5).

    Raises
    ------
    InvalidValue
        If k is not a number in that range.

    >>> filters(1), filters(0.0625)
    ((16, 32), (1, 2))
    """
    number = isinstance(k, (int, float)) and not isinstance(k, bool) and math.isfinite(k)
    if not number or not 1 / 16 <= k <= MAX_K:
        raise InvalidValue(
            f"k {k!r} (filter multiplier, no unit) must be a number from 0.0625, one filter in the first block, "
            f"to {MAX_K}; give e.g. k=1 for 1M parameters"
        )
    return int(16 * k), int(32 * k)


def blocks(k: float, depth: int = 15) -> tuple[Block, ...]:
    """The blocks in order, three for depth 15 and six for depth 30.

    Raises
    ------
    InvalidValue
        If k or depth is not one of the allowed values.

    >>> [b.side for b in blocks(1, depth=30)]
    [40, 36, 32, 28, 12, 8]
    """
    if isinstance(depth, bool) or depth not in DEPTHS:
        known = " or ".join(map(str, DEPTHS))
        raise InvalidValue(f"depth {depth!r} (convolutions) must be {known}; give e.g. depth=15")
    first, other = filters(k)
    result: list[Block] = []
    inputs, side = 1, SIDE
    for stride in _POOL_STRIDES[depth]:
        width = other if result else first
        conv_side = side - 2
        side = (conv_side - 3) // stride + 1
        result.append(Block(inputs, width, stride, conv_side, side))
        inputs = width
    return tuple(result)


def parameter_count(k: float, depth: int = 15, actions: int = 6) -> int:
    """Number of trainable parameters, exact; the module's docstring has the closed form.

    Parameters
    ----------
    k : float, 1/16 <= k <= 10000
        Filter multiplier.
    depth : int, 15 or 30
        Number of convolutions.
    actions : int, >= 1
        Number of action values.

    Returns
    -------
    int
        Weights and biases.

    >>> [parameter_count(k) for k in (0.0625, 1, 7, 29, 98)]
    [54178, 903718, 10368742, 104682918, 1008092742]
    """
    if isinstance(actions, bool) or not isinstance(actions, int) or actions < 1:
        raise InvalidValue(f"actions {actions!r} (a count) must be a whole number >= 1; give e.g. actions=6")
    layout = blocks(k, depth)
    total = 0
    for block in layout:
        total += _convolution(block.inputs, block.filters) + 4 * _convolution(block.filters, block.filters)
    flattened = layout[-1].filters * layout[-1].side ** 2
    return total + (flattened + 1) * HIDDEN + (HIDDEN + 1) * actions


def activation_count(k: float, depth: int = 15) -> int:
    """Numbers that one observation's forward pass produces, each once: what learning keeps.

    Per block the base convolution, the pool, and for each of the two residual blocks two
    rectified inputs, two convolutions and one sum. The linear layers are negligible.

    >>> activation_count(1)
    574880
    """
    return sum(b.filters * (b.conv_side**2 + 11 * b.side**2) for b in blocks(k, depth))


def size_label(parameters: int) -> str:
    """Short name of a model by its size: ``"55k"``, ``"1M"``, ``"100M"``.

    The paper names its models by the nearest power of ten, when there is one within ten
    percent (0.90M is "1M", 105M is "100M"). Other sizes are rounded to one digit and a
    half: to the nearest 5 in the second digit.

    Parameters
    ----------
    parameters : int, >= 1

    >>> [size_label(n) for n in (54178, 903718, 10368742, 104682918, 1008092742)]
    ['55k', '1M', '10M', '100M', '1B']
    >>> size_label(70108), size_label(2_260_000), size_label(950)
    ('70k', '2.5M', '1k')
    """
    if parameters < 1:
        raise InvalidValue(f"parameters {parameters} (a count) must be >= 1; give the number of parameters of a model")
    power = len(str(parameters)) - 1
    leading = parameters / 10**power
    if leading >= 9:
        rounded = 10.0
    elif leading <= 1.1:
        rounded = 1.0
    else:
        rounded = math.floor(2 * leading + 0.5) / 2
    size = rounded * 10**power
    for unit, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if size >= scale:
            return f"{size / scale:.10g}{unit}"
    return f"{size:.10g}"


def _convolution(inputs: int, outputs: int) -> int:
    """Weights and biases of one convolution 3 × 3."""
    return (9 * inputs + 1) * outputs
