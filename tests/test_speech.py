"""Speech: the same samples everywhere, exact boundaries, and a ValueError for every bad recording."""

import hashlib
import math
import os
from pathlib import Path

import pytest
import soundfile
import torch

from asr_losses import recordings, speech
from asr_losses.features import augment, collate, log_mel

PEOPLE = Path(os.environ.get("RECORDINGS", Path(__file__).parents[2] / "shared/human/recordings"))


@pytest.fixture(scope="module")
def spoken():
    return speech.utterances(speech.load_clips("train"), 20, torch.Generator().manual_seed(0))


def test_the_same_seed_gives_the_same_samples_on_every_machine(spoken):
    sound = torch.cat([u.samples for u in spoken]).mul(32767).round().to(torch.int16)
    assert hashlib.sha256(sound.numpy().astype("<i2").tobytes()).hexdigest()[:16] == "c6d0ac924093fb06"
    assert spoken[0].text == "three zero three four"


def test_words_lie_where_the_boundaries_say():
    clips = [clip for clip in speech.load_clips("train") if clip.speaker == "flite-slt"][:3]
    generator = torch.Generator().manual_seed(1)
    said = speech.join(clips, generator, snr_db=(200.0, 200.0))  # as good as no noise
    silence = said.samples.clone()
    for clip, start, end in zip(clips, said.starts, said.ends):
        begin, stop = round(start * speech.SAMPLE_RATE), round(end * speech.SAMPLE_RATE)
        gain = said.samples[begin:stop].norm() / clip.samples.norm()
        torch.testing.assert_close(said.samples[begin:stop], gain * clip.samples, rtol=0, atol=1e-4)
        silence[begin:stop] = 0
    assert silence.abs().max() < 1e-4
    assert said.text == " ".join(clip.word for clip in clips)


def test_silences_and_noise_are_as_promised(spoken):
    pauses = []
    for u in spoken:
        edges = [0.0, *[t for pair in zip(u.starts, u.ends) for t in pair], u.seconds]
        silences = [b - a for a, b in zip(edges[::2], edges[1::2])]
        assert all(0.0999 <= s <= 0.5001 for s in (silences[0], silences[-1]))
        pauses += silences[1:-1]
        assert 1 <= len(u.words) <= 6 and u.samples.abs().max() <= 1
        words = [u.samples[round(a * 8000) : round(b * 8000)] for a, b in zip(u.starts, u.ends)]
        noise = u.samples[: round(u.starts[0] * 8000)].square().mean()
        assert 22 < 10 * torch.log10(torch.cat(words).square().mean() / noise) < 43
    assert all(-1e-9 <= s <= 0.6001 for s in pauses) and max(pauses) > 0.2


def test_some_utterances_say_nothing():
    clips = speech.load_clips("test")
    said = speech.utterances(clips, 200, torch.Generator().manual_seed(0), silent=0.2)
    silent = [u for u in said if not u.words]
    assert 20 < len(silent) < 60
    for u in silent:
        assert u.text == "" and 0.5 <= u.seconds <= 4.001
        assert 1e-5 < u.samples.std() < 0.06 * 10 ** (-24 / 20)  # noise, softer than speech, and no digital zero
    assert not [u for u in speech.utterances(clips, 50, torch.Generator().manual_seed(0)) if not u.words]


def test_noise_has_loudness_one_and_at_most_26_db_of_tilt():
    for seed in range(10):
        sound = speech.noise(80000, torch.Generator().manual_seed(seed))
        assert abs(sound.square().mean() - 1) < 0.05
        power = torch.fft.rfft(sound).abs().square().unflatten(0, (1, -1))[0]
        low, high = power[:4000].mean(), power[-4000:].mean()
        assert -1 < 10 * torch.log10(low / high) < 26


def test_clips_may_differ_in_loudness():
    clips = [clip for clip in speech.load_clips("train") if clip.speaker == "flite-slt"][:2]
    ratios = []
    for seed in range(20):
        said = speech.join(clips, torch.Generator().manual_seed(seed), snr_db=(200.0, 200.0), level_db=6.0)
        first, second = (said.samples[round(a * 8000) : round(b * 8000)] for a, b in zip(said.starts, said.ends))
        gain = first.norm() / second.norm() * clips[1].samples.norm() / clips[0].samples.norm()
        ratios.append(20 * torch.log10(gain).item())
    assert max(ratios) > 3 and min(ratios) < -3 and max(map(abs, ratios)) < 12.1


