"""What people do with psycopg2 (Debian's libpq, protocol 3.0). Settings come from libpq's environment."""

import io
import select

import psycopg2
import psycopg2.extensions
import psycopg2.extras

connection = psycopg2.connect("")
cursor = connection.cursor()

cursor.execute("select id, name from customers where city = %s order by id limit 2", ("Lyon",))
assert cursor.fetchall() == [(1, "customer 1"), (4, "customer 4")]

# COPY out and in.
out = io.StringIO()
cursor.copy_expert("copy (select id, item from orders order by id) to stdout", out)
assert out.getvalue().count("\n") == 20000 and out.getvalue().endswith("20000\titem 20000\n")
cursor.execute("create temp table again (id int, item text)")
out.seek(0)
cursor.copy_expert("copy again from stdin", out)
cursor.execute("select count(*) from again")
assert cursor.fetchone() == (20000,)

# Server-side cursor.
with connection.cursor(name="portions") as named:
    named.itersize = 700
    named.execute("select id from orders order by id")
    assert [row[0] for row in named] == list(range(1, 20001))

# Binary values.
body = bytes(range(256)) * 40
cursor.execute("insert into blobs (id, body) values (1, %s) returning body", (psycopg2.Binary(body),))
assert bytes(cursor.fetchone()[0]) == body
connection.commit()

# Batches, and a failing one with the transaction behind it.
psycopg2.extras.execute_values(cursor, "insert into blobs (id, tags) values %s", [(n, ["a", "b"]) for n in range(2, 500)])
connection.commit()
try:
    cursor.execute("insert into customers (id, name) values (1, 'again')")
    raise SystemExit("a duplicate key went through")
except psycopg2.errors.UniqueViolation as error:
    assert error.pgcode == "23505", error.pgcode
assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INERROR
connection.rollback()

# Notices, notifications.
connection.autocommit = True
cursor.execute("do $$ begin raise warning 'mind the %', 'gap'; end $$")
assert connection.notices[-1] == "WARNING:  mind the gap\n", connection.notices
cursor.execute("listen tidings; notify tidings, 'good'")
while not connection.notifies:
    select.select([connection], [], [], 10)
    connection.poll()
assert connection.notifies[0].payload == "good"

# Large object functions go over the function call message or SQL, as libpq likes.
cursor.execute("select 1; select 2")
assert cursor.fetchone() == (2,)
connection.close()
print("tour done")
