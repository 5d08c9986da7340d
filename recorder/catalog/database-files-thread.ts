import { parentPort, workerData } from 'node:worker_threads'
import { PGlite, types } from '@electric-sql/pglite'
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm'
import { CLOSE, type FilesFailure, type FilesQuestion, type FilesThreadData, type FromFiles } from './database-files.ts'
import { IN_TIME_SQL, LEFT_FILE } from './timed.ts'
import { yieldToOthers } from './yielding.ts'

// The thread of PGlite: see database-files.ts. Questions come one after the other.

yieldToOthers()
const port = parentPort
if (port === null) throw new Error('recorder/catalog/database-files-thread.ts runs as a worker thread')
const tell = (message: FromFiles): void => port.postMessage(message)

/** The ends of all lists of a text index's trigrams fit in: of two million statements, half of it were read and written for each batch without. */
const BUFFERS = '256MB'
/** Of one batch: no other process writes what does not fit, so each 8 KiB of it were a write of their own. */
const LOG_BUFFERS = '32MB'
/** Of the log that is kept, and gone through after a crash: PostgreSQL alone has nobody else who begins a checkpoint. One writes what has changed of the buffers. */
const LOG_BYTES = 256 << 20
/** Between two looks at how long the log is: a batch has some 10 MB of it. */
const COMMITS = 8

// Made by openFiles, as FilesThreadData says.
const { folder, left } = workerData as FilesThreadData
const files = await PGlite.create(folder, {
  extensions: { pg_trgm },
  relaxedDurability: true,
  startParams: [
    ...PGlite.defaultStartParams,
    '-c',
    `shared_buffers=${BUFFERS}`,
    '-c',
    `wal_buffers=${LOG_BUFFERS}`,
    '-c',
    `max_wal_size=${LOG_BYTES >> 20}MB`,
  ],
  parsers: { [types.BYTEA]: bytesOf },
})
makeLeftFile(new Uint8Array(left))
await files.exec(IN_TIME_SQL)
let commits = 0
port.on('message', (question: FilesQuestion) => {
  void answer(question)
  commits += question.sql === 'commit' ? 1 : 0
  if (question.sql === 'commit' && commits % COMMITS === 0) void shorten()
})
tell({ kind: 'open' })

async function answer({ id, behind, sql, values }: FilesQuestion): Promise<void> {
  try {
    if (behind !== undefined) await files.exec(behind)
    if (id === CLOSE) await files.close()
    else if (values !== undefined) {
      const { rows } = await files.query(sql, [...values])
      return tell({ kind: 'rows', id, rows })
    } else await files.exec(sql)
    tell({ kind: 'rows', id, rows: [] })
  } catch (error) {
    tell({ kind: 'failure', id, error: failureOf(error) })
  }
}

/** Behind a commit and in front of whatever is asked next. Where it fails it is tried again. */
async function shorten(): Promise<void> {
  const looked = await files
    .query<{ bytes: number }>(
      'select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::bigint as bytes from pg_control_checkpoint()',
    )
    .catch(() => undefined)
  if ((looked?.rows[0]?.bytes ?? 0) > LOG_BYTES) await files.exec('checkpoint').catch(() => undefined)
}

function failureOf(error: unknown): FilesFailure {
  if (!(error instanceof Error)) return { name: 'unknown', message: String(error), code: undefined }
  const code: unknown = Reflect.get(error, 'code')
  return { name: error.name, message: error.message, code: typeof code === 'string' ? code : undefined }
}

/** A file of PGlite's file system that is the byte both threads share, read anew each time. */
function makeLeftFile(flag: Uint8Array): void {
  const { FS } = files.Module
  const device = FS.makedev(64, 7)
  FS.registerDevice(device, {
    open(stream: { seekable: boolean }) {
      stream.seekable = true
    },
    llseek: (_stream: unknown, offset: number) => offset,
    read(_stream: unknown, buffer: Int8Array, offset: number) {
      buffer[offset] = Atomics.load(flag, 0)
      return 1
    },
  })
  FS.mkdev(LEFT_FILE, device)
}

/** As PostgreSQL writes bytea; PGlite reads it byte by byte with `parseInt`. In memory of its own, as all of it goes to the other thread. */
function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.slice(2), 'hex'))
}
