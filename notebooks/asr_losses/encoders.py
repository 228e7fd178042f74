"""How do log-mels become a sequence of vectors? Two encoders with one interface."""

import torch
from torch import nn

from asr_losses.features import BANDS, FRAME_SHIFT


def keep(x, frames):
    """`x (N, channels, T)` with zeros behind each utterance's own `frames (N,)`."""
    return x * (torch.arange(x.shape[2]) < frames[:, None])[:, None]


class Gate(nn.Module):
    """Turns whole channels up or down, by their means over the utterance (Hu et al. 2018, section 3; for speech
    Han et al. 2020).
    """

    def __init__(self, width):
        super().__init__()
        self.squeeze, self.excite = nn.Linear(width, width // 4), nn.Linear(width // 4, width)

    def forward(self, x, frames):
        """`x (N, width, T)`, 0 behind its `frames (N,)`, times 0 to 2 for each channel."""
        mean = x.sum(2) / frames[:, None]
        return x * 2 * self.excite(self.squeeze(mean).relu()).sigmoid()[:, :, None]


class ConvEncoder(nn.Module):
    """log-mel `(N, T, 40)` and frames `(N,)` to `(N, T / 4, width)` and their frames `(N,)`.

    Two convolutions halve the frame rate each; one more for each of `dilations` widens the view. With `gated`, each of
    these is followed by a Gate. With `causal`, no convolution sees a later frame.
    """

    def __init__(self, dilations=(1, 2, 4), width=96, gated=False, causal=False):
        super().__init__()
        if gated and causal:
            raise ValueError("gated: True came with causal=True, expected one of them: a Gate hears the whole utterance")
        self.width = width
        side = 4 if causal else 2  # frames, times the dilation, that are added at either end
        self.gates = nn.ModuleList(Gate(width) for _ in dilations if gated)
        sizes = [(BANDS, 2, 1), (width, 2, 1)] + [(width, 1, dilation) for dilation in dilations]
        self.convs = nn.ModuleList(
            nn.Conv1d(channels, width, 5, stride, side * dilation, dilation) for channels, stride, dilation in sizes
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in sizes)

    def forward(self, log_mel, frames):
        """See the class."""
        x = log_mel.mT  # (N, 40, T)
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            frames = (frames - 1) // conv.stride[0] + 1
            y = conv(x)[:, :, : (x.shape[2] - 1) // conv.stride[0] + 1]  # causal: the end has heard what was added
            y = keep(norm(y).relu(), frames)
            if i >= 2 and self.gates:
                y = self.gates[i - 2](y, frames)
            x = y if conv.stride[0] == 2 else x + y
        return x.mT, frames

    def view(self):
        """How far its convolutions see to either side, in seconds (causal ones: twice as far back, and not ahead)."""
        seconds, shift = 0.0, FRAME_SHIFT
        for conv in self.convs:
            seconds += 2 * conv.dilation[0] * shift
            shift *= conv.stride[0]
        return seconds


class RecurrentEncoder(nn.Module):
    """The same interface as ConvEncoder, in the style of Deep Speech (Hannun et al. 2014, section 2)."""

    def __init__(self, width=96, hidden=64):
        super().__init__()
        self.width = width
        self.context = nn.Conv1d(BANDS, width, 11, 4, 5)  # a frame and five on each side, every fourth frame
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(4))
        self.rnn = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.after = nn.Linear(2 * hidden, width)

    def forward(self, log_mel, frames):
        """See ConvEncoder. The recurrent layer also runs backwards, from the padding into shorter utterances."""
        frames = (frames - 1) // 4 + 1
        x = keep(self.norms[0](self.context(log_mel.mT)).relu(), frames)
        for layer, norm in zip(self.layers, self.norms[1:]):
            x = keep(x + norm(layer(x.mT).mT).relu(), frames)
        x = x + self.norms[3](self.after(self.rnn(x.mT)[0]).mT).relu()
        return x.mT, frames
