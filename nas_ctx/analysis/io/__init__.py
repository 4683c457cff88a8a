"""Reading runs: genotype files, run folders, the record of NNI, tables."""
