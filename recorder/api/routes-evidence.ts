import { once } from 'node:events'
import type { Response } from 'express'
import { type ScreenAnswer, ScreenQuery, type TapeObjects } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import type { Store } from '../store/store.ts'
import { queryOf } from './check.ts'
import { type Handlers, sessionOf } from './context.ts'
import { note, purposeOf } from './notes.ts'
import { type ByteRange, rangeOf } from './range.ts'
import { tapeObject, tapeObjects } from './tape-objects.ts'

/** Read from the store at a time: what one answer holds in memory, whatever the size of the tape. */
const PIECE_SIZE = 256 << 10

export const evidenceRoutes: Handlers<'objects' | 'object' | 'screen'> = {
  async objects(asked, context) {
    const { id, state } = await sessionOf(asked, context)
    await note(context.parts, asked.viewer.identity, {
      type: 'evidence.view',
      session: id,
      what: 'objects',
      ...purposeOf(asked.request),
    })
    return { session: id, state, objects: await tapeObjects(context.parts.store, id, state) } satisfies TapeObjects
  },

  /** Written once and only ever appended to, so a size names a content: that makes the ETag. */
  async object(asked, context) {
    const { request, response, viewer } = asked
    const { store } = context.parts
    const { id, state } = await sessionOf(asked, context)
    const name = String(request.params['name'])
    const object = await tapeObject(store, id, name, state)
    if (object === undefined) throw new ApplianceError('API_UNKNOWN', 'this tape has no such object')
    const { size, final } = object
    const etag = `"${id}.${name}.${size}"`
    response.set({
      etag,
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      // Private: it is evidence, and no proxy's to keep.
      'cache-control': final ? 'private, max-age=31536000, immutable' : 'private, no-store',
      // Of this sign-in alone: whoever is next at the same browser asks for themselves.
      vary: 'cookie, authorization',
    })
    if (request.get('if-none-match') === etag) {
      // They have it already, and look at it again.
      await note(context.parts, viewer.identity, {
        type: 'evidence.view',
        session: id,
        what: 'object',
        object: name,
        unchanged: true,
        ...purposeOf(request),
      })
      response.status(304).end()
      return undefined
    }
    const ifRange = request.get('if-range')
    const range = ifRange === undefined || ifRange === etag ? rangeOf(request.get('range'), size) : undefined
    if (range === 'none') {
      response.set({ 'content-range': `bytes */${size}`, 'cache-control': 'no-store' })
      throw new ApplianceError('API_RANGE', `the object has ${size} bytes, and none of those asked for`)
    }
    const { from, to } = range ?? { from: 0, to: size }
    if (request.method !== 'HEAD')
      await note(context.parts, viewer.identity, {
        type: 'evidence.view',
        session: id,
        what: 'object',
        object: name,
        from,
        to,
        ...purposeOf(request),
      })
    response.status(range === undefined ? 200 : 206).set('content-length', String(to - from))
    if (range !== undefined) response.set('content-range', `bytes ${from}-${to - 1}/${size}`)
    if (request.method === 'HEAD') response.end()
    else await send(store, tapeKeys.prefix(id) + name, { from, to }, response)
    return undefined
  },

  async screen(asked, context) {
    const { parts } = context
    const { id } = await sessionOf(asked, context)
    const { channel, frame } = queryOf(asked.request, ScreenQuery)
    const keyframe = await parts.catalog.keyframe(id, channel, frame)
    await note(parts, asked.viewer.identity, {
      type: 'evidence.view',
      session: id,
      what: 'screen',
      ...(keyframe === null ? {} : { first: keyframe.seq, last: keyframe.seq }),
      ...purposeOf(asked.request),
    })
    return { keyframe } satisfies ScreenAnswer
  },
}

/** At the reader's pace; a reader that leaves ends it. */
async function send(store: Store, key: string, { from, to }: ByteRange, response: Response): Promise<void> {
  const left = new AbortController()
  response.once('close', () => left.abort())
  for (let at = from; at < to; ) {
    const bytes = await store.get(key, { from: at, to: Math.min(to, at + PIECE_SIZE) })
    // An object that became shorter is a broken store: the error handler cuts the connection, so that nobody takes it for whole.
    if (bytes.length === 0) throw new ApplianceError('STORE_FAILED', `${key} ended at ${at}, and ${to} bytes were there before`)
    if (left.signal.aborted) return
    at += bytes.length
    if (!response.write(bytes)) {
      try {
        await once(response, 'drain', { signal: left.signal })
      } catch {
        return
      }
    }
  }
  response.end()
}
