"""Access to the machine: files, folders, processes, time zones."""
