"""BioLogic: EC-Lab's binary files (.mpr) and its text exports (.mpt)."""
