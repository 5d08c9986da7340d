import type { SessionState, TapeObject } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import type { Store } from '../store/store.ts'
import { tapeParts } from '../tape/tape-parts.ts'

/** As the recorder makes them; anything else never gets near the store. */
const SESSION_ID = /^[A-Za-z0-9][A-Za-z0-9-]{0,99}$/
const NAMES: readonly { readonly kind: TapeObject['kind']; readonly pattern: RegExp }[] = [
  { kind: 'segment', pattern: /^(\d{4})\.tape$/ },
  { kind: 'index', pattern: /^(\d{4})\.idx$/ },
  { kind: 'recovered', pattern: /^recovered-\d{4}\.tape$/ },
  { kind: 'salt', pattern: /^salt$/ },
]

export function isSessionId(id: string): boolean {
  return SESSION_ID.test(id)
}

/** The objects of a tape with their sizes now: segments in order, then the others. */
export async function tapeObjects(store: Store, id: string, state: SessionState, signal?: AbortSignal): Promise<TapeObject[]> {
  const found: { readonly name: string; readonly size: number }[] = []
  for await (const key of tapeParts(store, id, signal))
    found.push({ name: key.slice(tapeKeys.prefix(id).length), size: await store.size(key, signal) })
  const last = Math.max(...found.map(({ name }) => segmentOf(name) ?? -1))
  return found
    .flatMap(({ name, size }) => {
      const object = describe(name, size, (segment) => state !== 'live' || segment < last)
      return object === undefined ? [] : [object]
    })
    .sort((a, b) => kindOrder(a) - kindOrder(b) || (a.segment ?? 0) - (b.segment ?? 0))
}

/** One of them, without looking at the others; undefined where there is none of this name. */
export async function tapeObject(store: Store, id: string, name: string, state: SessionState): Promise<TapeObject | undefined> {
  if (objectKind(name) === undefined) return undefined
  const size = await sizeOf(store, tapeKeys.prefix(id) + name)
  if (size === undefined) return undefined
  const segment = segmentOf(name)
  const grows =
    state === 'live' && segment !== undefined && (await sizeOf(store, tapeKeys.segment(id, segment + 1))) === undefined
  return describe(name, size, () => !grows)
}

async function sizeOf(store: Store, key: string): Promise<number | undefined> {
  try {
    return await store.size(key)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
    throw error
  }
}

/** Undefined for a name no tape has. */
function objectKind(name: string): TapeObject['kind'] | undefined {
  return NAMES.find(({ pattern }) => pattern.test(name))?.kind
}

function describe(name: string, size: number, isFinal: (segment: number) => boolean): TapeObject | undefined {
  const kind = objectKind(name)
  if (kind === undefined) return undefined
  if (kind === 'salt' || kind === 'recovered') return { name, kind, size, final: true }
  const segment = Number(name.slice(0, 4))
  return { name, kind, segment, size, final: kind === 'index' || isFinal(segment) }
}

function segmentOf(name: string): number | undefined {
  return objectKind(name) === 'segment' ? Number(name.slice(0, 4)) : undefined
}

function kindOrder({ kind }: TapeObject): number {
  return NAMES.findIndex((each) => each.kind === kind)
}
