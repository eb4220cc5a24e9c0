"""Decoding in numpy, one copy for both runtimes: sampling, beam search, CTC, transducers."""
