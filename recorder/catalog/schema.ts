/**
 * The catalog's SQL, in PostgreSQL's own dialect (15 and newer) and nothing beyond it but `pg_trgm`, which Azure's PostgreSQL has too.
 *
 * `catalog` is derived: whatever is in it comes from tapes. An older version of it is migrated where there is a way (migrations.ts), else
 * dropped and read from the tapes again. `desk` is operational: what people made of findings. It is migrated, never dropped.
 *
 * What grows with the traffic is partitioned by the month its session began in (months.ts): ids begin with that time.
 */

export const CATALOG_VERSION = 12

/** Partitioned by their column `session`. */
export const MONTHLY = ['statements', 'texts', 'pulls', 'sketches', 'screens'] as const

/** Sessions with that many result rows have an index of their own: whoever looks for large results wants few of many. */
export const LARGE_RESULTS = [10_000, 1_000_000] as const

/** A day: what a session that goes on for longer says may be long after the time its id begins with. */
export const LONG_US = 86_400_000_000
/** Has the index of sessions that went on for longer. */
export const LONG_SQL = `create index if not exists sessions_long on catalog.sessions (id) where duration_us > ${LONG_US};`

/** Names are compared in any case, as those of persons are. */
export const NAMES_SQL = `
drop index if exists catalog.sessions_subject, catalog.sessions_target;
create index sessions_subject on catalog.sessions (lower(subject) text_pattern_ops, id);
create index sessions_target on catalog.sessions (lower(target) text_pattern_ops, id);
`

/** Screens of terminals, kept now and then: `init` written to a new terminal gives the one behind frame `seq`. */
export const SCREENS_SQL = `
create table if not exists catalog.screens (
  session text collate "C" not null,
  channel bigint not null,
  seq bigint not null,
  cols int not null,
  rows int not null,
  init text not null,
  torn boolean not null,
  primary key (session, channel, seq)
) partition by range (session);
`

/** Tables of `MONTHLY` but SCREENS_SQL, without partitions. */
export const MONTHLY_SQL = `
create table catalog.statements (
  session text collate "C" not null,
  frame bigint not null,
  part int not null,
  channel bigint not null,
  kind text not null,
  text text not null,
  text_cut boolean not null,
  at_us bigint not null,
  duration_us bigint,
  last_frame bigint,
  rows bigint not null,
  bytes_out bigint not null,
  masked bigint not null,
  verdict text,
  rules text[] not null,
  approval text,
  outcome text not null,
  objects text[] not null,
  verbs text[] not null,
  fingerprint text,
  primary key (session, frame, part)
) partition by range (session);
create index statements_text on catalog.statements using gin (text gin_trgm_ops);
create index statements_objects on catalog.statements using gin (objects);

create table catalog.texts (
  session text collate "C" not null,
  frame bigint not null,
  part int not null,
  place text not null,
  at_us bigint not null,
  first_row bigint,
  text text not null,
  primary key (session, frame, part)
) partition by range (session);
create index texts_text on catalog.texts using gin (text gin_trgm_ops);

-- What left, by object and hour of each session: sums from the session's start, so that writing them again changes nothing.
create table catalog.pulls (
  session text collate "C" not null,
  object text not null,
  hour timestamptz not null,
  family text not null,
  subject text not null,
  target text not null,
  protocol text not null,
  statements bigint not null,
  rows bigint not null,
  bytes_out bigint not null,
  masked bigint not null,
  largest_rows bigint not null,
  first_frame bigint not null,
  last_frame bigint not null,
  first_us bigint not null,
  primary key (session, object, hour)
) partition by range (session);
create index pulls_hour on catalog.pulls (hour, target);
create index pulls_family on catalog.pulls (family, target, object, hour);

-- The least hashes of the keys of what left (sketch.ts): how many different ones, never which.
create table catalog.sketches (
  session text collate "C" not null,
  object text not null,
  keyed text not null,
  rows bigint not null,
  keys bytea not null,
  primary key (session, object, keyed)
) partition by range (session);
`