def test_text_and_tokens():
    assert speech.decode(speech.encode("three one")) == "three one"
    assert speech.BLANK not in speech.encode(" ".join(speech.DIGITS))
    assert len(speech.ALPHABET) == 17
    with pytest.raises(ValueError, match="text: 'café'"):
        speech.encode("café")


def test_bad_arguments():
    generator = torch.Generator()
    with pytest.raises(ValueError, match="split: 'dev'"):
        speech.load_clips("dev")
    with pytest.raises(ValueError, match="clips: an empty list"):
        speech.join([], generator)
    with pytest.raises(ValueError, match="count: 0"):
        speech.utterances(speech.load_clips("test"), 0, generator)
    with pytest.raises(ValueError, match="words: "):
        speech.utterances(speech.load_clips("test"), 1, generator, words=(3, 2))
    with pytest.raises(ValueError, match="silent: 2 came"):
        speech.utterances(speech.load_clips("test"), 1, generator, silent=2)
    with pytest.raises(ValueError, match="samples: shape"):
        log_mel(torch.zeros(10))


def test_log_mel_agrees_with_librosa():
    """librosa 0.11: melspectrogram(n_fft=256, hop_length=80, win_length=200, n_mels=40, fmin=20,
    fmax=4000, htk=True, norm=None), log of at least 1e-8, a floor 50 dB below the top, each band's mean off, deviation 1."""
    t = torch.arange(4000, dtype=torch.float64) / 8000
    chirp = 0.5 * torch.sin(2 * math.pi * (200 * t + 1500 * t**2)) + 0.01 * torch.sin(2 * math.pi * 3000 * t)
    mine = log_mel(chirp)
    assert mine.shape == (51, 40)
    for (frame, band), theirs in {
        (0, 0): 3.079386, (10, 5): -0.461746, (25, 20): -0.790742, (40, 39): -0.017269, (50, 12): -0.061537
    }.items():
        assert abs(mine[frame, band].item() - theirs) < 2e-6


def test_log_mel_does_not_hear_a_microphone(spoken):
    """A gain changes nothing; a short filter, of three samples, little: it moves whole bands."""
    samples = spoken[0].samples
    mel = log_mel(samples)
    torch.testing.assert_close(log_mel(0.1 * samples), mel, rtol=0, atol=1e-2)
    filtered = samples[2:] + 0.5 * samples[1:-1] - 0.3 * samples[:-2]
    assert (log_mel(filtered)[5:-5] - mel[5:-5]).abs().mean() < 0.1 < mel.abs().mean()


def test_tempo_changes_the_length_and_leaves_room_for_the_text():
    generator = torch.Generator().manual_seed(0)
    ratios = []
    for u in speech.utterances(speech.load_clips("train"), 300, generator):
        mel = log_mel(u.samples)
        frames = len(augment(mel, generator, tempo=0.2))
        ratios.append(frames / len(mel))
        doubled = sum(a == b for a, b in zip(u.text, u.text[1:]))
        assert 0.8 * len(mel) / 4 > len(u.text) + doubled
    assert 0.79 < min(ratios) < 0.85 and 1.15 < max(ratios) < 1.21


def test_a_bad_tempo_is_refused():
    for bad in (-0.1, 1.0):
        with pytest.raises(ValueError, match=f"tempo: {bad} came, expected a share"):
            augment(torch.randn(9, 40), torch.Generator(), tempo=bad)


def test_a_share_of_natural_voices():
    clips = speech.load_clips("train")
    for share in (0.0, 0.4, 1.0):
        said = speech.utterances(clips, 300, torch.Generator().manual_seed(0), natural=share)
        assert abs(sum(speech.is_natural(u.speaker) for u in said) / 300 - share) < 0.1
    for bad, some in ((1.5, clips), (0.5, [clip for clip in clips if not speech.is_natural(clip.speaker)])):
        with pytest.raises(ValueError, match=f"natural: {bad} came, expected a share"):
            speech.utterances(some, 1, torch.Generator(), natural=bad)


