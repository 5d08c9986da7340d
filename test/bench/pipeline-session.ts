import { randomBytes } from 'node:crypto'
import { Lanes } from '../../gateway/lane.ts'
import { Masker } from '../../gateway/masking/masker.ts'
import type { Output } from '../../gateway/message.ts'
import { compilePolicy } from '../../gateway/policy/policy.ts'
import { Catalog } from '../../gateway/protocols/postgres/catalog.ts'
import { NO_ADDITIONS } from '../../gateway/protocols/postgres/catalog-snapshot.ts'
import { Columns } from '../../gateway/protocols/postgres/column-judge.ts'
import { sqlReader } from '../../gateway/protocols/postgres/sql-reader.ts'
import { PostgresWire } from '../../gateway/protocols/postgres/wire.ts'
import { Visit } from '../../gateway/sessions-visit.ts'
import type { RecorderRoom } from '../../recorder/index.ts'
import { RECORDED, type Recorder } from '../../recorder/recorder.ts'
import { FakeApprovals } from '../support/fakes.ts'
import { START } from '../support/recording.ts'
import { POLICY } from './postgres-subjects.ts'

// A session of PostgreSQL between the sockets, for benchmarks: wire, lane, gate, policy, masking, recorder.

export function message(type: string, ...parts: readonly (string | readonly number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`) : Buffer.from(part))))
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(4 + body.length, 1)
  return Buffer.concat([head, body])
}

export const int32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]

/** OID of pgbench_accounts. */
export const TABLE = 16_390
const ACCOUNTS = {
  oid: TABLE,
  schema: 'public',
  table: 'pgbench_accounts',
  kind: 'r',
  columns: new Map([
    [1, 'aid'],
    [2, 'bid'],
    [3, 'abalance'],
    [4, 'filler'],
  ]),
  kin: [],
}
const catalog = Catalog.open(
  async () => ({ relations: new Map([[ACCOUNTS.oid, ACCOUNTS]]), system: new Set<string>(), additions: NO_ADDITIONS }),
  () => undefined,
)

/** `unrecorded`: what the gateway would cost if it recorded nothing, which it never does. */
export async function session(room: RecorderRoom, delivered: (outputs: readonly Output[]) => void, unrecorded = false) {
  const policy = compilePolicy(POLICY, 'policy.yaml')
  const { identity, target } = START
  const masker = new Masker({ rules: policy.masking(identity), tagKey: randomBytes(32), fingerprintKey: randomBytes(32) })
  const { info, recorder: own } = await room.open({ ...START, policy: policy.hash })
  const recorder: Recorder = unrecorded ? { append: () => RECORDED, seal: (...how) => own.seal(...how) } : own
  const visit = new Visit({
    info,
    target,
    recorder,
    judge: policy.judge(identity, target),
    masker,
    labels: policy.columns(identity),
    approvals: new FakeApprovals(),
    bindingKey: randomBytes(32),
    approvalTtlMs: 60_000,
    credential: () => Promise.reject(new Error('nobody logs in here')),
    onCatalogFailed: () => undefined,
    onRecordingFailed: (error) => {
      throw error
    },
    onClosed: () => undefined,
  })
  const columns = new Columns(visit, 'bench', { of: () => catalog })
  await columns.ready()
  const wire = new PostgresWire({ reader: sqlReader, columns, place: ['bench', 'bench'], cancelUpstream: () => undefined })
  const gate = visit.gate(wire)
  gate.order.start()
  const never = new AbortController().signal
  const parts = {
    gate,
    deliver: (outputs: readonly Output[]): undefined => delivered(gate.order.take(outputs)) as undefined,
    asker: never,
    stop: never,
    onFail: (error: unknown): void => {
      throw error
    },
  }
  const lanes = { client: new Lanes(parts), server: new Lanes(parts) }
  return {
    visit,
    /** undefined where the recorder has taken it already, as it does unless its store is behind. */
    pass(from: 'client' | 'server', bytes: Buffer): Promise<void> | undefined {
      lanes[from].push(wire.receive(from, bytes))
      return lanes[from].empty ? undefined : lanes[from].drained()
    },
  }
}
