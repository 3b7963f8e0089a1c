"""mutants.py - all mutants and variants, for those who look for one by its name."""

import mutants_closing
import mutants_deflate
import mutants_frames
import mutants_handshake
import variants
from mutant import MUTANTS, VARIANTS

__all__ = ["MUTANTS", "VARIANTS", "mutants_closing", "mutants_deflate", "mutants_frames", "mutants_handshake", "variants"]
