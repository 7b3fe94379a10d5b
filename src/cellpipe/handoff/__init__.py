"""What leaves the results for other programs: archives, notebooks, the Battery Data Format, mail.

A cell is handed on as a :class:`~cellpipe.handoff.record.Record`: typed values with units, files
and a text. Where it goes to is a module each.
"""
