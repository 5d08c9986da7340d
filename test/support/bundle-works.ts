import type { BundleWorks } from '../../recorder/api/parts.ts'
import type { BundleJob } from '../../schemas/api.ts'

/** Bundles that are made at once, of this file. */
export function bundleWorks(path: string, size: number): BundleWorks {
  const jobs: BundleJob[] = []
  return {
    async start({ from, to, framework, seed = 'made up' }, { subject }) {
      const made = {
        state: 'done',
        phase: null,
        done: 0,
        of: 0,
        size,
        sha256: 'ab',
        sessions: 0,
        gaps: 0,
        problem: null,
      } as const
      const job: BundleJob = {
        id: `b-${jobs.length}`,
        by: subject,
        startedAt: from,
        from,
        to,
        framework,
        scope: { target: [], identity: [] },
        seed,
        ...made,
      }
      jobs.push(job)
      return job
    },
    list: () => jobs,
    file: (id) => (jobs.some((job) => job.id === id) ? { path, size } : undefined),
  }
}
