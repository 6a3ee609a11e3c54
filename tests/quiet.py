"""A reporter of runs that says nothing."""


class Quiet:
    """A reporter that remembers."""

    def __init__(self):
        self.missing, self.notes, self.rows, self.saved = None, [], [], {}

    def begun(self, plan, missing, saved):
        self.missing, self.saved = missing, saved

    def advanced(self, moved):
        pass

    def measuring(self, replicas):
        pass

    def ended(self, replica, row):
        self.rows.append(row)

    def note(self, text):
        self.notes.append(text)
