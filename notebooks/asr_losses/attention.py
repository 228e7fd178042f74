"""How does one sequence look at another? Attention, its masks, positions and the layer of a decoder."""

import math

import torch
from torch import nn

from asr_losses import checks


def positions(length, width):
    """`(length, width)`: at place t, sines and cosines of t at ever lower frequencies.

    Vaswani et al. 2017, section 3.5.
    """
    rates = 10000 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


def causal(U):
    """`(U, U)`: may position u (row) see position v (column)? Its own and earlier ones."""
    return torch.ones(U, U, dtype=torch.bool).tril()


def visible(frames, T):
    """`(N, 1, 1, T)`: is this frame of the memory real, and not padding? `frames (N,)`."""
    return (torch.arange(T) < frames[:, None])[:, None, None]


def off_diagonal(weights, frames, tokens, g=0.2):
    """The penalty on weights `(N, heads, U, T)`, averaged over heads and the tokens `(N,)` that are real.

    Tachibana et al. 2018, equations 9 and 10: 1 - exp(-(u / U - t / T)^2 / 2 g^2), times the weight.
    """
    U, T = (torch.arange(size) for size in weights.shape[2:])
    distance = U[:, None] / tokens[:, None, None] - T / frames[:, None, None]  # (N, U, T)
    penalty = (weights.mean(1) * (1 - (-(distance**2) / (2 * g**2)).exp())).sum(2)  # (N, U)
    return penalty[U < tokens[:, None]].mean()


class Attention(nn.Module):
    """Scaled dot-product attention of several heads (Vaswani et al. 2017, section 3.2)."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))

    def split(self, x):
        """`(N, length, width)` to `(N, heads, length, width / heads)`."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, queries, memory, may):
        """What queries `(N, U, width)` find in memory `(N, T, width)`, and their weights `(N, heads, U, T)`."""
        checks.mask(may, queries, memory)
        q, k, v = self.split(self.q(queries)), self.split(self.k(memory)), self.split(self.v(memory))
        scores = q @ k.mT / k.shape[3] ** 0.5  # (N, heads, U, T)
        weights = scores.masked_fill(~may, -math.inf).softmax(3)
        return self.out((weights @ v).transpose(1, 2).flatten(2)), weights


class DecoderLayer(nn.Module):
    """Reads the text so far, hears the memory, thinks; normalised before each step."""

    def __init__(self, width):
        super().__init__()
        self.read, self.hear = Attention(width, heads=4), Attention(width, heads=4)
        self.think = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.drop = nn.Dropout(0.1)

    def forward(self, x, memory, readable, audible):
        """`x (N, U, width)` one layer on, and the weights `(N, heads, U, T)` with which it heard."""
        y = self.norms[0](x)
        x = x + self.drop(self.read(y, y, readable)[0])
        found, weights = self.hear(self.norms[1](x), memory, audible)
        x = x + self.drop(found)
        return x + self.drop(self.think(self.norms[2](x))), weights
