"""The sentence that stands beside every map, on pages and in dossiers."""

CAUTION = "The map shows what influenced the output, not whether the output is right."
