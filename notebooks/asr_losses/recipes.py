"""Which models does the unit train, how exactly, and where are they kept?

`train(name, seed)` trains one, in float64, so that every processor gets the same to many digits; `load(name)` returns
the one that is shipped in `weights/`. `python -m asr_losses.recipes` makes the shipped ones again (`make weights`).
"""

import csv
import hashlib
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import safetensors.torch
import torch

from asr_losses import codes, decoding, features, models, speech, training
from asr_losses.encoders import ConvEncoder
from asr_losses.models_transducer import Transducer

WEIGHTS = Path(__file__).parent / "weights"
INDEX = WEIGHTS / "index.csv"
COLUMNS = ("name", "seed", "cpu_seconds", "cer", "wer", "corpus_and_recipe", "first_losses", "weights")
FIRST = 2  # so many steps of training are part of a model's fingerprint


@dataclass(frozen=True)
class Recipe:
    """All that decides what a model becomes, beside the code."""

    kind: str  # of model: a key of MODELS
    steps: int
    learning_rate: float
    model: dict = field(default_factory=dict)  # arguments of the model
    encoder: dict = field(default_factory=dict)  # arguments of its ConvEncoder
    speech: dict = field(default_factory=dict)  # arguments of training.batches
    tempo: float = 0.0  # goes to features.augment
    augmented: bool = True


SPOKEN = dict(silent=0.05, natural=0.35)  # one utterance in twenty says nothing; a third of all are by natural voices
NOISY = dict(snr_db=(10.0, 35.0), level_db=6.0)
MILD = dict(snr_db=(15.0, 40.0), level_db=3.0)
WRITER = dict(dilations=(1, 2, 4, 8), width=64, gated=True)  # the encoder of both encoder-decoders
VIEW = dict(dilations=(1, 2, 4, 8, 1), width=64)  # of the CTC reader's encoder
READER, LISTENER = VIEW | dict(gated=True), VIEW | dict(causal=True)
RECIPES = {
    "ctc_reader": Recipe("ctc", 3600, 0.01, {}, READER, SPOKEN | NOISY, tempo=0.2),
    "ctc_aligner": Recipe("ctc", 500, 0.01, dict(prior_weight=0.5), dict(dilations=(1,)), SPOKEN, augmented=False),
    "encoder_decoder": Recipe("encoder_decoder", 3600, 0.003, dict(joint=0.1), WRITER, SPOKEN | MILD),
    "guided": Recipe("encoder_decoder", 3600, 0.003, dict(joint=0.1, guidance=1.0), WRITER, SPOKEN | MILD),
    "decoder_only": Recipe("decoder_only", 3600, 0.002, speech=SPOKEN | dict(words=(1, 3))),
    "transducer": Recipe("transducer", 1100, 0.003, {}, READER, SPOKEN | NOISY, tempo=0.2),
    "streaming": Recipe("transducer", 900, 0.005, {}, LISTENER, SPOKEN | NOISY, tempo=0.2),
}


STAGES = (0, 10, 40, 60, 80, 100, 150, 300, 1000, 3600)  # steps of the reader's training that lessons look at
CODES = 128  # typical pieces of speech in the decoder-only model's codebook


def _ctc(recipe, centres):
    return models.CTC(ConvEncoder(**recipe.encoder), **recipe.model)


def _encoder_decoder(recipe, centres):
    return models.EncoderDecoder(ConvEncoder(**recipe.encoder), **recipe.model)


def _decoder_only(recipe, centres):
    return models.SpeechLanguageModel(centres(), **recipe.model)


def _transducer(recipe, centres):
    """Its encoder starts as the shipped CTC reader's: so much of it as it has, for a causal one has no gates."""
    model = Transducer(ConvEncoder(**recipe.encoder), **recipe.model)
    reader = load("ctc_reader")
    model.encoder.load_state_dict(reader.encoder.state_dict(), strict=False)
    model.frame_head.load_state_dict(reader.head.state_dict())
    return model


MODELS = {
    "ctc": _ctc, "encoder_decoder": _encoder_decoder, "decoder_only": _decoder_only, "transducer": _transducer,
}


