import type { Client } from 'pg'
import { APPROVER } from './gateway.ts'

/** Rows of invented people. Their details are put together here: no file holds one whole. */
export interface Person {
  readonly id: number
  readonly name: string
  readonly email: string
  readonly ssn: string
  readonly card: string
}

export const PEOPLE: readonly Person[] = Array.from({ length: 400 }, (_, index) => person(index + 1))

function person(id: number): Person {
  const serial = String(1000 + id)
  return {
    id,
    // No detector knows it: only its column's label can mask it.
    name: `Zaphod${serial}`,
    email: ['trillian', serial, '@', 'heartofgold', '.example'].join(''),
    ssn: ['536', '22', serial].join('-'),
    card: luhn(`411111111${serial.padStart(6, '2')}`),
  }
}

function luhn(digits: string): string {
  let sum = 0
  for (let at = digits.length - 1, double = true; at >= 0; at -= 1, double = !double) {
    const digit = Number(digits[at]) * (double ? 2 : 1)
    sum += digit > 9 ? digit - 9 : digit
  }
  return digits + String((10 - (sum % 10)) % 10)
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** The table `people`, a view, a partitioned copy, and what else the statements of the tests name. */
export const PEOPLE_SQL = `
create table people (id int primary key, name text, email text, ssn text, card text, note text, born date);
insert into people values ${PEOPLE.map(
  ({ id, name, email, ssn, card }) =>
    `(${id}, ${quoted(name)}, ${quoted(email)}, ${quoted(ssn)}, ${quoted(card)}, ${quoted(`call back about ${card}, or write to ${email}`)}, '1980-01-01')`,
).join(', ')};
create view contacts as select id, name as who, upper(email) as mail from people;
create view contacts_again as select * from contacts;
create table measures (id int, value float8);
insert into measures select n, n from generate_series(1, 5000) n;
create table doomed (id int);
insert into doomed select generate_series(1, 10);
`

/** Labels on columns, and one rule of every kind that the tests ask for. */
export const PEOPLE_POLICY = `
version: 1
defaults:
  approval: { groups: [${APPROVER.groups[1]}], count: 1, timeout: 30s }
labels:
  pii.name: { columns: [public.people.name], entity: person, mask: tag }
  pii.email: { columns: [public.people.email], entity: email, mask: tag }
  pii.ssn: { columns: [public.people.ssn], entity: us-ssn, mask: plain }
  pii.born: { columns: [public.people.born], entity: date-of-birth }
rules:
  - id: pg.copy-program
    on: postgres
    match: { copy: { target: [program, file] } }
    action: block
    reason: COPY with a program leaves the database
    hint: use COPY TO STDOUT
  - id: pg.no-where
    on: postgres
    match: { verb: [DELETE, UPDATE], has_where: false }
    action: hold
    reason: a whole table
  - id: pg.slow-approvers
    on: postgres
    match: { verb: TRUNCATE }
    action: hold
    reason: emptying a table
    approval: { timeout: 1s }
  - id: pg.bulk
    on: postgres
    who: { kinds: agent }
    threshold: { rows: 1000, per: statement }
    action: block
    reason: more than 1,000 rows
    hint: add a LIMIT
`

/** What of the planted details stands in a text, in whatever case. */
export function detailsIn(text: string): string[] {
  return text.match(/zaphod\d+|trillian\d+|536-22-\d{4}|4111111112?\d{6}/gi) ?? []
}

/** Resolves with the id of the approval request that the session is told of. */
export function heldRequest(client: Client): Promise<string> {
  return new Promise((resolve) => {
    client.on('notice', ({ message }) => {
      const [id] = /\bA-[0-9A-HJKMNP-TV-Z]{8}\b/.exec(message ?? '') ?? []
      if (id !== undefined) resolve(id)
    })
  })
}
