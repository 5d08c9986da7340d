import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { BundleAsk, type BundleJobs } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { bodyOf } from './check.ts'
import type { Handlers } from './context.ts'
import { note, purposeOf } from './notes.ts'

export const bundleRoutes: Handlers<'startBundle' | 'bundles' | 'bundle'> = {
  async startBundle({ request, viewer }, { parts }) {
    const ask = bodyOf(request, BundleAsk)
    const what = `bundle ${ask.framework} ${ask.from}/${ask.to}`
    await note(parts, viewer.identity, { type: 'export.ask', what, ...purposeOf(request) })
    return parts.bundles.start(ask, viewer.identity)
  },

  async bundles(_asked, { parts }) {
    return { bundles: [...parts.bundles.list()] } satisfies BundleJobs
  },

  async bundle({ request, response, viewer }, { parts }) {
    const id = String(request.params['id'])
    const file = parts.bundles.file(id)
    if (file === undefined) throw new ApplianceError('API_UNKNOWN', 'there is no such bundle, or it is not made yet')
    await note(parts, viewer.identity, { type: 'evidence.view', what: 'bundle', object: id, ...purposeOf(request) })
    response.set({
      'content-type': 'application/zip',
      'content-length': String(file.size),
      'content-disposition': `attachment; filename="${id}.zip"`,
      'cache-control': 'private, no-store',
    })
    // Whoever leaves ends it.
    await pipeline(createReadStream(file.path), response).catch((error: unknown) => {
      if (!response.destroyed) throw error
    })
    return undefined
  },
}