@contextmanager
def _float64(seed):
    """Inside, torch's default dtype is float64 and its random state starts at `seed`; behind, both are as before."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_default_dtype(before)


def recipe_of(name):
    """The Recipe of the model `name`."""
    if name not in RECIPES:
        raise ValueError(f"name: {name!r} came, expected one of {', '.join(RECIPES)}")
    return RECIPES[name]


def untrained(name, seed=0):
    """The model `name` before its first step, in float64."""
    recipe = recipe_of(name)
    with _float64(seed):
        return MODELS[recipe.kind](recipe, lambda: codes.codebook(speech.load_clips("train"), CODES, seed))


def train(name, seed=0, evaluate=None, watch=None, stop=None):
    """The model `name`, trained, and its history; `evaluate`, `watch` and `stop` go to `training.fit`."""
    recipe = recipe_of(name)
    model = untrained(name, seed)
    with _float64(seed):
        history = training.fit(model, batches(name, seed), recipe.steps, recipe.learning_rate, evaluate, watch, stop)
    return model.eval(), history


def batches(name, seed=0):
    """What the model `name` is trained on: Batches without end."""
    recipe = recipe_of(name)
    change = partial(features.augment, tempo=recipe.tempo) if recipe.augmented else training.unchanged
    return training.batches(speech.load_clips("train"), seed, change=change, **recipe.speech)


def load(name):
    """The shipped model `name`, in torch's default dtype, in evaluation mode."""
    recipe = recipe_of(name)
    with _float64(0):
        model = MODELS[recipe.kind](recipe, lambda: torch.zeros(CODES, codes.FRAMES * features.BANDS))
    model.load_state_dict(safetensors.torch.load_file(WEIGHTS / f"{name}.safetensors"))
    return model.to(torch.get_default_dtype()).eval()


def word():
    """The Utterance whose lattice lesson 10 looks at: the shortest "four" of the natural test voices."""
    said = speech.utterances(speech.load_clips("test"), 200, torch.Generator().manual_seed(20))
    return min((u for u in said if u.text == "four" and speech.is_natural(u.speaker)), key=lambda u: u.seconds)


def stages():
    """What the reader says about `word()` in the course of its training: {steps: log-probabilities `(T, C)`}."""
    table = safetensors.torch.load_file(WEIGHTS / "stages.safetensors")
    return {steps: table[str(steps)].to(torch.get_default_dtype()) for steps in STAGES}


def validation(count=100, **how):
    """Utterances of the validation voices, always the same ones; `how` goes to `speech.utterances`."""
    return speech.utterances(speech.load_clips("validation"), count, torch.Generator().manual_seed(10), **how)


def fingerprint(name):
    """What the shipped weights depend on, as two entries of the index: a hash of the corpus and the recipe, and the
    training losses of the first steps, which change with the code.
    """
    corpus = b"".join((speech.DATA / file).read_bytes() for file in ("digits.flac", "digits.csv"))
    digest = hashlib.sha256(corpus + repr(asdict(recipe_of(name))).encode()).hexdigest()[:16]
    _, history = train(name, stop=FIRST)
    return digest, " ".join(f"{loss:.6f}" for loss in history[-1]["steps"])


def weights_hash(name):
    """The first 16 digits of the shipped file's SHA-256."""
    return hashlib.sha256((WEIGHTS / f"{name}.safetensors").read_bytes()).hexdigest()[:16]


def read_index():
    """The rows of the index, `{name: {column: text}}`."""
    with open(INDEX, newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def _look(seen, said, model, step):
    """Keeps what the model says about the Utterance `said` at each of STAGES in `seen`."""
    if step in STAGES[1:]:
        seen[str(step)] = model.listen([said])[0].float()
        model.train()


def make(name):
    """Trains the model `name` and keeps it in `weights/`; returns its row of the index."""
    begin = time.process_time()
    said = word()
    with _float64(0):
        seen = {"0": untrained("ctc_reader").listen([said])[0].float()}
    model, _ = train(name, watch=partial(_look, seen, said) if name == "ctc_reader" else None)
    seconds = time.process_time() - begin
    if name == "ctc_reader":
        safetensors.torch.save_file(seen, WEIGHTS / "stages.safetensors")
    stored = {key: value.float().contiguous() for key, value in model.state_dict().items()}
    WEIGHTS.mkdir(exist_ok=True)
    safetensors.torch.save_file(stored, WEIGHTS / f"{name}.safetensors")
    held_out = validation(words=recipe_of(name).speech.get("words", (1, 6)))
    with _float64(0):
        cer, wer = decoding.error_rates([u.text for u in held_out], load(name).transcribe(held_out))
    digest, first = fingerprint(name)
    entries = name, 0, round(seconds), f"{cer:.1f}", f"{wer:.1f}", digest, first, weights_hash(name)
    return dict(zip(COLUMNS, map(str, entries)))


def main(names):
    """Makes the models `names` again, all if there is none, and writes the index."""
    torch.set_num_threads(1)
    rows = read_index() if INDEX.is_file() else {}
    for name in names or RECIPES:
        print(f"{name}: training", file=sys.stderr)
        rows[name] = make(name)
        print(rows[name])
    with open(INDEX, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name] for name in RECIPES if name in rows)


if __name__ == "__main__":
    main(sys.argv[1:])
