"""Defaults that functions and the command line share. Nothing is imported here."""

DELTA = 0.05  # probability, over the sample, with which a bound may fail
CONFIDENCE = 0.95  # coverage of an interval
N_CERTIFY = 200_000  # fresh points on which a classifier is certified
