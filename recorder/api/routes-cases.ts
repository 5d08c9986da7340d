import {
  CaseAsk,
  CaseChange,
  type CaseItem,
  type CaseList,
  type CaseView,
  SavedSearchAsk,
  type SavedSearches,
  type SessionBookmarks,
} from '../../schemas/api.ts'
import { OWN_CASE } from '../../schemas/api-names.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { type Case, CaseShelf } from '../desk/case-shelf.ts'
import { findingInScope } from '../findings/in-scope.ts'
import { bodyOf } from './check.ts'
import { type Asked, type Context, type Handlers, knownSession, sessionOf } from './context.ts'
import { note, purposeOf } from './notes.ts'
import type { Viewer } from './viewer.ts'

type Names = 'cases' | 'caseView' | 'createCase' | 'changeCase' | 'bookmarks' | 'savedSearches' | 'saveSearch' | 'removeSearch'

export const caseRoutes: Handlers<Names> = {
  async cases({ request, viewer }, context) {
    const { parts } = context
    const list = await casesOf(viewer, context)
    const cases = [...list.filter((one) => one.own), ...list.filter((one) => !one.own)].map(({ notes: _, items, ...row }) => ({
      ...row,
      items: items.length,
    }))
    await note(parts, viewer.identity, {
      type: 'evidence.search',
      what: 'cases',
      query: {},
      found: cases.length,
      ...purposeOf(request),
    })
    return { cases } satisfies CaseList
  },

  async caseView(asked, context) {
    const one = await caseOf(asked, context)
    const seen = { type: 'evidence.view', what: 'case', object: one.id, ...purposeOf(asked.request) } as const
    await note(context.parts, asked.viewer.identity, seen)
    return viewOf(one, asked.viewer, context)
  },

  async createCase(asked, context) {
    const { parts } = context
    const { identity } = asked.viewer
    const { title } = bodyOf(asked.request, CaseAsk)
    if (!mayChange(asked.viewer)) throw lookOnly()
    const id = await parts.cases.newId()
    await note(parts, identity, { type: 'case.change', case: id, act: 'create', title: title.toWellFormed() })
    return viewOf(await parts.cases.create(id, title, identity.subject, new Date().toISOString()), asked.viewer, context)
  },

  async changeCase(asked, context) {
    const { parts } = context
    const { identity } = asked.viewer
    const one = await caseOf(asked, context)
    const change = bodyOf(asked.request, CaseChange)
    if (!one.own && !mayChange(asked.viewer)) throw lookOnly()
    if (change.act === 'add') await checkItem(change, asked.viewer, context)
    const about = change.act === 'remove' ? one.items.find(({ n }) => n === change.n) : change.act === 'add' ? change : undefined
    if (change.act === 'remove' && about !== undefined) await checkRemoval(about, one, asked.viewer, context)
    // What is refused is not told as done.
    await parts.cases.checkChange(one.id, change)
    await note(parts, identity, {
      type: 'case.change',
      case: one.id,
      act: change.act,
      ...('title' in change ? { title: change.title.toWellFormed() } : {}),
      ...(about?.session === undefined ? {} : { session: about.session }),
      ...(about?.frame === undefined ? {} : { frame: about.frame }),
      ...(about?.finding === undefined ? {} : { finding: about.finding }),
      ...('reason' in change ? { reason: change.reason.toWellFormed() } : {}),
    })
    const changed = await parts.cases.change(one.id, change, identity.subject, new Date().toISOString())
    return viewOf(changed, asked.viewer, context)
  },

  async bookmarks(asked, context) {
    const { parts } = context
    const { id } = await sessionOf(asked, context)
    const own = CaseShelf.ownId(asked.viewer.identity.subject)
    // Who may see the session may see something of every case that it is in.
    const cases = (await parts.cases.list()).filter((one) => !one.own || one.id === own)
    const bookmarks = cases
      .flatMap((one) =>
        one.items
          .filter(({ session }) => session === id)
          .map((item) => ({ case: one.own ? OWN_CASE : one.id, title: one.title, item: { ...item, shown: true } })),
      )
      .sort((a, b) => (a.item.frame ?? 0) - (b.item.frame ?? 0))
    await note(parts, asked.viewer.identity, {
      type: 'evidence.view',
      session: id,
      what: 'bookmarks',
      ...purposeOf(asked.request),
    })
    return { bookmarks } satisfies SessionBookmarks
  },

  async savedSearches({ viewer }, { parts }) {
    return { searches: await searchesOf(viewer, parts) } satisfies SavedSearches
  },

  async saveSearch({ request, viewer }, { parts }) {
    const ask = bodyOf(request, SavedSearchAsk)
    const { subject } = viewer.identity
    const search = await parts.searches.newId(subject)
    await note(parts, viewer.identity, { type: 'search.save', search, name: ask.name.toWellFormed(), shared: ask.shared })
    await parts.searches.save(search, ask, subject, new Date().toISOString())
    return { searches: await searchesOf(viewer, parts) } satisfies SavedSearches
  },

  async removeSearch({ request, viewer }, { parts }) {
    const { subject } = viewer.identity
    const search = await parts.searches.removable(String(request.params['id']), subject, viewer.roles.has('admin'))
    const { id, name, shared } = search
    await note(parts, viewer.identity, { type: 'search.remove', search: id, name: name.toWellFormed(), shared })
    await parts.searches.remove(search)
    return { searches: await searchesOf(viewer, parts) } satisfies SavedSearches
  },
}

