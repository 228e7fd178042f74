"""How good are the lessons' recipes? `python -m asr_losses.results` trains them with three seeds and prints tables.

With `--recordings FOLDER` lesson 1's is tried on your own recordings (see `speech.load_recordings`) instead:
once as it comes from synthetic voices, and once for each speaker after further training on the others.
"""

import argparse
import copy
import statistics
import sys
import time

import torch

from asr_losses import codes, speech
from asr_losses.decoding import error_rates
from asr_losses.lesson import definitions

lesson = definitions("01_ctc.ipynb")
lesson2 = definitions("02_cross_entropy.ipynb")


def trained(seed):
    """The model of the recipe."""
    torch.manual_seed(seed)
    model = lesson.ConvEncoder()
    lesson.train(model, speech.load_clips("train"), validation(), lesson.EPOCHS, seed)
    return model


def validation():
    return _spoken(speech.load_clips("validation"), 100, seed=10)


def _spoken(clips, count, seed):
    return speech.utterances(clips, count, torch.Generator().manual_seed(seed))


def transcripts(heard):
    """`{decoder: texts}` for log_probs `(T, C)` of many utterances."""
    return {
        "greedy": [lesson.greedy(log_probs) for log_probs in heard],
        "beam": [lesson.beam_search(log_probs)[0] for log_probs in heard],
        "beam + LM": [lesson.beam_search(log_probs, lesson.digit_language_model)[0] for log_probs in heard],
    }


def boundary_error(aligner, utterances):
    """Median absolute word-boundary error in ms, the lag (measured on validation voices) taken off."""
    lag = lesson.boundary_errors(aligner, validation()).median()
    return (lesson.boundary_errors(aligner, utterances) - lag).abs().median().item()


def table(header, rows):
    print("| " + " | ".join(header) + " |\n" + "|---" * len(header) + "|")
    for row in rows:
        print("| " + " | ".join(cell if isinstance(cell, str) else f"{cell:.1f}" for cell in row) + " |")
    print(flush=True)


def on_test_voices(seeds=(0, 1, 2)):
    """Error rates and boundary errors on the shipped test voices, by seed and by voice."""
    test = _spoken(speech.load_clips("test"), 300, seed=20)
    texts = [u.text for u in test]
    rows, by_voice = [], {}
    for seed in seeds:
        print(f"seed {seed}: training", file=sys.stderr)
        begin = time.process_time()
        model = trained(seed)
        between = time.process_time()
        aligner = lesson.train_aligner(speech.load_clips("train"), validation()[:10], seed)
        seconds, aligner_seconds = between - begin, time.process_time() - between
        said = transcripts(lesson.listen(model, test))
        rates = [rate for hypotheses in said.values() for rate in error_rates(texts, hypotheses)]
        rows.append([str(seed), seconds, *rates, aligner_seconds, boundary_error(aligner, test)])
        for voice in sorted({u.speaker for u in test}):
            mine = [i for i, u in enumerate(test) if u.speaker == voice]
            words = [error_rates([texts[i] for i in mine], [h[i] for i in mine])[1] for h in said.values()]
            by_voice.setdefault(voice, []).append([*words, boundary_error(aligner, [test[i] for i in mine])])
    rows.append(["median", *(statistics.median(column) for column in list(zip(*rows))[1:])])
    decoders = [f"{decoder} {rate} %" for decoder in said for rate in ("CER", "WER")]
    table(["seed", "CPU s", *decoders, "aligner CPU s", "boundary ms"], rows)
    medians = [[voice, *map(statistics.median, zip(*runs))] for voice, runs in by_voice.items()]
    table(["voice", *(f"{decoder} WER %" for decoder in said), "boundary ms"], medians)


