"""How long one device takes for each piece of a layer; arithmetic only.

The forecast adds these up, and a device that is only paced takes them: both mean the same by a piece.
Traffic of what is bound by memory counts every operand and result once.
"""

from dataclasses import dataclass, field

from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.wire_format import WireFormat, wire_bytes
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import TensorShare

_ADDED = 3
"""Two operands, one result."""
_NORMED = 2
"""One operand, one result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkTimes:
    """One device with its part of every layer; all methods give nanoseconds."""

    architecture: TransformerArchitecture
    device: DeviceProfile
    num_kv_heads: int
    num_columns: int
    """Of the MLP."""
    num_words: int
    """Rows of the head."""
    itemsize: int
    wire: WireFormat = WireFormat.EXACT
    _known: dict[tuple[int, int, int], float] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @staticmethod
    def of(
        architecture: TransformerArchitecture,
        device: DeviceProfile,
        share: TensorShare,
        itemsize: int,
        wire: WireFormat = WireFormat.EXACT,
    ) -> "WorkTimes":
        """Those of a device with this share of every layer."""
        return WorkTimes(
            architecture=architecture,
            device=device,
            num_kv_heads=len(share.kv_heads),
            num_columns=len(share.ffn_columns),
            num_words=len(share.vocabulary),
            itemsize=itemsize,
            wire=wire,
        )

    @property
    def query_columns(self) -> int:
        """Columns of this device's heads of queries."""
        return self.num_kv_heads * self.architecture.heads_per_kv * self.architecture.head_size

    def tile_ns(self) -> float:
        """What a device spends on each tile that it takes or gives, whatever its size."""
        return self.device.tile_ns

    def embedding_ns(self, rows: int) -> float:
        """Looking up tokens and positions, and adding them."""
        return self._elementwise_ns(rows * self.architecture.hidden_size * (1 + _ADDED))

    def norm_ns(self, rows: int) -> float:
        """The norm before the products of an attention or an MLP."""
        return self._elementwise_ns(rows * self.architecture.hidden_size * _NORMED)

    def connective_ns(self, rows: int) -> float:
        """Residual and norm."""
        return self._elementwise_ns(rows * self.architecture.hidden_size * (_ADDED + _NORMED))

    def sum_ns(self, rows: int) -> float:
        """Adding what another device has made."""
        return self._elementwise_ns(rows * self.architecture.hidden_size * _ADDED)

    def behind_direct_ns(self, rows: int, num_devices: int) -> float:
        """Behind a half whose parts devices tell each other: reading and adding them, residual and norm."""
        added = (num_devices - 1) * self.sum_ns(rows) + num_devices * self.coding_ns(rows)
        return added + self.connective_ns(rows)

    def coding_ns(self, rows: int) -> float:
        """Writing rows in the wire format, or reading them; nothing where they travel as they are."""
        if self.wire is WireFormat.EXACT or not rows:
            return 0.0
        hidden = self.architecture.hidden_size
        coded = wire_bytes(self.wire, rows, hidden, self.itemsize)
        return self.device.elementwise_ns(coded + rows * hidden * self.itemsize)

    def entry_ns(self, rows: int) -> float:
        """Queries, keys and values."""
        columns = self.query_columns + 2 * self.num_kv_heads * self.architecture.head_size
        return self._product_ns(rows, self.architecture.hidden_size, columns)

    def attention_ns(self, pairs: int) -> float:
        """Attention of so many pairs of a query and a key."""
        return self.device.attention_ns(pairs, self.query_columns)

    def output_ns(self, rows: int) -> float:
        """The product behind attention."""
        return self._product_ns(rows, self.query_columns, self.architecture.hidden_size)

    def mlp_ns(self, rows: int) -> float:
        """Both products of the MLP, and what is between them."""
        return self.up_ns(rows) + self.down_ns(rows)

    def up_ns(self, rows: int) -> float:
        """The first product of the MLP, with its activation and its gate."""
        parts = 2 if self.architecture.has_gate else 1
        product = self._product_ns(rows, self.architecture.hidden_size, parts * self.num_columns)
        return product + self._elementwise_ns(rows * self.num_columns * (parts + 1))

    def down_ns(self, rows: int) -> float:
        """The second product of the MLP."""
        return self._product_ns(rows, self.num_columns, self.architecture.hidden_size)

    def head_ns(self, rows: int) -> float:
        """The last norm, and this device's part of the logits; an encoder has neither."""
        if not self.architecture.is_decoder:
            return 0.0
        return self.norm_ns(rows) + self._product_ns(rows, self.architecture.hidden_size, self.num_words)

    def _elementwise_ns(self, values: int) -> float:
        return self.device.elementwise_ns(values * self.itemsize)

    def _product_ns(self, rows: int, columns_in: int, columns_out: int) -> float:
        """Of the profile, kept: few different products are asked for very often."""
        key = (rows, columns_in, columns_out)
        if key not in self._known:
            self._known[key] = self.device.product_ns(rows, columns_in, columns_out, self.itemsize)
        return self._known[key]


def one_layer_ns(
    architecture: TransformerArchitecture, device: DeviceProfile, num_rows: int, itemsize: int
) -> float:
    """About how long one device takes for one layer [ns]: by what devices are called fast or slow."""
    work = WorkTimes(
        architecture=architecture,
        device=device,
        num_kv_heads=architecture.num_kv_heads,
        num_columns=architecture.ffn_size,
        num_words=1,
        itemsize=itemsize,
    )
    attention = work.attention_ns(num_rows * num_rows)
    return work.entry_ns(num_rows) + attention + work.output_ns(num_rows) + work.mlp_ns(num_rows)
