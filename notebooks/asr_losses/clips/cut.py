"""Where does a word begin and end, and what does its clip hold?

All functions take float64 samples between -1 and 1 at the engine's own rate: much of an s lies
above the 4 kHz that 8000 samples a second can hold.
"""

import numpy as np

from asr_losses.speech import SAMPLE_RATE

FRAMES_PER_SECOND = 200
SILENCE_DB = -40.0  # below the loudest frame of the clip; keeps the weak f, th and s
MARGIN = 0.03  # seconds around the phones in which sound may belong to the word
FADE = SAMPLE_RATE * 3 // 1000  # 3 ms, against clicks where clips are joined
TARGET_RMS = 0.06
PEAK = 0.9
STEP = 16  # int16 multiples of 16, so 12 bits: FLAC drops the four zero bits
QUIET_FRAMES = 4  # 20 ms: a pause is cut where these are quietest


def resample(samples, step):
    """`samples` read at every `step`-th place (step >= 1), with a low-pass against aliasing.

    A Hann-windowed sinc of 32 zero crossings on each side, cut off at 95 % of the new band.
    """
    cutoff = 0.95 / step
    half = int(np.ceil(32 / cutoff))
    places = np.arange(0, len(samples) - 1, step)
    taps = np.floor(places).astype(int)[:, None] + np.arange(-half + 1, half + 1)
    distance = taps - places[:, None]
    window = np.cos(np.pi * distance / (2 * half + 2)) ** 2
    kernel = cutoff * np.sinc(cutoff * distance) * window
    return (np.pad(samples, half)[taps + half] * kernel).sum(axis=1)


def frame_energy(samples, rate):
    """Mean square of each frame of 5 ms; exactly `rate // FRAMES_PER_SECOND` samples."""
    frame = rate // FRAMES_PER_SECOND
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    return (frames**2).mean(axis=1)


def emphasised(samples):
    """Differences of neighbours: hum below the voice no longer counts, a weak f or s counts more."""
    return np.diff(samples, prepend=samples[0])


def quietest(samples, rate, start, end):
    """(second, energy) of the middle of the quietest 20 ms between two seconds."""
    energy = frame_energy(samples, rate)
    means = np.convolve(energy, np.ones(QUIET_FRAMES) / QUIET_FRAMES, "valid")
    half = QUIET_FRAMES // 2
    first = min(max(round(start * FRAMES_PER_SECOND) - half, 0), len(means) - 1)
    last = max(round(end * FRAMES_PER_SECOND) - half, first)
    place = first + means[first : last + 1].argmin()
    return (place + half) / FRAMES_PER_SECOND, means[place]


def loud_span(energy, rate, threshold, gap=np.inf):
    """Start and end in seconds of the frames above `threshold`, a part of the loudest.

    What a silence of more than `gap` seconds parts from the loudest frame is left out.
    """
    frame = rate // FRAMES_PER_SECOND
    loud = np.flatnonzero(energy > energy.max() * threshold)
    pieces = np.split(loud, np.flatnonzero(np.diff(loud) * frame / rate > gap) + 1)
    loud = next(piece for piece in pieces if energy.argmax() in piece)
    return loud[0] * frame / rate, (loud[-1] + 1) * frame / rate


def word_span(samples, rate, phones):
    """Start and end of the word in seconds: the frames louder than SILENCE_DB.

    The pauses of Flite hiss, so nothing counts that is more than MARGIN away from the phones.
    """
    energy = frame_energy(samples, rate)
    if phones:
        seconds = np.arange(len(energy)) * (rate // FRAMES_PER_SECOND) / rate
        energy[seconds < phones[0][1] - MARGIN] = 0
        energy[seconds > phones[-1][1] + MARGIN] = 0
    return loud_span(energy, rate, 10 ** (SILENCE_DB / 10))


def finish(samples):
    """int16 samples: faded at both ends, at TARGET_RMS unless the peak forbids it, 12 bits."""
    ramp = (np.arange(FADE) + 0.5) / FADE
    samples = samples - samples.mean()
    samples[:FADE] *= ramp
    samples[-FADE:] *= ramp[::-1]
    gain = min(TARGET_RMS / np.sqrt((samples**2).mean()), PEAK / np.abs(samples).max())
    return (np.rint(samples * gain * 2**15 / STEP) * STEP).astype(np.int16)


def clip_of(samples, rate, phones, span, tape=1.0):
    """(int16 clip at SAMPLE_RATE, [(phone, second in the clip)]) of the word in `span`, in seconds.

    `tape`: the speed at which the sound is played. A phone's mark can lie a little outside of what
    is loud: it is moved to the clip's edge.
    """
    start, end = span
    samples = resample(samples, tape * rate / SAMPLE_RATE)
    samples = samples[round(start / tape * SAMPLE_RATE) : round(end / tape * SAMPLE_RATE)]
    length = len(samples) / SAMPLE_RATE
    places = [(name, min(max(0.0, (second - start) / tape), length)) for name, second in phones[:-1]]
    return finish(samples), places
