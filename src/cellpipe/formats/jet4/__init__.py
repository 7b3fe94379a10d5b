"""Reader of Microsoft Access databases (Jet 4) without a driver."""