async function searchesOf(viewer: Viewer, { searches }: Context['parts']): Promise<SavedSearches['searches']> {
  const { subject } = viewer.identity
  return (await searches.list(subject)).map((search) => ({
    ...search,
    may: { remove: search.by === subject || viewer.roles.has('admin') },
  }))
}

/** Cases that are there for this reader. */
async function casesOf(viewer: Viewer, context: Context): Promise<Case[]> {
  const own = CaseShelf.ownId(viewer.identity.subject)
  const there: Case[] = []
  for (const one of await context.parts.cases.list())
    if (one.own ? one.id === own : await isThere(one, viewer, context)) there.push(one)
  return there
}

/**
 * Titles and notes tell of what a case is about. It is there for who began it and for who may see anything that is in it;
 * for everybody else it is as if there were none.
 */
async function isThere({ by, items }: Case, viewer: Viewer, context: Context): Promise<boolean> {
  if (by === viewer.identity.subject || viewer.scope === null) return true
  for (const item of items) if (await isSeen(item, viewer, context)) return true
  return false
}

/** One answer for what is not there and for what is not there for this reader. */
async function caseOf({ request, viewer }: Asked, context: Context): Promise<Case> {
  const { parts } = context
  const { subject } = viewer.identity
  const own = CaseShelf.ownId(subject)
  const id = String(request.params['id'])
  if (id === OWN_CASE || id === own) return parts.cases.own(subject, new Date().toISOString())
  const one = await parts.cases.get(id)
  if (one === undefined || one.own || !(await isThere(one, viewer, context)))
    throw new ApplianceError('API_UNKNOWN', 'there is no such case')
  return one
}

async function viewOf(one: Case, viewer: Viewer, context: Context): Promise<CaseView> {
  const items: CaseItem[] = []
  for (const item of one.items) {
    const { n, kind, by, at } = item
    const shown = await isSeen(item, viewer, context)
    items.push(shown ? { ...item, shown } : { n, kind, by, at, note: '', shown })
  }
  return { ...one, items, notes: [...one.notes], may: { change: one.own || mayChange(viewer) } }
}

/** Whether this reader may see what it is about: cases are gathered by people of several targets. */
async function isSeen(
  { session, finding }: Pick<CaseItem, 'session' | 'finding'>,
  viewer: Viewer,
  context: Context,
): Promise<boolean> {
  try {
    if (session !== undefined) await knownSession(session, viewer, context)
    if (finding === undefined) return true
    const found = await context.parts.catalog.finding(finding)
    return found !== null && findingInScope(found, viewer.scope) !== undefined
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'API_UNKNOWN') return false
    throw error
  }
}

async function checkItem(item: Extract<CaseChange, { act: 'add' }>, viewer: Viewer, context: Context): Promise<void> {
  const { kind, session, frame, finding } = item
  const whole = kind === 'finding' ? finding !== undefined : session !== undefined && (kind === 'session' || frame !== undefined)
  if (!whole)
    throw new ApplianceError(
      'API_INVALID',
      `a ${kind} is named by ${kind === 'finding' ? 'its finding' : kind === 'frame' ? 'session and frame' : 'its session'}`,
    )
  if (!(await isSeen(item, viewer, context))) throw new ApplianceError('API_UNKNOWN', `there is no such ${kind} that you may see`)
}

/** Bookmarks of one's own go whatever they are about; and so do, for whoever sees every target, those of sessions that are gone. */
async function checkRemoval(
  item: Pick<CaseItem, 'session' | 'finding'>,
  { own }: Case,
  viewer: Viewer,
  context: Context,
): Promise<void> {
  if (own || viewer.scope === null || (await isSeen(item, viewer, context))) return
  throw new ApplianceError('API_UNKNOWN', 'there is no such item that you may see')
}

/** An auditor looks and touches nothing but bookmarks of their own. */
function mayChange({ roles }: Viewer): boolean {
  return roles.has('investigator') || roles.has('admin')
}

function lookOnly(): ApplianceError {
  return new ApplianceError('API_FORBIDDEN', 'cases are made and changed with the role investigator or admin')
}
