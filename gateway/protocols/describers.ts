import type { Describers } from '../../recorder/catalog/describe.ts'
import { asks } from '../../schemas/asked.ts'
import { HttpDescriber } from './http/describe.ts'
import { KubernetesDescriber } from './kubernetes/describe.ts'
import { PostgresDescriber } from './postgres/describe.ts'
import { SshDescriber } from './ssh/describe.ts'

/** Loaded by the catalog in its own thread, by URL. */
export const describers: Describers = {
  echo: () => ({
    read: (frame) =>
      frame.body === null || !asks('echo', frame)
        ? []
        : // Channel and length word stand in front (echo/README.md).
          [{ told: 'statement', kind: 'say', text: Buffer.from(frame.body.subarray(5)).toString('utf8'), answer: null }],
  }),
  egress: () => new HttpDescriber(),
  http: () => new HttpDescriber(),
  kubernetes: () => new KubernetesDescriber(),
  postgres: () => new PostgresDescriber(),
  ssh: () => new SshDescriber(),
}
