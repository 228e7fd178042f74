"""How good are the unit's recipes? `python -m asr_losses.results` trains each with three seeds and prints tables.

Two test sets that no training has heard: natural voices, and voices of other engines. With `--recordings FOLDER` the
CTC reader is tried on your own recordings (see `recordings.load_recordings`) instead: as it comes from synthetic
voices, and for each speaker after further training on the others.
"""

import argparse
import copy
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from asr_losses import alignment, decoding, recipes, speech, training
from asr_losses.recordings import load_recordings

SEEDS = (0, 1, 2)
SETS = ("natural", "other engines")
CTC_COLUMNS = ("greedy CER %", "greedy WER %", "beam WER %", "beam + LM CER %", "beam + LM WER %")
READ_COLUMNS = ("greedy CER %", "greedy WER %", "beam CER %", "beam WER %")


def test_sets(count=300, **how):
    """`{name: utterances}`: the natural test voices and the others, `count` each."""
    clips = speech.load_clips("test")
    return {
        name: speech.utterances(
            [clip for clip in clips if speech.is_natural(clip.speaker) == (name == SETS[0])],
            count, torch.Generator().manual_seed(20), **how,
        )
        for name in SETS
    }


def ctc_rates(model, utterances):
    """CER and WER of the decoders, in the order of CTC_COLUMNS."""
    texts, heard = [u.text for u in utterances], model.listen(utterances)
    greedy = decoding.error_rates(texts, [decoding.greedy(log_probs) for log_probs in heard])
    beam = decoding.error_rates(texts, [decoding.beam_search(log_probs)[0] for log_probs in heard])
    rule = decoding.digit_language_model
    guided = decoding.error_rates(texts, [decoding.beam_search(log_probs, rule)[0] for log_probs in heard])
    return [*greedy, beam[1], *guided]


def read_rates(model, utterances):
    """CER and WER of an EncoderDecoder, in the order of READ_COLUMNS."""
    texts, beam = [u.text for u in utterances], []
    for utterance in utterances:
        _, memory, audible = model.memory_of([utterance])
        beam.append(decoding.token_beam_search(model, memory, audible)[0])
    greedy = decoding.error_rates(texts, model.transcribe(utterances))
    return [*greedy, *decoding.error_rates(texts, beam)]


def written_rates(model, utterances):
    """CER and WER, greedy, of a model with one decoder."""
    return [*decoding.error_rates([u.text for u in utterances], model.transcribe(utterances))]


def boundary(model, utterances):
    """The median distance of the word boundaries from the true ones, in ms, the lag taken off."""
    errors, _ = alignment.score(model, utterances, recipes.validation())
    return [errors.abs().median().item()]


def delay(model, utterances):
    """The median delay of a word, in ms, of a Transducer that writes while it listens."""
    return [alignment.word_delays(model.write(utterances), utterances, model.frame_shift).median().item()]


READ_AND_ALIGNED = (*READ_COLUMNS, "boundary ms"), lambda *both: read_rates(*both) + boundary(*both), {}
EMITTED = "greedy CER %", "greedy WER %", "boundary ms"
MEASURES = {  # model: (columns, measure, arguments of the test utterances)
    "ctc_reader": (CTC_COLUMNS, ctc_rates, {}),
    "ctc_aligner": (("boundary ms",), boundary, {}),
    "encoder_decoder": READ_AND_ALIGNED,
    "guided": READ_AND_ALIGNED,
    "transducer": (EMITTED, lambda *both: written_rates(*both) + boundary(*both), {}),
    "streaming": ((*EMITTED, "delay ms"), lambda *both: written_rates(*both) + boundary(*both) + delay(*both), {}),
    "decoder_only": (("CER %", "WER %"), written_rates, {"words": (1, 3)}),
}


def measured(name, seed):
    """One model: CPU seconds of its training, its numbers by test set, and by voice."""
    torch.set_num_threads(1)
    print(f"{name}, seed {seed}: training", file=sys.stderr)
    begin = time.process_time()
    model, _ = recipes.train(name, seed)
    seconds = time.process_time() - begin
    torch.set_default_dtype(torch.float64)
    _, measure, how = MEASURES[name]
    sets = test_sets(**how)
    by_set = {key: measure(model, utterances) for key, utterances in sets.items()}
    by_voice = {}
    for key, utterances in sets.items():
        for voice in sorted({u.speaker for u in utterances}):
            mine = [u for u in utterances if u.speaker == voice]
            by_voice[key, voice] = measure(model, mine)
    return seconds, by_set, by_voice