def encoder_decoder_on_test_voices(seeds=(0, 1, 2)):
    """Lesson 2's encoder-decoder: error rates and boundary errors, by seed and by voice."""
    test = _spoken(speech.load_clips("test"), 300, seed=20)
    texts, rows, by_voice = [u.text for u in test], [], {}
    for seed in seeds:
        print(f"encoder-decoder, seed {seed}: training", file=sys.stderr)
        begin = time.process_time()
        model, _ = lesson2.train(speech.load_clips("train"), validation()[:40], lesson2.EPOCHS, seed)
        seconds = time.process_time() - begin
        _, memory, audible = lesson2.listen(model, test)
        greedy = lesson2.greedy(model, memory, audible)
        beam = [lesson2.beam_search(model, memory[i : i + 1], audible[i : i + 1])[0] for i in range(len(test))]
        errors = [lesson2.boundary_errors(lesson2.attention_maps(model, us), us) for us in (validation(), test)]
        boundary = (errors[1] - errors[0].median()).abs().median().item()
        rows.append([str(seed), seconds, *error_rates(texts, greedy), *error_rates(texts, beam), boundary])
        for voice in sorted({u.speaker for u in test}):
            mine = [i for i, u in enumerate(test) if u.speaker == voice]
            rates = [error_rates([texts[i] for i in mine], [h[i] for i in mine])[1] for h in (greedy, beam)]
            by_voice.setdefault(voice, []).append(rates)
    rows.append(["median", *(statistics.median(column) for column in list(zip(*rows))[1:])])
    table(["seed", "CPU s", "greedy CER %", "greedy WER %", "beam CER %", "beam WER %", "boundary ms"], rows)
    table(["voice", "greedy WER %", "beam WER %"], [[v, *map(statistics.median, zip(*runs))] for v, runs in by_voice.items()])


def speech_lm_on_test_voices():
    """Lesson 2's decoder-only model: error rates on one to three words, by seed and variant."""
    test = speech.utterances(speech.load_clips("test"), 300, torch.Generator().manual_seed(22), words=(1, 3))
    held_out = speech.utterances(speech.load_clips("validation"), 100, torch.Generator().manual_seed(11), words=(1, 3))
    variants = [("as in the lesson", seed, {}) for seed in (0, 1, 2)]
    variants += [("codes start as random vectors", 0, {"informed": False}), ("loss on all tokens", 0, {"all_tokens": True})]
    rows = []
    for name, seed, options in variants:
        print(f"speech as tokens, {name}, seed {seed}: training", file=sys.stderr)
        begin = time.process_time()
        clips = speech.load_clips("train")
        model, _ = lesson2.train_speech_lm(clips, held_out, codes.codebook(clips, 128, seed), seed, **options)
        rows.append([name, str(seed), time.process_time() - begin, *error_rates([u.text for u in test], lesson2.write(model, test))])
    medians = [statistics.median(column) for column in list(zip(*rows[:3]))[2:]]
    rows.insert(3, ["as in the lesson", "median", *medians])
    table(["decoder-only model", "seed", "CPU s", "CER %", "WER %"], rows)


def on_recordings(folder, seed=0):
    """Error rates on recordings of people: untouched, and after training on the other speakers."""
    clips = speech.load_recordings(folder)
    speakers = sorted({clip.speaker for clip in clips})
    if len(speakers) < 2:
        raise ValueError(f"folder: {folder} has one speaker, expected at least two, to train on one for another")
    print("training on the synthetic voices", file=sys.stderr)
    model, rows = trained(seed), []
    for speaker in speakers:
        test = _spoken([clip for clip in clips if clip.speaker == speaker], 200, seed=30)
        rows.append([speaker, "synthetic voices only", *_rates(model, test)])
        others = [clip for clip in clips if clip.speaker != speaker]
        names = ", ".join(other for other in speakers if other != speaker)
        print(f"{speaker}: further training on {names}", file=sys.stderr)
        tuned = copy.deepcopy(model)
        lesson.train(tuned, others, test[:1], lesson.EPOCHS // 2, seed)
        rows.append([speaker, f"then {names}", *_rates(tuned, test)])
    table(["speaker", "trained on", "greedy CER %", "greedy WER %", "beam + LM CER %", "beam + LM WER %"], rows)


def _rates(model, utterances):
    said = transcripts(lesson.listen(model, utterances))
    texts = [u.text for u in utterances]
    return [*error_rates(texts, said["greedy"]), *error_rates(texts, said["beam + LM"])]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", metavar="FOLDER", help="try people's recordings instead of the test voices")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        if arguments.recordings:
            on_recordings(arguments.recordings)
        else:
            on_test_voices()
            encoder_decoder_on_test_voices()
            speech_lm_on_test_voices()
    except ValueError as error:
        parser.error(str(error))
