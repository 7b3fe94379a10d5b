"""What cellpipe needs of the machine: files, folders, processes, time zones."""
