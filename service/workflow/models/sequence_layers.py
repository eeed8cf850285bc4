"""torch's layers that answer with several tensors, as parts of a stack: the first one goes on. All take rows first,
[n, steps, width]."""

from torch import Tensor, nn


class LSTM(nn.LSTM):
    """torch's LSTM, whose answer is the output of each step."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override] # a layer of a stack
        """From [n, steps, input_size] to [n, steps, hidden_size], twice as wide if bidirectional."""
        found: Tensor = super().forward(x)[0]
        return found


class GRU(nn.GRU):
    """torch's GRU, whose answer is the output of each step."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override] # a layer of a stack
        """From [n, steps, input_size] to [n, steps, hidden_size], twice as wide if bidirectional."""
        found: Tensor = super().forward(x)[0]
        return found


class RNN(nn.RNN):
    """torch's RNN, whose answer is the output of each step."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override] # a layer of a stack
        """From [n, steps, input_size] to [n, steps, hidden_size], twice as wide if bidirectional."""
        found: Tensor = super().forward(x)[0]
        return found


class MultiheadAttention(nn.MultiheadAttention):
    """torch's MultiheadAttention of each step on all steps of its row."""

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, batch_first: bool = True
    ) -> None:
        super().__init__(embed_dim, num_heads, dropout, bias, batch_first=batch_first)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override] # a layer of a stack
        """From [n, steps, embed_dim] to the same shape."""
        return super().forward(x, x, x, need_weights=False)[0]


SEQUENCE_LAYERS: dict[str, type[nn.Module]] = {
    each.__name__: each for each in (LSTM, GRU, RNN, MultiheadAttention, nn.TransformerEncoderLayer)
}
