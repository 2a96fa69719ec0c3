"""Windows of a deployment: which are complete, what went into them, and the findings they give."""
