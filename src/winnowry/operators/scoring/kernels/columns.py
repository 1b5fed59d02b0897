"""Columns of measured components."""

from __future__ import annotations

CON_ENT, POS_ENT, SENT_LEN, N_WORDS = range(4)
