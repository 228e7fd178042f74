"""Speech: the same samples everywhere, exact boundaries, silences and noise as promised."""

import hashlib

import pytest
import torch

from asr_losses import speech


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


def test_a_share_of_natural_voices():
    clips = speech.load_clips("train")
    for share in (0.0, 0.4, 1.0):
        said = speech.utterances(clips, 300, torch.Generator().manual_seed(0), natural=share)
        assert abs(sum(speech.is_natural(u.speaker) for u in said) / 300 - share) < 0.1
    for bad, some in ((1.5, clips), (0.5, [clip for clip in clips if not speech.is_natural(clip.speaker)])):
        with pytest.raises(ValueError, match=f"natural: {bad} came, expected a share"):
            speech.utterances(some, 1, torch.Generator(), natural=bad)
