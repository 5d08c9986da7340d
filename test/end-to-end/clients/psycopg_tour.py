"""What people do with psycopg 3 and a new libpq. argv[1]: the highest protocol version to ask for, or empty."""

import sys

import psycopg
from psycopg import pq

wanted = sys.argv[1] if len(sys.argv) > 1 else ""
settings = {"max_protocol_version": wanted, "min_protocol_version": wanted} if wanted else {}
connection = psycopg.connect("", autocommit=True, **settings)
if wanted:
    full = connection.pgconn.full_protocol_version
    assert full == {"3.0": 30000, "3.2": 30002}[wanted], full

assert connection.execute("select %s::int + 1", (41,)).fetchone() == (42,)
with connection.cursor(binary=True) as binary:
    row = binary.execute(
        "select 7::int8, 1.5::float8, 'text', '\\xff00'::bytea, date '2024-02-29', array[1,2,3], jsonb '{\"a\": 1}', true"
    ).fetchone()
    assert row[0] == 7 and row[3] == b"\xff\x00" and row[5] == [1, 2, 3] and row[6] == {"a": 1}, row

# Prepared after the fifth time, with statement names.
for n in range(12):
    assert connection.execute("select name from customers where id = %s", (n + 1,), prepare=n > 3).fetchone() == (f"customer {n + 1}",)

# Pipeline mode, with an error in the middle.
with connection.pipeline():
    cursors = [connection.execute("select %s::int", (n,)) for n in range(50)]
assert [cursor.fetchone()[0] for cursor in cursors] == list(range(50))
try:
    with connection.pipeline() as pipeline:
        good = connection.execute("select 1")
        pipeline.sync()
        bad = connection.execute("select 1 / 0")
        skipped = connection.execute("select 2")
        pipeline.sync()
        later = connection.execute("select 3")
    raise SystemExit("the division went through")
except psycopg.errors.DivisionByZero:
    pass
assert connection.execute("select 4").fetchone() == (4,)

# COPY, text and binary.
with connection.cursor() as cursor:
    with cursor.copy("copy (select id, item from orders order by id) to stdout (format binary)") as copy:
        copy.set_types(["int8", "text"])
        rows = list(copy.rows())
    assert len(rows) == 20000 and rows[-1] == (20000, "item 20000"), rows[-1]
    cursor.execute("create temp table again (id int8, item text)")
    with cursor.copy("copy again from stdin (format binary)") as copy:
        copy.set_types(["int8", "text"])
        for row in rows:
            copy.write_row(row)
    assert cursor.execute("select count(*), sum(id) from again").fetchone() == (20000, 200010000)

# Cursors on the server, and rows one by one.
with connection.transaction():
    with connection.cursor(name="portions", binary=True) as named:
        named.itersize = 3000
        named.execute("select id from orders order by id")
        assert sum(row[0] for row in named) == 200010000
with connection.cursor() as cursor:
    assert sum(1 for _ in cursor.stream("select id from orders")) == 20000

# Cancelling through the wire.
if pq.version() >= 170000:
    import threading

    threading.Timer(0.5, connection.cancel_safe).start()
else:
    import threading

    threading.Timer(0.5, connection.cancel).start()
try:
    connection.execute("select pg_sleep(60)")
    raise SystemExit("it slept")
except psycopg.errors.QueryCanceled as error:
    assert error.sqlstate == "57014"
assert connection.execute("select 5").fetchone() == (5,)
connection.close()
print("tour done")