def test_augmented_speech_keeps_its_shape_and_leaves_the_original_alone(spoken):
    mel = log_mel(spoken[0].samples)
    before = mel.clone()
    changed = augment(mel, torch.Generator().manual_seed(0))
    assert changed.shape == mel.shape and torch.equal(mel, before) and not torch.equal(changed, mel)


def test_batches_pad_with_zeros(spoken):
    batch = collate([log_mel(u.samples) for u in spoken[:4]], [u.text for u in spoken[:4]])
    for row, frames, u in zip(batch.log_mel, batch.frames, spoken):
        assert not row[frames:].any() and row[frames - 1].any()
        assert frames == 1 + len(u.samples) // 80
    assert [speech.decode(row[:n].tolist()) for row, n in zip(batch.targets, batch.target_lengths)] == [
        u.text for u in spoken[:4]
    ]


def write(folder, name, samples=None, rate=8000, channels=1):
    if samples is None:
        samples = 0.3 * torch.sin(torch.arange(2000) / 5.0)
    soundfile.write(folder / name, torch.stack([samples] * channels, 1).numpy(), rate, subtype="PCM_16")


def test_recordings_of_people_are_read_and_trimmed(tmp_path):
    tone = 0.3 * torch.sin(torch.arange(4000) / 5.0)
    write(tmp_path, "7_anna_0.wav", torch.cat([torch.zeros(1600), tone, torch.zeros(2400)]))
    write(tmp_path, "0_ben_12.wav")
    (tmp_path / ".hidden").write_text("ignored")
    ben, anna = recordings.load_recordings(tmp_path)
    assert (anna.word, anna.speaker, ben.word, ben.speaker) == ("seven", "anna", "zero", "ben")
    assert len(anna.samples) == 4000


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("seven_anna_0.wav", {}, "the label is 'seven', expected a digit from 0 to 9"),
        ("11_anna_0.wav", {}, "the label is '11', expected a digit"),
        ("7_anna.wav", {}, r"expected a file named \{digit\}_\{speaker\}_\{index\}.wav"),
        ("7_anna_0.flac", {}, "expected a file named"),
        ("7_anna_0.wav", {"rate": 16000}, "16000 samples a second, expected 8000"),
        ("7_anna_0.wav", {"channels": 2}, "2 channels, expected 1"),
        ("7_anna_0.wav", {"samples": torch.zeros(0)}, "0 samples and no sound"),
        ("7_anna_0.wav", {"samples": torch.zeros(800)}, "800 samples and no sound"),
    ],
)
def test_bad_recordings_are_named(tmp_path, name, options, expected):
    write(tmp_path, "0_ben_0.wav")
    write(tmp_path, name, **options)
    with pytest.raises(ValueError, match=expected) as caught:
        recordings.load_recordings(tmp_path)
    assert name in str(caught.value)


def test_unreadable_files_and_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere is no folder"):
        recordings.load_recordings(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is empty, expected files"):
        recordings.load_recordings(tmp_path)
    (tmp_path / "1_ben_0.wav").write_bytes(b"not a sound")
    with pytest.raises(ValueError, match="1_ben_0.wav: expected a readable WAV"):
        recordings.load_recordings(tmp_path)
    (tmp_path / "1_ben_0.wav").unlink()
    (tmp_path / "1_ben_1.wav").mkdir()
    with pytest.raises(ValueError, match="1_ben_1.wav: expected a file"):
        recordings.load_recordings(tmp_path)


def test_real_recordings():
    if not PEOPLE.is_dir():
        pytest.skip(f"no recordings of people in {PEOPLE.name}; name a folder with RECORDINGS=...")
    clips = recordings.load_recordings(PEOPLE)
    assert {clip.word for clip in clips} == set(speech.DIGITS)
    assert all(400 < len(clip.samples) < 24000 for clip in clips)
    assert speech.utterances(clips, 3, torch.Generator().manual_seed(0))
