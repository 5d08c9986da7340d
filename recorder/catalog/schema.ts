/**
 * The catalog's SQL, in PostgreSQL's own dialect and nothing beyond it but `pg_trgm`, which Azure's PostgreSQL has too.
 *
 * `catalog` is derived: whatever is in it comes from tapes, it is dropped whenever its version changes and rebuilt from them.
 * `desk` is operational: who is signed in. It is migrated, never dropped.
 */

/** Part of a reset: tables of another version are dropped, not migrated. */
export const CATALOG_VERSION = 2

/** Sessions with that many result rows have an index of their own: whoever looks for large results wants few of many. */
export const LARGE_RESULTS = [10_000, 1_000_000] as const

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
create index sessions_subject on catalog.sessions (subject text_pattern_ops, id);
create index sessions_target on catalog.sessions (target text_pattern_ops, id);
create index sessions_unfinished on catalog.sessions (state, id) where state <> 'sealed';
create index sessions_started on catalog.sessions (started_at);
-- What is rare among many is found without walking past the many.
create index sessions_mask on catalog.sessions (id) where v_mask > 0;
create index sessions_block on catalog.sessions (id) where v_block > 0;
create index sessions_hold on catalog.sessions (id) where v_hold > 0;
${LARGE_RESULTS.map((rows) => `create index sessions_rows_${rows} on catalog.sessions (id, rows) where rows >= ${rows};`).join('\n')}

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
  primary key (session, frame, part)
);
create index statements_text on catalog.statements using gin (text gin_trgm_ops);
`

export const DESK_SQL = `
create schema if not exists desk;
create table if not exists desk.sign_ins (
  token_hash text primary key,
  identity jsonb not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  seen_at timestamptz not null
);
`
