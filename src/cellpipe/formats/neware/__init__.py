"""Neware's formats: BTS text and workbooks, .nda and .ndax."""
