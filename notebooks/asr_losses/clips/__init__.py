"""How were the shipped digits made? `python -m asr_losses.clips.make` makes them again; see `make`."""
