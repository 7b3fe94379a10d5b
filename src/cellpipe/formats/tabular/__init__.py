"""Tables as text and workbooks: dialects of numbers, columns, blocks of lines."""
