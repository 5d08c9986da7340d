import type { ObjectApi } from '../../../replay-ui/data/tape-source.ts'
import type { TapeObject } from '../../../schemas/api.ts'
import type { RecordingFolder } from '../../support/recording.ts'

/** The API's objects straight from a store, counting requests; none is answered where it is `down`. */
export function apiOn({ store }: RecordingFolder, state: { live: boolean; requests: number; down?: boolean }): ObjectApi {
  return {
    async objects(id) {
      const objects: TapeObject[] = []
      for await (const key of store.list(`tapes/${id}/`)) {
        const name = key.slice(`tapes/${id}/`.length)
        const kind =
          name === 'salt' ? 'salt' : name.startsWith('recovered') ? 'recovered' : name.endsWith('.idx') ? 'index' : 'segment'
        objects.push({ name, kind, size: await store.size(key), final: !state.live })
      }
      return { session: id, state: state.live ? 'live' : 'sealed', objects }
    },
    object(id, name, range) {
      state.requests += 1
      if (state.down === true) return Promise.reject(new Error('the server is down'))
      return store.get(`tapes/${id}/${name}`, range)
    },
  }
}
