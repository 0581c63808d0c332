"""Networks by name, as plain data: what a file of weights must say to be built again. No torch here."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rtsim.errors import InvalidValue
from rtsim.networks.sizes import SIDE, filters

if TYPE_CHECKING:
    from rtsim.networks.q_network import QNetwork

RESNET = re.compile(r"resnet(15|30)-k([0-9]+(?:\.[0-9]+)?)")
MLP = re.compile(r"mlp\((\d{1,5}(?:,\d{1,5})*)\)")
#: What there is, for messages.
FAMILIES = ("resnet15-k1", "resnet30-k0.75", "nature", "minatar", "mlp(64,64)")
#: Filters of the first block up to which a network is :attr:`Architecture.narrow`.
NARROW = 2
#: Side of MinAtar's images, pixels (Young & Tian 2019).
MINATAR_SIDE = 10


@dataclass(frozen=True)
class Architecture:
    """A network from observations to action values.

    Attributes
    ----------
    name : str
        ``resnet15-k7``, ``resnet30-k0.75``, ``nature``, ``minatar`` or ``mlp(64,64)``: the layers up to the head.
    actions : int, >= 1
    observation : tuple of int
        Shape of one observation as the environment gives it; images with channels first or last.
    duelling : bool
        Two streams, a value and advantages (Wang et al. 2016).
    noisy : bool
        Noise with learnt scale in the head's weights, for exploration (Fortunato et al. 2018).
    atoms : int, >= 1
        More than one: a distribution of returns over so many equally spaced returns (Bellemare et al. 2017).
    low, high : float
        Least and greatest of those returns.

    Raises
    ------
    InvalidValue
        If the name is unknown, or does not fit the observations.

    Examples
    --------
    >>> Architecture("mlp(64,64)", actions=2, observation=(4,)).hidden_units
    (64, 64)
    >>> Architecture.from_json(Architecture("nature", 6).to_json())
    Architecture(name='nature', actions=6, observation=(84, 84, 1), duelling=False, noisy=False, atoms=1, low=0.0, high=0.0)
    """  # noqa: E501

    name: str
    actions: int
    observation: tuple[int, ...] = (SIDE, SIDE, 1)
    duelling: bool = False
    noisy: bool = False
    atoms: int = 1
    low: float = 0.0
    high: float = 0.0

    def __post_init__(self) -> None:
        for what, value in (("actions", self.actions), ("atoms", self.atoms)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidValue(f"{what} {value!r} (a count) must be a whole number >= 1")
        if not self.observation or any(type(n) is not int or n < 1 for n in self.observation):
            raise InvalidValue(f"observation shape {self.observation} must be whole numbers >= 1, e.g. (84, 84, 1)")
        if self.atoms > 1 and not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InvalidValue(f"returns from {self.low} to {self.high} must be finite and rise; give e.g. -10 and 10")
        self._check_name()

    def _check_name(self) -> None:
        found = RESNET.fullmatch(self.name)
        if found:
            filters(float(found[2]))
            self._check_image(SIDE, one_channel=True)
        elif self.name == "nature":
            self._check_image(SIDE)
        elif self.name == "minatar":
            self._check_image(MINATAR_SIDE)
        elif not MLP.fullmatch(self.name) or 0 in self.hidden_units:
            raise InvalidValue(f"network {self.name!r} unknown; give one such as {', '.join(FAMILIES)}")

    def _check_image(self, side: int, one_channel: bool = False) -> None:
        shape = self.observation
        if len(shape) != 3 or self._sides != (side, side) or (one_channel and self.channels != 1):
            want = f"({side}, {side}, {'1' if one_channel else 'channels'})"
            raise InvalidValue(f"network {self.name} reads images {want}, but observations have shape {shape}")

    @property
    def channels_last(self) -> bool:
        """Whether images come as height, width, channels."""
        return len(self.observation) == 3 and self.observation[0] == self.observation[1]

    @property
    def _sides(self) -> tuple[int, ...]:
        return self.observation[:2] if self.channels_last else self.observation[1:]

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.observation[-1] if self.channels_last else self.observation[0]

    @property
    def pixels(self) -> bool:
        """Whether bytes are brightness, to be brought to 0..1; MinAtar's are 0 and 1 as they come."""
        return self.name == "nature" or self.name.startswith("resnet")

    @property
    def hidden_units(self) -> tuple[int, ...]:
        """Units of the layers of an MLP."""
        found = MLP.fullmatch(self.name)
        return tuple(map(int, found[1].split(","))) if found else ()

    @property
    def narrow(self) -> bool:
        """Whether images have so few channels that oneDNN and NNPACK, made for many, cost more than they save.

        Without them a gradient of 16 transitions took 0.53 of the time with one filter in the first block (the 55
        thousand parameters of ``resnet15-k0.0625``), 0.75 with two, 0.95 with three, 1.0 with four and 1.6 with eight
        (one core of an AMD EPYC, torch 2.13); of 30 convolutions 0.6, 0.88 and 1.1 with one, two and three.
        """
        found = RESNET.fullmatch(self.name)
        return found is not None and filters(float(found[2]))[0] <= NARROW

    @property
    def plain(self) -> bool:
        """Whether the head is one linear layer of action values."""
        return not self.duelling and not self.noisy and self.atoms == 1

    def build(self, seed: int | None = None) -> QNetwork:
        """The network as a torch module, its weights drawn from ``seed``, or from torch's own generator."""
        from rtsim.networks.q_network import build

        return build(self, seed)

    def to_json(self) -> str:
        """One line of JSON that :meth:`from_json` reads."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """An architecture from :meth:`to_json`.

        Raises
        ------
        InvalidValue
        """
        try:
            data: dict[str, Any] = json.loads(text)
            return cls(**{**data, "observation": tuple(data["observation"])})
        except (TypeError, KeyError, ValueError) as error:
            if isinstance(error, InvalidValue):
                raise
            raise InvalidValue(f"no description of a network: {str(error)[:200]}") from error
