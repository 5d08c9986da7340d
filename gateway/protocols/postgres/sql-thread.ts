import { parentPort } from 'node:worker_threads'
import { readFacts } from '../../policy/sql/facts.ts'
import { statementsMake } from './conversions.ts'
import { planOf } from './copy-plan.ts'
import type { Reading } from './sql-threads.ts'

// Reads large statements beside the event loop: one text in, one reading out, in turn.

const port = parentPort
if (port === null) throw new Error('sql-thread.ts runs as a worker thread')
port.on('message', (sql: string) => {
  const { facts, statements } = readFacts(sql, Buffer.byteLength(sql))
  const reading: Reading = { facts, made: statementsMake(statements), plan: planOf(statements) }
  port.postMessage(reading)
})
