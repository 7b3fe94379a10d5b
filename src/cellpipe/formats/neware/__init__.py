"""Neware: BTS text and workbooks, .nda and .ndax."""
