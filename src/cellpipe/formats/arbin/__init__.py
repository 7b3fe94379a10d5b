"""Arbin's formats: MITS text and workbooks, and the Access database (.res)."""
