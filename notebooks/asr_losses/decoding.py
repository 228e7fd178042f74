"""How wrong is a transcript?"""

import re
import unicodedata

import jiwer


def error_rates(references, hypotheses):
    """`(CER, WER)` in per cent over the whole list: edits divided by characters or words spoken.

    White space other than spaces is one space, and at the ends none counts (a doubled space is an error of
    characters); letters that look the same are the same (Unicode's NFC). Raises ValueError unless there are as many
    hypotheses as references and some word was spoken.
    """
    references, hypotheses = _texts("references", references), _texts("hypotheses", hypotheses)
    if len(references) != len(hypotheses):
        raise ValueError(
            f"hypotheses: {len(hypotheses)} came for {len(references)} references, expected one for each"
        )
    if not any(references):
        raise ValueError(f"references: {len(references)} came without any word, expected at least one word")
    return 100 * jiwer.cer(references, hypotheses), 100 * jiwer.wer(references, hypotheses)


def _texts(name, texts):
    texts = texts if isinstance(texts, str) else list(texts)
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name}: {texts!r} came, expected a list of strings")
    return [re.sub(r"\s*[^\S ]\s*", " ", unicodedata.normalize("NFC", text)).strip() for text in texts]
