"""Landing CSVs: their header, how they are split into rows, which rows are refused and why, and the types of the others."""
