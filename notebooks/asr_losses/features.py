"""What does the model see? Log-mel spectrograms, in padded batches.

`log_mel (T, 40)`: one row every 10 ms, 40 bands from 20 to 4000 Hz, normalised per utterance.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

from asr_losses.arguments import floats
from asr_losses.speech import SAMPLE_RATE, draw, encode

N_FFT, WINDOW, SHIFT, BANDS = 256, 200, 80, 40  # samples: a window of 25 ms every 10 ms
FRAME_SHIFT = SHIFT / SAMPLE_RATE  # seconds
RANGE = 50 * math.log(10) / 10  # 50 dB of power, in nats


def mel_filters():
    """`(129, 40)`: column m is a triangle on the mel scale (O'Shaughnessy's, as in HTK)."""
    mel = torch.linspace(_to_mel(20), _to_mel(SAMPLE_RATE / 2), BANDS + 2, dtype=torch.float64, device="cpu")
    edges = 700 * (10 ** (mel / 2595) - 1)  # Hz, (42,)
    frequency = torch.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1, dtype=torch.float64, device="cpu")[:, None]
    rising = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0)


def _to_mel(hertz):
    return 2595 * math.log10(1 + hertz / 700)


_FILTERS = mel_filters()
_HANN = torch.hann_window(WINDOW, dtype=torch.float64, device="cpu")


def log_mel(samples):
    """`samples (L,)` to `(T, 40)`, float64; T = 1 + L // 80.

    What lies more than 50 dB below the loudest value is raised to that floor; every band's mean over the utterance is
    taken off, and with it what a microphone or a room does to all frames alike (cepstral mean normalisation: Atal 1974);
    then all is scaled to standard deviation 1.
    Raises ValueError for samples that are no floats or not finite, and for fewer than a window of the transform.
    """
    floats("samples", samples, "(L,)")
    if samples.abs().max() > 1e30:
        raise ValueError(f"samples: up to {samples.abs().max():.3g} came, expected sound, from -1 to 1")
    if len(samples) < N_FFT:
        raise ValueError(f"samples: shape {tuple(samples.shape)} came, expected (L,) with L >= {N_FFT}")
    window, filters = _HANN.to(samples.device), _FILTERS.to(samples.device)
    spectrum = torch.stft(samples.double(), N_FFT, SHIFT, WINDOW, window, center=True, return_complex=True)  # (129, T)
    power = spectrum.real.square() + spectrum.imag.square()
    mel = (power.T @ filters).clamp(min=1e-8).log()  # (T, 40)
    mel = mel.clamp(min=mel.max() - RANGE)
    mel = mel - mel.mean(0)
    return mel / mel.std().clamp(min=1e-4)


@dataclass
class Batch:
    """`log_mel (N, T, 40)`, `frames (N,)`, `targets (N, U)`, `target_lengths (N,)`; padding is 0."""

    log_mel: torch.Tensor
    frames: torch.Tensor
    targets: torch.Tensor
    target_lengths: torch.Tensor


def collate(log_mels, texts):
    """The Batch of these log-mels `(T_n, 40)` and texts, in torch's default dtype, where the log-mels are."""
    if isinstance(texts, str) or len(texts) != len(log_mels) or not len(texts):
        raise ValueError(f"texts: {texts!r} came for {len(log_mels)} log-mels, expected one for each, at least one")
    for mel in log_mels:
        if floats("log_mels", mel, f"(T, {BANDS})").shape[1] != BANDS:
            raise ValueError(f"log_mels: shape {tuple(mel.shape)} came, expected (T, {BANDS})")
    device = log_mels[0].device
    targets = [torch.tensor(encode(text), dtype=torch.long, device=device) for text in texts]
    return Batch(
        pad_sequence(log_mels, batch_first=True).to(torch.get_default_dtype()),
        torch.tensor([len(mel) for mel in log_mels], device=device),
        pad_sequence(targets, batch_first=True),
        torch.tensor([len(target) for target in targets], device=device),
    )


def augment(log_mel, generator, tempo=0.0):
    """`log_mel (T, 40)` as if another voice had said it elsewhere, with holes; a new tensor.

    The bands are moved (scale +-15 %, shift +-3 bands), as a longer or shorter vocal tract moves
    them; a smooth random curve is added over the bands, as another microphone would; one block of
    up to 6 bands and one of up to 8 frames are set to 0, the mean (SpecAugment's masks: Park et al.
    2019, section 2). With `tempo`, it lasts up to this share longer or shorter.
    """
    T, device = len(floats("log_mel", log_mel, f"(T, {BANDS})")), log_mel.device
    if log_mel.shape[1] != BANDS:
        raise ValueError(f"log_mel: shape {tuple(log_mel.shape)} came, expected (T, {BANDS})")
    if not 0 <= tempo < 1:
        raise ValueError(f"tempo: {tempo} came, expected a share, from 0 to less than 1")
    if tempo:
        T = max(1, round(T * (1 + tempo * draw(-1, 1, generator))))
        log_mel = torch.nn.functional.interpolate(log_mel.T[None], size=T, mode="linear")[0].T
    scale, shift = 1 + 0.15 * draw(-1, 1, generator), 3 * draw(-1, 1, generator)
    source = ((torch.arange(BANDS, device=device) - BANDS / 2) * scale + BANDS / 2 + shift).clamp(0, BANDS - 1.001)
    low = source.long()
    weight = (source - low).to(log_mel.dtype)
    bands = torch.linspace(0, math.pi, BANDS, dtype=torch.float64, device=device)
    waves = torch.stack([torch.cos(bands * k) for k in (1, 2, 3)])  # (3, 40)
    heights = 0.25 * torch.randn(3, generator=generator, dtype=torch.float64, device=generator.device)
    curve = heights.to(device) @ waves
    changed = log_mel[:, low] * (1 - weight) + log_mel[:, low + 1] * weight + curve.to(log_mel)
    for axis, size, most in ((1, BANDS, 6), (0, T, 8)):
        width = torch.randint(min(most, size) + 1, (), generator=generator, device=generator.device).item()
        start = torch.randint(size - width + 1, (), generator=generator, device=generator.device).item()
        changed.narrow(axis, start, width).zero_()
    return changed
