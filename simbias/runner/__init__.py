"""From a suite to results: planning, and execution on this machine."""
