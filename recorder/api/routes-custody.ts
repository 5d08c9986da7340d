import { CustodyQuery, type LedgerState } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { parseNote } from '../../schemas/verify/note.ts'
import { custodyOf } from '../ledger/custody.ts'
import { newestCheckpoint } from '../ledger/ledger-reader.ts'
import { Holds } from '../retention/holds.ts'
import type { Store } from '../store/store.ts'
import { queryOf } from './check.ts'
import { type Handlers, knownSession } from './context.ts'
import { note, purposeOf } from './notes.ts'
import type { ApiParts } from './parts.ts'

/** Kept, so that asking again reads only what is new. */
const HOLDS = new WeakMap<Store, Holds>()

function holdsOf({ store, trusted }: Pick<ApiParts, 'store' | 'trusted'>): Holds {
  const holds = HOLDS.get(store) ?? new Holds(store, trusted)
  HOLDS.set(store, holds)
  return holds
}

export const custodyRoutes: Handlers<'custody' | 'ledgerState'> = {
  async custody(asked, context) {
    const { parts } = context
    const { identity, scope } = asked.viewer
    const query = queryOf(asked.request, CustodyQuery)
    if (query.session !== undefined) await knownSession(query.session, asked.viewer, context)
    else if (scope !== null)
      throw new ApplianceError('API_FORBIDDEN', 'custody of everything takes the role auditor or admin; name a session')
    await note(parts, identity, {
      type: 'evidence.view',
      what: 'custody',
      ...(query.session === undefined ? {} : { session: query.session }),
      ...purposeOf(asked.request),
    })
    return custodyOf(parts.store, query, await parts.trusted())
  },

  async ledgerState({ request, viewer }, { parts }): Promise<LedgerState> {
    await note(parts, viewer.identity, { type: 'evidence.view', what: 'ledger', ...purposeOf(request) })
    const found = await newestCheckpoint(parts.store)
    // A checkpoint is its log's name, its size and its root, a line each.
    const [, , root = ''] = found === undefined ? [] : parseNote(found.bytes).text.split('\n')
    const holds = holdsOf(parts)
    await holds.catchUp()
    return {
      checkpoint: found === undefined ? null : { size: found.size, root },
      holds: holds.inForce().map(({ session, matter, actor, reason, at }) => ({ session, matter, actor, reason, at })),
    }
  },
}
