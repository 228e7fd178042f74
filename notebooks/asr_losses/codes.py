"""How does speech become tokens? Each 40 ms of log-mel get the number of the nearest of K typical pieces."""

from numbers import Integral

import torch

from asr_losses import speech
from asr_losses.arguments import floats
from asr_losses.features import BANDS, augment, log_mel

FRAMES = 4  # log-mel frames a piece


def pieces(mel):
    """log-mel `(T, 40)` to `(T / 4, 160)`: four frames each, every band's mean over the utterance taken off.

    The last piece is filled up with zeros, the mean.
    """
    if floats("mel", mel, f"(T, {BANDS})").shape[1] != BANDS:
        raise ValueError(f"mel: shape {tuple(mel.shape)} came, expected (T, {BANDS})")
    mel = mel - mel.mean(0)
    return torch.nn.functional.pad(mel, (0, 0, 0, -len(mel) % FRAMES)).reshape(-1, FRAMES * BANDS)


def nearest(x, centres):
    """The number of the nearest of `centres (K, D)` for each row of `x (L, D)`: `(L,)`, from 0 to K - 1."""
    if floats("x", x, "(L, D)").shape[1] != floats("centres", centres, "(K, D)").shape[1]:
        raise ValueError(f"centres: shape {tuple(centres.shape)} came for x {tuple(x.shape)}, expected (K, D) for (L, D)")
    x, centres = x.double(), centres.double()  # in float32 |c|^2 drowns the differences far from the origin
    return (centres.square().sum(1) - 2 * x @ centres.T).argmin(1)  # |x - c|^2 without |x|^2


def k_means(x, K, generator, rounds=12):
    """`(K, D)` centres of `x (L, D)`: each row to the nearest centre, each centre to the mean of its rows.

    Lloyd's algorithm from K rows drawn at random; a centre that loses all its rows stays where it is.
    Raises ValueError for fewer than K rows.
    """
    if not isinstance(K, Integral) or K < 1:
        raise ValueError(f"K: {K} came, expected at least 1")
    if len(floats("x", x, "(L, D)")) < K:
        raise ValueError(f"x: {len(x)} rows came, expected at least K = {K}")
    centres = x[torch.randperm(len(x), generator=generator, device=generator.device)[:K]]
    for _ in range(rounds):
        number = nearest(x, centres)
        sums = torch.zeros_like(centres).index_add(0, number, x)
        counts = torch.bincount(number, minlength=K)[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres


def codebook(clips, K, seed):
    """`(K, 160)` centres, from 300 utterances of one to three words, augmented as in training."""
    generator = torch.Generator().manual_seed(seed)
    spoken = speech.utterances(clips, 300, generator, words=(1, 3))
    return k_means(torch.cat([pieces(augment(log_mel(u.samples), generator)) for u in spoken]), K, generator)