def table(header, rows):
    """Prints a table in Markdown; numbers with one decimal."""
    print("| " + " | ".join(header) + " |\n" + "|---" * len(header) + "|")
    for row in rows:
        print("| " + " | ".join(cell if isinstance(cell, str) else f"{cell:.1f}" for cell in row) + " |")
    print(flush=True)


def medians(runs):
    """Column by column."""
    return [statistics.median(column) for column in zip(*runs)]


def tables_of(name, runs):
    """Prints what `measured` found with each of SEEDS: by seed and by voice."""
    columns = MEASURES[name][0]
    rows = []
    for key in SETS:
        found = [[seconds, *by_set[key]] for seconds, by_set, _ in runs]
        rows += [[key, str(seed), *row] for seed, row in zip(SEEDS, found)]
        rows.append([key, "median", *medians(found)])
    print(f"**{name}**\n")
    table(["test voices", "seed", "CPU s", *columns], rows)
    voices = runs[0][2]
    rows = [[key, voice, *medians([run[2][key, voice] for run in runs])] for key, voice in voices]
    table(["test voices", "voice", *columns], rows)


def on_test_voices(names, jobs):
    """Trains and measures the models `names`, and prints their tables."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        runs = {name: [pool.submit(measured, name, seed) for seed in SEEDS] for name in names}
        for name, futures in runs.items():
            tables_of(name, [future.result() for future in futures])


def on_people(seed, folder):
    """`{speaker: (rates untouched, rates after half as many steps on the other speakers)}`, and CPU seconds."""
    torch.set_num_threads(1)
    clips = load_recordings(folder)
    print(f"seed {seed}: training on the shipped voices", file=sys.stderr)
    begin = time.process_time()
    model, _ = recipes.train("ctc_reader", seed)
    seconds, found = time.process_time() - begin, {}
    torch.set_default_dtype(torch.float64)
    for speaker in sorted({clip.speaker for clip in clips}):
        mine = [clip for clip in clips if clip.speaker == speaker]
        test = speech.utterances(mine, 200, torch.Generator().manual_seed(30))
        others = [clip for clip in clips if clip.speaker != speaker]
        print(f"seed {seed}, {speaker}: further training on the others", file=sys.stderr)
        tuned = trained_on(copy.deepcopy(model), others, seed)
        found[speaker] = ctc_rates(model, test), ctc_rates(tuned, test)
    return seconds, found


def trained_on(model, clips, seed):
    """The CTC reader `model` after half as many steps of its recipe on other clips."""
    recipe = recipes.recipe_of("ctc_reader")
    torch.manual_seed(seed)
    spoken = recipe.speech | dict(natural=None)
    training.fit(model, training.batches(clips, seed, **spoken), recipe.steps // 2, recipe.learning_rate)
    return model


def on_recordings(folder, jobs):
    """Prints the rates of the CTC reader on recordings of people, by speaker, and their mean: medians of SEEDS."""
    speakers = sorted({clip.speaker for clip in load_recordings(folder)})
    if len(speakers) < 2:
        raise ValueError(f"folder: {folder} has one speaker, expected at least two, to train on one for another")
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        runs = list(pool.map(on_people, SEEDS, [folder] * len(SEEDS)))
    rows = []
    for i, trained in enumerate(("shipped voices only", "then the other speakers")):
        by_speaker = {s: medians([found[s][i] for _, found in runs]) for s in speakers}
        rows += [[speaker, trained, *rates] for speaker, rates in by_speaker.items()]
        means = [[statistics.mean(column) for column in zip(*(found[s][i] for s in speakers))] for _, found in runs]
        rows.append(["mean", trained, *medians(means)])
    table(["speaker", "trained on", *CTC_COLUMNS], rows)
    print("CPU seconds of the training, by seed:", ", ".join(f"{seconds:.0f}" for seconds, _ in runs))


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help=f"only these, of {', '.join(MEASURES)}")
    parser.add_argument("--recordings", metavar="FOLDER", help="try people's recordings instead of the test voices")
    parser.add_argument("--jobs", type=int, default=1, help="models trained at a time, each on one thread")
    arguments = parser.parse_args()
    unknown = set(arguments.models) - set(MEASURES)
    if unknown:
        parser.error(f"models: no {', '.join(sorted(unknown))}, expected some of {', '.join(MEASURES)}")
    try:
        if arguments.recordings:
            on_recordings(arguments.recordings, arguments.jobs)
        else:
            on_test_voices(arguments.models or list(MEASURES), arguments.jobs)
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
