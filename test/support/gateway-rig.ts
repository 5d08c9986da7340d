import type { TestContext } from 'node:test'
import { missing } from './clients.ts'
import { type GatewayOptions, type RunningGateway, startGateway, targetAt } from './gateway.ts'
import { hasDebian, type PgServer, type PgServerOptions, startPostgres } from './pg-server.ts'
import { type Tee, tee } from './tee.ts'

/** The two server versions every client is tried against. */
export const SERVERS = ['embedded', 'debian'] as const
export type ServerName = (typeof SERVERS)[number]

/** What the clients' tours look at: types, a view, a partitioned table, an index, a function, comments. */
const SHOP = `
create table customers (id int primary key, name text not null, city text, joined date, balance numeric(10,2), vip boolean default false);
insert into customers select n, 'customer ' || n, (array['Oslo','Lyon','Cork'])[1 + n % 3], date '2024-01-01' + n, n * 1.25, n % 7 = 0
  from generate_series(1, 500) n;
create index customers_city on customers (city);
comment on table customers is 'who buys';
create table orders (id bigint primary key, customer int references customers, item text, quantity int);
insert into orders select n, 1 + n % 500, 'item ' || n, n % 9 from generate_series(1, 20000) n;
create view city_totals as select city, count(*) as customers, sum(balance) as balance from customers group by city;
create table events (at date not null, what text) partition by range (at);
create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
create function twice(n int) returns int language sql immutable as 'select n * 2';
create table blobs (id int, body bytea, doc jsonb, tags text[]);
`

export interface Rig extends AsyncDisposable {
  readonly server: PgServer
  readonly gateway: RunningGateway
  /** The tee in front of the gateway: where clients without TLS connect. */
  readonly tee: Tee
  /** The database of the target, as clients name it. */
  readonly database: 'shop'
}

/** A seeded server with a gateway and a tee before it; undefined (and said) where this machine has no such server. */
export async function startRig(
  t: TestContext,
  from: ServerName,
  options: Partial<GatewayOptions> & {
    readonly server?: PgServerOptions
    readonly seed?: string
    /** A server to use, and leave running, in place of one of its own. */
    readonly on?: PgServer
  } = {},
): Promise<Rig | undefined> {
  if (from === 'debian' && !hasDebian()) {
    missing(t, "Debian's PostgreSQL 15 server is not on this machine")
    return undefined
  }
  const stack = new AsyncDisposableStack()
  try {
    const server = options.on ?? stack.use(await startPostgres({ ...options.server, from }))
    await server.sql(options.seed ?? SHOP)
    const gateway = stack.use(await startGateway({ targets: [targetAt(server, { name: 'shop' })], ...options }))
    const proxy = stack.use(await tee(gateway))
    return { server, gateway, tee: proxy, database: 'shop', [Symbol.asyncDispose]: () => stack.disposeAsync() }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
