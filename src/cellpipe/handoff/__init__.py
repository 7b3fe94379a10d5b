"""Deliver results to other programs: archives, notebooks, the Battery Data Format, mail.

A cell is delivered as a :class:`~cellpipe.handoff.record.Record`: typed values with units, files
and a text. Each kind of receiver has its own module.
"""
