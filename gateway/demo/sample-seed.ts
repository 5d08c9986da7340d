/** How many customers and orders the sample target holds: enough that a bulk SELECT meets a threshold, few enough to seed in seconds. */
export const CUSTOMER_COUNT = 6_000
export const ORDER_COUNT = 200_000

/**
 * The schema and rows of the sample target, as one script for an empty database. Deterministic: the same rows on every
 * machine, so that what the docs promise is what is seen. All personal data is made up by arithmetic; cards carry a valid
 * Luhn digit (ISO/IEC 7812-1), IBANs valid check digits (ISO 13616), e-mail addresses live under example.com (RFC 2606),
 * phone numbers are in the reserved 555-01xx block.
 */
export const SEED_SQL = `
CREATE FUNCTION pg_temp.luhn_digit(digits text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT ((10 - sum(CASE WHEN (length(digits) - at) % 2 = 0 THEN d * 2 - CASE WHEN d > 4 THEN 9 ELSE 0 END ELSE d END) % 10) % 10)::text
  FROM (SELECT at, substr(digits, at, 1)::int AS d FROM generate_series(1, length(digits)) AS at) AS digit
$$;
CREATE FUNCTION pg_temp.card(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT base || pg_temp.luhn_digit(base) FROM (SELECT '4' || lpad(((i::bigint * 7919317 + 104729) % 100000000000000)::text, 14, '0') AS base) AS number
$$;
CREATE FUNCTION pg_temp.iban(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'DE' || lpad((98 - (bban || '131400')::numeric % 97)::text, 2, '0') || bban
  FROM (SELECT '37040044' || lpad(((i::bigint * 6700417 + 17) % 10000000000)::text, 10, '0') AS bban) AS account
$$;

CREATE TABLE customers (
  id          integer PRIMARY KEY,
  name        text NOT NULL,
  email       text NOT NULL UNIQUE,
  phone       text NOT NULL,
  ssn         text NOT NULL,
  card        text NOT NULL,
  iban        text NOT NULL,
  city        text NOT NULL,
  note        text,
  created_at  timestamptz NOT NULL
);
INSERT INTO customers
SELECT i, first || ' ' || last, lower(first) || '.' || lower(last) || i || '@example.com',
       '+1 ' || (201 + i % 700) || ' 555 01' || lpad((i % 100)::text, 2, '0'),
       lpad((1 + i * 37 % 660)::text, 3, '0') || '-' || lpad((1 + i % 98)::text, 2, '0') || '-' || lpad((1 + i * 7919 % 9998)::text, 4, '0'),
       pg_temp.card(i), pg_temp.iban(i),
       (ARRAY['Lisbon','Oslo','Graz','Leeds','Ghent','Turku','Brno','Cork'])[1 + i % 8],
       CASE WHEN i % 9 = 0 THEN 'prefers ' || lower(last) || i || '@mail.example.com' WHEN i % 4 = 0 THEN 'call before delivery' END,
       timestamptz '2025-01-01 00:00:00+00' + i * interval '71 minutes'
FROM (SELECT i, (ARRAY['Ada','Grace','Alan','Edsger','Barbara','Donald','Radia','Ken','Margaret','Dennis','Frances'])[1 + i % 11] AS first,
             (ARRAY['Marsh','Okafor','Lindqvist','Moreau','Castell','Novak','Byrne','Tanaka','Aalto','Fischer','Reyes','Kaur','Olsen'])[1 + i % 13] AS last
      FROM generate_series(1, ${CUSTOMER_COUNT}) AS i) AS person;

CREATE TABLE orders (
  id           integer PRIMARY KEY,
  customer_id  integer NOT NULL REFERENCES customers (id),
  status       text NOT NULL,
  amount       numeric(10, 2) NOT NULL,
  item         text NOT NULL,
  placed_at    timestamptz NOT NULL
);
INSERT INTO orders
SELECT i, 1 + (i::bigint * 48271 % ${CUSTOMER_COUNT})::int, (ARRAY['paid','shipped','open','returned'])[1 + i % 4],
       (5 + (i::bigint * 16807 % 49500) / 100.0)::numeric(10, 2),
       (ARRAY['lantern','rope 20 m','portcullis kit','chain','torch','ledger','key ring'])[1 + i % 7],
       timestamptz '2025-03-01 00:00:00+00' + i * interval '3 minutes'
FROM generate_series(1, ${ORDER_COUNT}) AS i;
CREATE INDEX ON orders (customer_id);
CREATE TABLE old_coupons (id integer PRIMARY KEY, code text NOT NULL);
CREATE TABLE stale_carts (id integer PRIMARY KEY, customer_id integer NOT NULL, left_at timestamptz NOT NULL);
ANALYZE;
`

/** What is deleted in a demonstration comes back at the next start: coupons by the sample session, carts by whoever tries it. */
export const REFILL_SQL = `
INSERT INTO old_coupons SELECT i, 'SPRING-' || i FROM generate_series(1, 300) AS i ON CONFLICT DO NOTHING;
INSERT INTO stale_carts
SELECT i, 1 + i * 11 % ${CUSTOMER_COUNT}, timestamptz '2025-06-01 00:00:00+00' + i * interval '47 minutes'
FROM generate_series(1, 500) AS i
ON CONFLICT DO NOTHING
`
