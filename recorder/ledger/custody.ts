import type { CustodyEntry, CustodyPage, CustodyQuery } from '../../schemas/api.ts'
import type { CustodyAct } from '../../schemas/api-names.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { LedgerStatement } from '../../schemas/verify/ledger-line.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Store } from '../store/store.ts'
import { isSignedBy } from './entry-signer.ts'
import { entriesBack, type Place } from './read-back.ts'

/** Entries looked at for one page: the rest is asked for by its cursor. */
const MAX_LOOKED = 20_000
/** Of one member's value. */
const MAX_TOLD_CHARS = 300

const ACT_OF: Readonly<Record<string, CustodyAct>> = {
  'evidence.view': 'viewed',
  'evidence.follow': 'viewed',
  'evidence.search': 'searched',
  'export.ask': 'exported',
  'export.create': 'exported',
  'summary.ask': 'exported',
  'approval.decide': 'decided',
  'approval.break-glass': 'decided',
  'approval.review': 'decided',
  'access.grant': 'decided',
  'finding.dispose': 'decided',
  'session.kill': 'decided',
  'case.change': 'decided',
  'search.save': 'searched',
  'search.remove': 'searched',
  'hold.set': 'kept',
  'hold.clear': 'kept',
  'retention.delete': 'kept',
  'evidence.verify': 'verified',
  reconcile: 'verified',
  'console.sign-in': 'signed-in',
  'console.sign-out': 'signed-in',
}
/** What every entry has, and what stands beside them on the page already. */
const ENVELOPE: ReadonlySet<string> = new Set(['v', 'type', 'gateway', 'n', 'at', 'sessions', 'actor', 'session'])

/** Who did what with evidence, newest first. Rejects API_INVALID for a cursor that is none, and as the store does. */
export async function custodyOf(
  store: Pick<Store, 'list' | 'get' | 'size'>,
  { session, actor, act, limit = 50, cursor }: CustodyQuery,
  trusted: readonly GatewayKey[],
): Promise<CustodyPage> {
  const like = actor === undefined ? undefined : glob(actor)
  const entries: CustodyEntry[] = []
  let looked = 0
  let last: { readonly place: Place; readonly at: string } | undefined
  for await (const { entry, place } of entriesBack(store, cursor === undefined ? undefined : placeOf(cursor))) {
    if (entries.length >= limit || looked >= MAX_LOOKED)
      return { entries, next: last === undefined ? null : cursorOf(last.place), lookedTo: last?.at ?? null }
    looked += 1
    const { statement } = entry
    last = { place, at: statement.at }
    const own = ACT_OF[statement.type]
    if (own === undefined || (act !== undefined && own !== act)) continue
    if (session !== undefined && !isAbout(statement, session)) continue
    const who = typeof statement['actor'] === 'string' ? statement['actor'] : ''
    if (like !== undefined && !like.test(who)) continue
    entries.push(toldOf(statement, own, who, isSignedBy(entry, trusted)))
  }
  return { entries, next: null, lookedTo: null }
}

function isAbout(statement: LedgerStatement, session: string): boolean {
  const { sessionIds } = statement
  return statement['session'] === session || (Array.isArray(sessionIds) && sessionIds.includes(session))
}

function toldOf(statement: LedgerStatement, act: CustodyAct, actor: string, signed: boolean): CustodyEntry {
  const { at, gateway, n, type, session } = statement
  const told = Object.entries(statement).flatMap(([name, value]): [string, string][] =>
    ENVELOPE.has(name) ? [] : [[name, (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MAX_TOLD_CHARS)]],
  )
  return { at, gateway, n, type, act, actor, session: typeof session === 'string' ? session : null, told, signed }
}

/** `*` for any characters, nothing else; linear, as it is somebody's text. */
function glob(pattern: string): { test(text: string): boolean } {
  const parts = pattern.split('*')
  return {
    test(text) {
      const [head = '', ...rest] = parts
      const tail = rest.pop()
      if (!text.startsWith(head)) return false
      if (tail === undefined) return text === head
      let at = head.length
      for (const part of rest) {
        const found = text.indexOf(part, at)
        if (found < 0) return false
        at = found + part.length
      }
      return text.length - tail.length >= at && text.endsWith(tail)
    },
  }
}

function cursorOf({ object, offset }: Place): string {
  return `${object}_${offset}`
}

function placeOf(cursor: string): Place {
  const [, object, offset] = /^(\d{1,9})_(\d{1,12})$/.exec(cursor) ?? []
  if (object === undefined || offset === undefined) throw new ApplianceError('API_INVALID', 'this cursor is not of this list')
  return { object: Number(object), offset: Number(offset) }
}
