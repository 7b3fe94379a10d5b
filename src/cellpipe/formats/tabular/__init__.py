"""Readers of tables in text files and workbooks: headers and units, columns, blocks of lines."""
