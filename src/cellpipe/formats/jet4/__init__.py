"""Microsoft Access databases (Jet 4), read without a driver."""
