"""What is found out about one tape, and the verdict that follows. docs/tape-format.md, "Verifying"."""

EXITS = {
    "VALID": 0,
    "VALID-INCOMPLETE": 10,
    "INVALID": 20,
    "UNVERIFIABLE": 30,
    "UNTRUSTED": 40,
    "DELETED-BY-POLICY": 50,
}
WORST_FIRST = ("INVALID", "UNVERIFIABLE", "UNTRUSTED", "VALID-INCOMPLETE", "DELETED-BY-POLICY", "VALID")
MAX_PROBLEMS = 100


def worst(verdicts):
    present = set(verdicts)
    return next((verdict for verdict in WORST_FIRST if verdict in present), "VALID")


class Report:
    """Problems in the order found; at most MAX_PROBLEMS are kept, all are counted."""

    def __init__(self):
        self.problems = []
        self.count = 0
        self._verdicts = set()

    def add(self, verdict, part, what, obj, **where):
        self.count += 1
        self._verdicts.add(verdict)
        if len(self.problems) < MAX_PROBLEMS:
            found = {"verdict": verdict, "part": part, "what": what, "object": obj}
            found.update({name: value for name, value in where.items() if value is not None})
            self.problems.append(found)

    def invalid(self, part, what, obj, **where):
        self.add("INVALID", part, what, obj, **where)

    def verdict(self):
        return worst(self._verdicts)
