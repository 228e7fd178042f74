"""What the lessons import: speech, features, fast losses, alignments, decoders, drawings."""
