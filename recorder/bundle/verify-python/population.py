"""The sessions of a bundle: what the log says of each, and whether its row sums up its recording. docs/bundles.md."""


def other_totals(row, totals, sealed):
    """What of a row does not say what its recording sums up, in words; None where all does."""
    wanted = {"frames": totals["frames"], "statements": totals["statements"], "rows": totals["rows"]}
    # Where no seal is found, as in front of an index that was cut off, chunks tell; they do not count bytes by direction, or masks.
    if sealed and not (row.get("state") == "damaged" and row.get("bytes_in") == ""):
        wanted.update(bytes_in=totals["bytesIn"], bytes_out=totals["bytesOut"], masked=totals["masked"])
    for column, value in wanted.items():
        if row.get(column) != str(value):
            return "%s %s, its recording %d" % (column, row.get(column, ""), value)
    return None


class Session:
    """What the log says of one session of the period."""

    def __init__(self, index, statement):
        self.open, self.end = index, None
        self.at, self.header = statement["at"], statement.get("header")
        self.identity, self.target = statement.get("identity"), statement.get("target")
        self.kind = statement.get("kind") if isinstance(statement.get("kind"), str) else ""
        self.closed = self.recovered = self.failed = self.deleted = None
        self.holds = set()

    def add(self, index, statement):
        kind = statement["type"]
        if kind == "hold.set":
            self.holds.add(statement.get("matter", ""))
        elif kind == "hold.clear":
            self.holds.discard(statement.get("matter", ""))
        elif kind == "session.close":
            self.closed, self.end = statement, index
        elif kind == "session.recover":
            self.recovered, self.end = statement, index
        elif kind == "recording.failed":
            self.failed, self.end = statement, index
        elif kind == "retention.delete":
            self.deleted, self.end = bool(self.holds), index

    def states(self):
        """What a row may say of the tape."""
        if self.deleted is not None:
            return ("missing",) if self.deleted else ("deleted",)
        if self.closed is None and self.recovered is not None and self.recovered.get("outcome") == "absent":
            return ("absent",)
        if self.closed is not None or self.recovered is not None:
            return ("whole", "recovered", "missing", "damaged")
        if self.failed is not None:
            never = type(self.failed.get("frames")) in (int, float) and self.failed["frames"] == 0
            return ("absent",) if never else ("damaged",)
        return ("live",)
