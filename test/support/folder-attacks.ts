import { mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { VerifyVerdict } from '../../schemas/verification.ts'

/** Somebody was at a folder of evidence itself: what every verifier must say. `foreign`: how many are named that are no part of a tape. */
export interface FolderAttack {
  readonly name: string
  /** `path`: a copy of a data folder with one sealed session `id` and its ledger, VALID as it is. */
  readonly change: (path: string, id: string) => void
  readonly verdict: VerifyVerdict
  readonly foreign?: number
}

/** `a` and a byte that is no UTF-8. */
function notUtf8(path: string, folder: string, more = ''): Buffer {
  return Buffer.concat([Buffer.from(`${join(path, folder)}/a`), Buffer.of(0xff), Buffer.from(more)])
}

/** Moves what is there elsewhere and leaves a link to it. */
function link(key: string): FolderAttack['change'] {
  return (path) => {
    const elsewhere = `${path}-${key.replaceAll('/', '-')}`
    renameSync(join(path, key), elsewhere)
    symlinkSync(elsewhere, join(path, key))
  }
}

const file =
  (key: string): FolderAttack['change'] =>
  (path) => {
    mkdirSync(join(path, key, '..'), { recursive: true })
    writeFileSync(join(path, key), 'x')
  }

export const FOLDER_ATTACKS: readonly FolderAttack[] = [
  { name: 'nothing at all', change: () => {}, verdict: 'VALID' },
  { name: 'tapes, by a link', change: link('tapes'), verdict: 'INVALID' },
  { name: 'the ledger, by a link', change: link('ledger'), verdict: 'UNVERIFIABLE' },
  { name: 'the sequence, by a link', change: link('ledger/seq'), verdict: 'INVALID' },
  { name: 'the checkpoints, by a link', change: link('ledger/checkpoint'), verdict: 'INVALID' },
  { name: 'the origin, by a link', change: link('ledger/origin'), verdict: 'INVALID' },
  {
    name: 'a file among the tapes whose name is not UTF-8',
    change: (path) => writeFileSync(notUtf8(path, 'tapes'), 'x'),
    verdict: 'VALID',
    foreign: 1,
  },
  {
    name: 'a file in a session whose name is not UTF-8',
    change: (path, id) => writeFileSync(notUtf8(path, `tapes/${id}`), 'x'),
    verdict: 'VALID',
    foreign: 1,
  },
  {
    name: 'a folder among the tapes whose name is not UTF-8, with a tape in it',
    change(path) {
      mkdirSync(notUtf8(path, 'tapes'))
      writeFileSync(notUtf8(path, 'tapes', '/0000.tape'), 'x')
    },
    verdict: 'VALID',
    foreign: 1,
  },
  {
    name: 'a folder among the tapes with the sign for what is not UTF-8 in its name',
    change: file('tapes/a\ufffd/0000.tape'),
    verdict: 'VALID',
    foreign: 1,
  },
  {
    name: 'a name in the sequence that is not UTF-8',
    change: (path) => writeFileSync(notUtf8(path, 'ledger/seq'), 'x'),
    verdict: 'INVALID',
  },
  {
    name: 'a name among the checkpoints that is not UTF-8',
    change: (path) => writeFileSync(notUtf8(path, 'ledger/checkpoint'), 'x'),
    verdict: 'INVALID',
  },
  ...[
    'ledger/seq/-1',
    'ledger/seq/00 1',
    'ledger/seq/0/x',
    'ledger/seq/abc',
    'ledger/checkpoint/a b',
    'ledger/checkpoint/00',
  ].map((key): FolderAttack => ({ name: `a stranger’s ${key}`, change: file(key), verdict: 'INVALID' })),
  {
    name: 'a sequence of 100 GB',
    change: (path) => truncateSync(join(path, 'ledger/seq/0000'), 100 * 2 ** 30),
    verdict: 'INVALID',
  },
  {
    name: 'an index of a segment that is not there',
    change: (path, id) => writeFileSync(join(path, 'tapes', id, '0007.idx'), 'x'),
    verdict: 'INVALID',
  },
]
