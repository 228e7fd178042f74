"""Would the tests notice? Makes one mistake at a time, each in a copy of the project of its own, and runs the
tests that are to fail: `make test-mutations`. It says which mistakes nobody noticed, and fails if any.

Each entry of MUTATIONS is one mistake: the tests, the file, what stands there once, what is put in its place.
UNNOTICED lists those that no test can notice, with the reason.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ASR = "notebooks/asr_losses/"
CTC = ASR + "ctc.py"
TRANSDUCER = ASR + "transducer.py"
WRITER = ASR + "models_transducer.py"
ENCODERS = ASR + "encoders.py"
ALIGN = ASR + "alignment.py"
SPEECH = ASR + "speech.py"
FEATURES = ASR + "features.py"
CHECKS = ASR + "checks.py"
FIGURES = ASR + "figures.py"
RECORDINGS = ASR + "recordings.py"
DECODING = ASR + "decoding.py"
ATTENTION = ASR + "attention.py"
TEXTS = ASR + "cross_entropy.py"
RECIPES = ASR + "recipes.py"
LESSON0 = "notebooks/00_alignment_problem.ipynb"
LESSON10 = "notebooks/10_ctc_loss.ipynb"
LESSON11 = "notebooks/11_ctc_training.ipynb"
LESSON12 = "notebooks/12_ctc_alignment.ipynb"
LESSON20 = "notebooks/20_cross_entropy.ipynb"
LESSON21 = "notebooks/21_encoder_decoder.ipynb"
LESSON30 = "notebooks/30_transducer_loss.ipynb"
STYLE, PAGE = "templates/slides/style.css", "templates/slides/index.html.j2"
SLIDES, TALKS = "templates/render_slides.py", "tests/pages/test_slides.py"
WEB = "tests/pages/test_pages.py -k 00_alignment"
DECK, PLAYED = "tests/pages/test_slides.py -k 00_alignment", "tests/pages/test_interactive.py"
STATIC = "tests/pages/test_notebooks.py"
MODELS = "tests/test_models.py"
ALIGNED = "tests/test_alignment.py"
DECODED = "tests/test_decoding.py"
TRAINED = "tests/test_training.py"
TOKENS = "tests/test_cross_entropy.py"
SOUNDS = "tests/test_speech.py"
CLIPS = "tests/test_clips.py"
LOSS = "tests/test_ctc.py"
WALKS = "tests/test_transducer.py"
WRITTEN = "tests/test_models_transducer.py"
ENCODED = "tests/test_encoders.py"
ARGUMENTS = "tests/test_arguments.py"
FEATURED = "tests/test_features.py"
CODED = "tests/test_codes.py"
SHOWN = "tests/test_display.py"
RECORDED = "tests/test_recordings.py"

# Mistakes that are no replacement of a text that stands once in a file: they map its bytes to new ones.


def cell(identifier, **values):
    """Sets parts of the cell with this id: its outputs, its execution count, its metadata."""
    return lambda content: changed(content, identifier, lambda cell: cell.update(values))


def source(identifier, old, new):
    """Puts `new` for `old` in the source of the cell with this id."""
    def change(cell):
        text = "".join(cell["source"])
        assert text.count(old) == 1, (identifier, old, text.count(old))
        cell["source"] = text.replace(old, new)
    return lambda content: changed(content, identifier, change)


def changed(content, identifier, change):
    notebook = json.loads(content)
    change(next(cell for cell in notebook["cells"] if cell["id"] == identifier))
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def picture_of(identifier, other):
    """The first cell stores the picture of the other."""
    def change(content):
        pictures = {
            cell["id"]: output["data"]["image/png"] for cell in json.loads(content)["cells"]
            for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
        }
        assert content.count(pictures[identifier].encode()) == 1 and pictures[identifier] != pictures[other]
        return content.replace(pictures[identifier].encode(), pictures[other].encode())
    return change


def entry(row, column, value):
    """One entry of the corpus index."""
    def change(content):
        lines = content.decode().splitlines()
        entries = lines[row].split(",")
        entries[lines[0].split(",").index(column)] = value
        lines[row] = ",".join(entries)
        return ("\n".join(lines) + "\n").encode()
    return change


MUTATIONS = [
    # The fast CTC loss
    (LOSS, CTC,  # doubles without a blank
     "torch.where(repeat, b_before, u_before", "torch.where(repeat, u_before, u_before"),
    (LOSS, CTC,  # the emission counts nowhere
     "reached[:size, :N].add_(emissions[:size, :N])", "reached[:size, :N]"),
    (LOSS, CTC, "(losses / target_lengths.clamp(min=1).to(losses.device)).mean()", "losses.mean()"),
    (LOSS, CTC,  # 0 / 0 for an empty target
     "(losses / target_lengths.clamp(min=1)", "(losses / target_lengths"),
    (LOSS, CTC,
     "(losses / target_lengths.clamp(min=1).to(losses.device)).mean()",
     "losses.sum() / target_lengths.sum()"),
    (LOSS, CTC,
     ".masked_fill_(impossible, 0.0 if zero_infinity else torch.inf)",
     ".masked_fill_(impossible, torch.inf)"),
    (LOSS, CTC,
     "rest.masked_fill_(impossible, 0.0 if zero_infinity else torch.nan)",
     "rest.masked_fill_(impossible, 0.0)"),
    (LOSS, CTC, "gamma * -of_loss[:, None]", "gamma * of_loss[:, None]"),
    (LOSS, CTC, "gamma * -of_loss[:, None]", "-gamma"),  # the weights of the items forgotten
    (LOSS, CTC,  # padding frames say labels
     "emissions.masked_fill_(beyond[:, :, None], -torch.inf)", "pass"),
    (LOSS, CTC, "emissions[:, :, 0].masked_fill_(beyond, 0.0)", "pass"),  # padding frames cost their blank
    (LOSS, CTC, "padding[then].flip(0)", "padding[then]"),
    (LOSS, CTC,  # padding frames get a gradient
     "rest if padding is None else rest.masked_fill_(padding, 0.0)", "rest"),
    (LOSS, CTC, "log_p = u[:N].gather(1, ends)[:, 0]", "log_p = u[:N, -1]"),  # padding labels count
    (LOSS, CTC, " | (found == blank)).any()", ").any()"),  # the blank as a label
    (LOSS, CTC, "first.min() >= 0", "False"),  # probabilities for their logs
    (LOSS, CTC,  # as if the blank were always 0
     "np.full((2 * N, 1 + U), blank)", "np.full((2 * N, 1 + U), 0)"),
    (LOSS, CTC,  # the states are never moved: fewer digits
     "best = u.amax(1)", "best = torch.zeros_like(u[:, 0])"),
    (LOSS, CTC, "best.masked_fill_(best.isneginf(), 0.0)", "pass"),  # -inf minus -inf
    (LOSS, CTC, "scale[then] += taken[N:]", "pass"),
    (LOSS, CTC,
     "taken = log_probs.new_zeros(2 * N, dtype=torch.float64)", "taken = log_probs.new_zeros(2 * N)"),
    (LOSS, CTC, ".masked_fill_(rounded, 0.0)", ""),  # less than nothing
    (LOSS, CTC,  # half a second derivative
     "_Gradient.apply if torch.is_grad_enabled() else _Gradient.forward", "_Gradient.forward"),
    (LOSS, CTC, ".clamp_(min=0.0)  # the blank", "  # the blank"),  # a probability below 0
    # The transducer: its loss, its model, what it needs of others
    (WALKS, TRANSDUCER,  # labels behind a text are read
     "move[:, :T].masked_fill_(outside, 0.0)", "move[:, :T].masked_fill_(beyond[:, :T, None], 0.0)"),
    (WALKS, TRANSDUCER,  # only the longest text comes to the end
     "emit[:, T].masked_fill_(finished & (place < W - 1), 0.0)", "pass"),
    (WALKS, TRANSDUCER, "by_label[N:] = emit.flip(1, 2)", "by_label[N:] = emit.flip(1)"),  # half backwards
    (WALKS, TRANSDUCER, "gradient[..., ctx.blank] -= move", "gradient[..., 0] -= move"),  # as if the blank were always 0
    (WALKS, TRANSDUCER, "item[:, U + 1 :] = 0.0", "pass"),  # nan from what pads the logits
    (WALKS, TRANSDUCER, "(-log_p).masked_fill_(rounded, 0.0)", "-log_p"),  # less than nothing
    (WALKS, TRANSDUCER, "_Once.apply(gradient, logits, of_loss)", "gradient"),  # half a second derivative
    (WALKS, TRANSDUCER, "_Once.apply(gradient, move, emit, of_loss) for", "gradient for"),
    (WALKS, TRANSDUCER, "<= said[:, None]", "< said[:, None]"),  # logits for log-probabilities, at the last node
    (WALKS, TRANSDUCER, "_Arcs.apply(exact(move), exact(emit), heard", "_Arcs.apply(move, emit, heard"),
    (WALKS, TRANSDUCER, "log_probs[..., blank].contiguous()", "log_probs[..., blank]"),  # keeps all logits in memory
    (WALKS, TRANSDUCER, "encoded.split(frames, 1)", "encoded.split(encoded.shape[1], 1)"),  # no slices
    (WALKS, TRANSDUCER, "max((moved, False), (emitted, True))", "min((moved, False), (emitted, True))"),
    (WALKS, ASR + "arguments.py", "heard.max() != T", "heard.max() > T"),
    (WALKS, ASR + "arguments.py", " | (targets == blank)", ""),  # the blank as a label
    (WRITTEN, WRITER, "emit + self.delay * ", "emit - self.delay * "),  # a bonus for late labels
    (WRITTEN, WRITER, "if self.training and self.delay:", "if self.delay:"),
    (WRITTEN, WRITER, "F.pad(targets, (self.context, 0)", "F.pad(targets, (self.context - 1, 1)"),  # sees what it is to say
    (WRITTEN, WRITER, "emits & (best[:, 0] != BLANK)", "best[:, 0] != BLANK"),  # writes where nothing is, and after a blank
    (WRITTEN, WRITER, "move[:T, : U + 1], emit[:T, :U]", "move, emit"),  # padding in the alignment
    (ENCODED, ENCODERS, "side = 4 if causal else 2", "side = 3 if causal else 2"),  # hears what comes later
    (ENCODED, ENCODERS, "if gated and causal:", "if False:"),
    (ALIGNED, ALIGN, "last = [i - 1 for i, character", "last = [i - 2 for i, character"),  # the last letter but one
    (ALIGNED, ALIGN, "+ WINDOW / 2 / SAMPLE_RATE - end", "- end"),
    (ALIGNED, ALIGN, "tuple(frames.double() * frame_shift)", "tuple(frames[:1].double() * frame_shift) * 2"),
    (ARGUMENTS, ALIGN, "(frames.diff() < 0).any()", "False"),
    (ARGUMENTS, ALIGN, " or (frames[0] > frames[1]).any()", ""),
    # Alignment, features, error rates
    (ALIGNED, ALIGN, "skip[3::2] = target[1:] != target[:-1]", "skip[3::2] = True"),
    (ALIGNED, ALIGN, "ends = delta[-2:]", "ends = delta[-1:]"),  # only the last blank may end a path
    (ALIGNED, ALIGN, "[(last[u - 1] + first[u + 1]) / 2 for u", "[first[u + 1] for u"),
    (ALIGNED, ALIGN, "[(end + start) / 2 for end, start in gaps]", "[start for end, start in gaps]"),
    (ALIGNED, ALIGN, "middles = [u + 0.5 for u", "middles = [u for u"),
    (DECODED, DECODING, "jiwer.wer(references, hypotheses)", "jiwer.wer(hypotheses, references)"),
    (DECODED, DECODING, "jiwer.cer(references, hypotheses)", "jiwer.wer(references, hypotheses)"),
    (FEATURED, FEATURES, "return mel / mel.std().clamp(min=1e-4)", "return mel"),
    (FEATURED, FEATURES,  # padded lengths
     "torch.tensor([len(mel) for mel in log_mels], device",
     "torch.tensor([max(map(len, log_mels))] * len(log_mels), device"),
    (SOUNDS, SPEECH, "ends.append(now / SAMPLE_RATE)", "ends.append((now + pause) / SAMPLE_RATE)"),
    (SOUNDS, SPEECH, "SAMPLE_RATE = 8000", "SAMPLE_RATE = 16000"),
    (SOUNDS, SPEECH,  # no seed
     "torch.randn(length + 1, generator=generator, dtype", "torch.randn(length + 1, dtype"),
    (SOUNDS, SPEECH, "if silent and draw(0, 1, generator) < silent:", "if False:"),  # somebody always speaks
    (SOUNDS, SPEECH, "speakers[draw(0, 1, generator) < natural]", "speakers[True]"),
    (FEATURED, FEATURES, "mel = mel - mel.mean(0)", "mel = mel - mel.mean()"),  # hears the microphone
    (FEATURED, FEATURES, "mel.max() - RANGE", "mel.max() - 2 * RANGE"),
    (FEATURED, FEATURES, "1 + tempo * draw(-1, 1, generator)", "1 + tempo * draw(0, 1, generator)"),  # only slower
    (TOKENS, ASR + "models.py", "torch.where(place < begin, place, place - begin)", "place"),
    (SOUNDS, SPEECH, "silence.new_tensor(LOUDNESS)", "silence.new_tensor(0.0)"),  # digital zero
    (SOUNDS, SPEECH, "louder * clip.samples.double()", "clip.samples.double()"),
    (ALIGNED, ALIGN, "model.frame_shift) - lag, lag.item()", "model.frame_shift), lag.item()"),  # the lag stays
    (ALIGNED, ALIGN, "boundary_errors(model.paths(validation), validation", "boundary_errors(model.paths(utterances), utterances"),
    # Training and weights
    (TRAINED, RECIPES, '"ctc_aligner": Recipe("ctc", 500,', '"ctc_aligner": Recipe("ctc", 600,'),
    (TRAINED, FEATURES, "0.15 * draw(-1, 1, generator)", "0.16 * draw(-1, 1, generator)"),  # other speech
    (TRAINED, ASR + "training.py", "clip_grad_norm_(model.parameters(), 5.0)", "clip_grad_norm_(model.parameters(), 0.1)"),
    (TRAINED, ASR + "training.py", "exponent - 10, -40", "exponent - 60, -80"),  # the last digits grow
    (TRAINED, ASR + "training.py", ".div_(unit).round_()", ".div_(unit).floor_()"),
    (TRAINED, ASR + "encoders.py", "x * 2 * self.excite", "x * self.excite"),
    (TRAINED, ASR + "data/digits.csv", entry(1, "word", "one")),
    (TRAINED, ASR + "weights/ctc_aligner.safetensors", lambda content: content[:-4] + bytes(4)),
    (MODELS, ASR + "models.py", "if self.training:\n            self.prior", "if True:\n            self.prior"),
    (RECORDED, RECORDINGS, "floor_db=-35.0", "floor_db=-15.0"),
    (RECORDED, RECORDINGS, "centred = centred - centred.median()", "pass"),  # an offset is a sound
    (RECORDED, RECORDINGS, "Path(folder).expanduser()", "Path(folder)"),
    (RECORDED, RECORDINGS, "    if missing:", "    if False:"),  # half a file
    (FEATURED, FEATURES, "- BANDS / 2) * scale", "- BANDS / 2) / scale"),  # the warp the other way
    (ARGUMENTS, ASR + "arguments.py", "values.isnan().any()", "False"),
    (ARGUMENTS, ASR + "arguments.py", " or values.dtype == torch.bool", ""),
    (ALIGNED, ALIGN, "finite=False).detach().double()", "finite=False).detach()"),
    (ALIGNED, ALIGN, "with torch.inference_mode(False), torch.enable_grad():", "if True:"),
    (DECODED, DECODING, 'unicodedata.normalize("NFC", text)', "text"),
    (CODED, ASR + "codes.py", "x, centres = x.double(), centres.double()", "pass"),
    (SHOWN, ASR + "display.py", "kernel.session.pid == os.getpid()", "True"),
    # Lessons 10 to 12: what they define, tested from outside, and the lessons themselves
    (DECODED, DECODING,  # blanks stay
     "groupby(path) if label", "groupby(path) if True or label"),
    (MODELS, ASR + "encoders.py",  # padding leaks
     "return x * (torch.arange(x.shape[2]) < frames[:, None])[:, None]", "return x"),
    (DECODED, DECODING,  # doubles in the beam
     "before = blank if longer[-2:-1] == longer[-1] else either", "before = either"),
    (DECODED, DECODING,  # one path forgets the other
     "_log_add(grown[longer][1], before + frame[c])", "before + frame[c]"),
    (DECODED, DECODING, "(MOST_WORDS - n + 1) / MOST_WORDS * matches / 10", "matches / 10"),
    (LESSON10, LESSON10,  # the blank between doubles jumped over
     source("5846a523", ".where(jump, FLOOR)", "")),
    (LESSON10, LESSON10, source("eb8c1663", "lattice(target[::-1])", "lattice(target)")),
    (LESSON10, LESSON10, source("5e892005", "through = alpha + beta - emission", "through = alpha + beta")),
    (LESSON10, LESSON10, source("c0ffee02", "- log_probs[:, :1]  #", "+ log_probs[:, :1]  #")),
    (LESSON10, LESSON10, source("l10identc", "share * share.log()", "share")),  # no entropy
    (LESSON11, LESSON11, source("adffe707", ".log_softmax(2)", "")),  # logits for log-probabilities
    (LESSON11, LESSON11, source("61d391cc", "        optimizer.zero_grad()\n", "")),  # in the training loop
    (LESSON30, LESSON30, source("l30fwdc", "emit[t, u - 1]", "emit[t - 1, u - 1]")),  # a label that moves on
    (LESSON30, LESSON30, source("l30gradf", "closed = leaves.sum(2, keepdim=True) * log_probs.exp()", "closed = log_probs.exp()")),
    (LESSON30, LESSON30, source("l30memm", "2 * T * frame", "T * frame")),  # forgets the gradient
    (LESSON30, LESSON30, source("l30troublef", '"blank": 4', '"blank": 0')),
    (MODELS, ASR + "models.py",  # dropout and batch statistics while listening
     "        self.eval()\n        heard = []", "        heard = []"),
    # Lessons 20 to 23: the same
    (TOKENS, TEXTS,  # never learns to stop
     "labels[torch.arange(len(targets), device=targets.device), target_lengths] = EOS", "pass"),
    (TOKENS, TEXTS, "F.pad(targets, (1, 0), value=BOS)", "F.pad(targets, (0, 1), value=BOS)"),  # no shift
    (TOKENS, TEXTS, " ignore_index=PAD,", ""),  # padding counts
    (TOKENS, ATTENTION, "torch.arange(T) < frames", "torch.arange(T) <= frames"),  # a padding frame is heard
    (TOKENS, ATTENTION, " / k.shape[3] ** 0.5", ""),
    (TOKENS, ASR + "models.py",  # every label is seen
     "memory, causal(inputs.shape[1]), audible)", "memory, causal(inputs.shape[1]) | True, audible)"),
    (TOKENS, DECODING, "logits[:, -1].log_softmax(1)", "logits[:, -1]"),
    (TOKENS, CHECKS, "if not may[..., 0].all():", "if False:"),  # a mask of the wrong polarity
    (TOKENS, ASR + "codes.py", "centres.square().sum(1) - 2 * x", "-2 * x"),
    (LESSON20, LESSON20,  # shifted by nothing
     source("ed7b7424", "[:, :-1] if shifted else labels", "[:, 1:] if shifted else labels")),
    (LESSON20, LESSON20,  # the mask upside down
     source("f03e5d1b", ".triu(1)  #", ".tril(-1)  #")),
    # Outputs and texts in the notebooks
    (LESSON10, LESSON10, "sum 0.2111, loss 1.5555", "sum 0.2111, loss 1.5556"),
    (LESSON0, LESSON0, "naive: -inf   logsumexp: -999.6867", "naive: -inf   logsumexp: -999.6866"),
    (LESSON0, LESSON0, cell("c19532bf", outputs=[])),
    (LESSON0, LESSON0, picture_of("e9e2924b", "e8097e2a")),
    (STATIC, LESSON0, cell("c19532bf", execution_count=None)),
    (STATIC, LESSON0, cell("9488753e", source="It is 0.4711.")),  # a number that nothing shows
    (STATIC, LESSON10,  # an alt text with a number of its own
     source("5ace224f", "on {T} frames", "on 7 frames")),
    (STATIC, LESSON10, "(10_ctc_loss_solutions.ipynb)", "(10_solutions.ipynb)"),  # a link that leads nowhere
    (STATIC, LESSON10, cell("e8a16ca0", outputs=[])),  # a demanded exception that is not stored
    # Figures, still and interactive
    (LESSON0, ASR + "figures_alignment.py",
     "ax.scatter(characters, frames, s=8", "ax.scatter(frames, characters, s=8"),
    (LESSON0, FIGURES,
     "right = (len(log_mel) - 0.5) * frame_shift", "right = 0.9 * len(log_mel) * frame_shift"),
    (LESSON0, ASR + "lesson.mplstyle", "font.size: 15", "font.size: 9"),
    (STATIC, "figures/10_lattice.png",  # a stale picture
     lambda content: content[:-20] + bytes(8) + content[-12:]),
    (LESSON10, ASR + "js/collapse.js",  # the stored script is another one
     "kept = drop(merged)", "kept = merge(drop(frames))"),
    (PLAYED + " -k collapse", LESSON10,  # the wrong order
     "kept = drop(merged)", "kept = merge(drop(frames))"),
    (PLAYED + " -k lattice", LESSON10, "sum + seen[stage].log_p[t][s]", "sum + seen[stage].alpha[t][s]"),
    (PLAYED + " -k training", LESSON11, "data.loss[k].toFixed", "data.loss[0].toFixed"),
    (PLAYED + " -k masks", LESSON21,
     "switches.causal.checked ? data.tokens_causal", "switches.shift.checked ? data.tokens_causal"),
    (PLAYED + " -k transducer", LESSON30, "table[t - 1][u] + move[t - 1][u]", "table[t - 1][u] + move[t][u]"),
    (PLAYED + " -k transducer", LESSON30, "end = u === U ? 0 : -Infinity", "end = 0"),  # labels may be left out
    (PLAYED + " -k transducer", LESSON30,  # out of the last frame with labels missing
     "t < now.T - 1 || t < now.T && u === now.U", "t < now.T"),
    # Slides
    (DECK, STYLE, "font-size: 32px; line-height: 1.35", "font-size: 28px; line-height: 1.35"),
    (DECK, STYLE, "font-size: 32px; line-height: 1.35", "font-size: 66px; line-height: 1.35"),
    (DECK, STYLE, "flex: 1 1 0; min-height: 0; margin: 0;", "flex: 0 0 300px;"),  # small figures
    (DECK, SLIDES, "(shown if re.match(SHOWN, block) else said)", "(shown)"),  # what is said is projected
    (TALKS + " -k said", SLIDES, "lines[node.lineno - 1 : node.end_lineno] = ", "lines[:0] = "),  # with its prints
    (TALKS + " -k keys", SLIDES, "f\"{place} + '/' + data.state.indexf\"", "place"),  # fragments go back
    (DECK, STYLE, "--ink: #1a1a1a", "--ink: #aaaaaa"),
    (DECK, PAGE, "alt=\"{{ about", "title=\"{{ about"),
    (DECK, PAGE,
     "<script>{{ resources.deck.mathjax_js }}</script>",
     "<script src=\"https://example.org/mathjax.js\"></script>"),
    (DECK, PAGE, "inlineMath: [[\"$\", \"$\"]", "inlineMath: [[\"@\", \"@\"]"),
    (DECK, PAGE, "plugins: [RevealNotes]", "plugins: [Notes]"),
    (DECK, LESSON0,  # an exercise becomes a slide
     cell("82810d41", metadata={"slideshow": {"slide_type": "subslide"}})),
    # Web pages
    (WEB, "templates/pages/style.css", "--ink: #1a1a1a", "--ink: #aaaaaa"),
    (WEB, "templates/pages/style.css", ".scroll { overflow-x: auto; }", ""),  # wide figures push the page aside
    (WEB, "templates/pages/index.html.j2", "alt=\"{{ output.metadata", "title=\"{{ output.metadata"),
    (WEB, "templates/render_pages.py", "f\"{path.stem}_solutions.html\", \"solutions\"), link", "f\"{path.stem}_answers.html\", \"solutions\"), link"),
    # The corpus index
    (CLIPS + " -k not(two_processes)", ASR + "data/digits.csv", entry(1, "end", "1")),
    (CLIPS + " -k not(two_processes)", ASR + "data/digits.csv", entry(2, "split", "test")),
    (CLIPS + " -k not(two_processes)", ASR + "data/digits.csv", entry(2, "start", "3000")),
    (CLIPS + " -k not(two_processes)", ASR + "data/digits.csv", entry(3, "speaker", "nobody")),
]

# What no test notices, and why: these are made, too, so that the list stays true.
UNNOTICED = [
    (LESSON0, ASR + "lesson.mplstyle",
     "lines.markersize: 7",
     "lines.markersize: 7.5",
     "a picture may differ a little, as it does between machines"),
]


def mutate(folder, path, change, new=None):
    file = folder / path
    content = file.read_bytes()
    if callable(change):
        result = change(content)
    else:
        if path.endswith(".ipynb"):
            change, new = (json.dumps(text, ensure_ascii=False)[1:-1] for text in (change, new))
        count = content.count(change.encode())
        assert count == 1, f"{path}: {change!r} stands there {count} times, expected once"
        result = content.replace(change.encode(), new.encode())
    assert result != content, f"{path}: nothing changed"
    file.write_bytes(result)


def copy_project(folder):
    ignore = shutil.ignore_patterns("__pycache__", "*.html", ".*")
    for part in ("notebooks", "tests", "templates", "figures"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    for name in ("README.md", "LICENSE", "Makefile", "requirements.txt", ".pytest.ini"):
        shutil.copy(ROOT / name, folder / name)


def run(selection, *mutation):
    """(exit code of pytest, what failed first, seconds)"""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        folder, begin = Path(folder), time.monotonic()
        copy_project(folder)
        if mutation:
            mutate(folder, *mutation)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *selection.split()]
        if selection.endswith(".ipynb"):
            command += ["tests", "--ignore-glob=*/test_*.py"]  # for tests/conftest.py: it compares pictures
        environment = os.environ | {"CI": "1"}
        result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", result.stdout, flags=re.M)
        failed = failed or [result.stdout[-400:] + result.stderr[-400:]]
        return result.returncode, failed[0], time.monotonic() - begin


def describe(path, change, new=""):
    return path, change.__qualname__.split(".")[0] if callable(change) else f"{change!r} -> {new!r}"


def main():
    parser = argparse.ArgumentParser(description="Make mistakes, one by one, and see if the tests notice.")
    parser.add_argument("--jobs", type=int, default=1, help="mistakes at a time")
    parser.add_argument("--only", default="", help="only mistakes in files whose path contains this")
    arguments = parser.parse_args()
    chosen = [m for m in MUTATIONS + UNNOTICED if arguments.only in m[1]]
    counts = {"caught": 0, "MISSED": 0, "unnoticed": 0, "BROKEN": 0}
    with ThreadPoolExecutor(arguments.jobs) as pool:
        # Without a mistake these tests must pass, or failing would say nothing. (The lessons: make test.)
        quick = sorted({m[0].split()[0] for m in chosen if not m[0].startswith("notebooks/")})
        code, failed, _ = run(f"-n {arguments.jobs} --dist loadfile " + " ".join(quick)) if quick else (0, "", 0)
        if code:
            sys.exit(f"fails without any mistake: {failed}")
        for mutation, (code, failed, seconds) in zip(chosen, pool.map(lambda m: run(*m[:4]), chosen)):
            known = mutation in UNNOTICED
            expected = {0: "unnoticed", 1: "BROKEN"} if known else {0: "MISSED", 1: "caught"}
            verdict = expected.get(code, "BROKEN")
            counts[verdict] += 1
            why = f", as known: {mutation[4]}" if verdict == "unnoticed" else f" ({failed}, {seconds:.0f} s)"
            print(f"{verdict}{why}:", *describe(*mutation[1:4]), flush=True)
    print(*(f"{count} {verdict}" for verdict, count in counts.items() if count), sep=", ")
    return bool(counts["MISSED"] + counts["BROKEN"])


if __name__ == "__main__":
    sys.exit(main())