export const ROLLUPS_SQL = `
-- Sums of pulls by day: always what the pulls are that are written, as each write adds what its pulls have more than before.
create table catalog.daily (
  day date not null,
  family text not null,
  subject text not null,
  target text not null,
  object text not null,
  pulls bigint not null,
  statements bigint not null,
  rows bigint not null,
  bytes_out bigint not null,
  masked bigint not null,
  largest_rows bigint not null,
  primary key (day, target, object, family, subject)
);
create index daily_family on catalog.daily (family, target, object, day);

-- Sketches united: by actor and the day their sessions began, and of all that was ever seen of an object.
create table catalog.daily_keys (
  day date not null,
  family text not null,
  target text not null,
  object text not null,
  keyed text not null,
  keys bytea not null,
  primary key (family, target, object, day, keyed)
);
create table catalog.object_keys (
  target text not null,
  object text not null,
  keyed text not null,
  keys bytea not null,
  primary key (target, object, keyed)
);
`

/** Who decided what on which request, read from the ledger. */
export const DECISIONS_SQL = `
create table catalog.decisions (
  request text not null,
  decider text not null,
  act text not null,
  session text collate "C",
  asked_at timestamptz not null,
  decided_at timestamptz not null,
  primary key (request, decider, act, decided_at)
);
create index decisions_at on catalog.decisions (decided_at);
`

/** What statements ever touched: tables, routes, paths. Which sessions did is not said, so it is kept when they are not. */
export const OBJECT_NAMES_SQL = `
create table catalog.names (object text primary key);
create index names_lower on catalog.names (lower(object));
`

export const CATALOG_SQL = `
create schema catalog;
create table catalog.version (version int not null);
insert into catalog.version values (${CATALOG_VERSION});

create table catalog.sessions (
  id text collate "C" primary key,
  state text not null,
  gateway text not null,
  subject text not null,
  kind text not null,
  principal text,
  groups jsonb not null,
  target text not null,
  protocol text not null,
  database text,
  labels jsonb not null,
  client text not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  end_reason text,
  duration_us bigint not null,
  frames bigint not null,
  statements bigint not null,
  rows bigint not null,
  bytes_in bigint not null,
  bytes_out bigint not null,
  masked bigint not null,
  v_allow bigint not null,
  v_mask bigint not null,
  v_block bigint not null,
  v_hold bigint not null,
  last_statement text,
  extra jsonb not null
);
${NAMES_SQL}create index sessions_unfinished on catalog.sessions (state, id) where state <> 'sealed';
create index sessions_started on catalog.sessions (started_at);
-- What is rare among many is found without walking past the many.
create index sessions_mask on catalog.sessions (id) where v_mask > 0;
create index sessions_block on catalog.sessions (id) where v_block > 0;
create index sessions_hold on catalog.sessions (id) where v_hold > 0;
${LONG_SQL}
${LARGE_RESULTS.map((rows) => `create index sessions_rows_${rows} on catalog.sessions (id, rows) where rows >= ${rows};`).join('\n')}

${MONTHLY_SQL}${SCREENS_SQL}${ROLLUPS_SQL}${DECISIONS_SQL}${OBJECT_NAMES_SQL}
create table catalog.first_seen (
  family text not null,
  target text not null,
  object text not null,
  at timestamptz not null,
  session text collate "C" not null,
  frame bigint not null,
  primary key (family, target, object)
);

create table catalog.findings (
  id text primary key,
  week timestamptz not null,
  detector text not null,
  severity text not null,
  target text not null,
  at timestamptz not null,
  sessions text[] not null,
  detail jsonb not null,
  targets text[] not null
);
create index findings_at on catalog.findings (at desc, id);
create index findings_sessions on catalog.findings using gin (sessions);
-- By what numbers a week was looked through the last time.
create table catalog.scans (week timestamptz primary key, settings text not null);
`

/** Whether nothing of DESK_SQL is missing: `if not exists` asks for the right to create even then. */
export const DESK_WHOLE_SQL = `
select bool_and(to_regclass(name) is not null) as whole
from unnest(array['desk.dispositions', 'desk.findings_told', 'desk.ledger_read']) name`

export const DESK_SQL = `
create schema if not exists desk;
-- What people made of findings, and which ones the ledger has been told of. The ledger has both: they are read from it where this is new.
create table if not exists desk.dispositions (
  finding text not null,
  n bigint generated always as identity,
  state text not null,
  by text not null,
  reason text not null,
  at timestamptz not null,
  primary key (finding, n)
);
create table if not exists desk.findings_told (finding text primary key);
create table if not exists desk.ledger_read (done boolean primary key);
`
