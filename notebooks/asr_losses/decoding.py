"""How wrong is a transcript?"""

import jiwer


def error_rates(references, hypotheses):
    """`(CER, WER)` in per cent over the whole list: edits divided by characters or words spoken."""
    if len(references) != len(hypotheses) or not references:
        raise ValueError(
            f"hypotheses: {len(hypotheses)} came for {len(references)} references, expected one for each"
        )
    return 100 * jiwer.cer(references, hypotheses), 100 * jiwer.wer(references, hypotheses)
