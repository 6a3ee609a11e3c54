"""Statistical procedures that several rooms share: one place for each."""
