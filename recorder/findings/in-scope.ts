import type { Finding, FindingRow } from '../../schemas/findings.ts'
import type { Scope } from '../catalog/messages.ts'

// Of a finding over several targets everybody sees the part that is theirs: the rest is counted. Sums, times and the session count are of the whole.

/** As a reader of these targets may see it in a list; undefined where nothing of it is theirs. */
export function rowInScope<R extends Pick<FindingRow, 'target' | 'targets' | 'object'>>(row: R, scope: Scope): R | undefined {
  if (scope === null) return row
  const targets = row.targets.filter((each) => scope.includes(each))
  const [first] = targets
  if (first === undefined) return undefined
  const own = targets.includes(row.target)
  return { ...row, target: own ? row.target : first, targets, object: own ? row.object : null }
}

/** The same with its evidence. What people said of the whole is for who may see the whole. */
export function findingInScope(finding: Finding, scope: Scope): Finding | undefined {
  const row = rowInScope(finding, scope)
  if (row === undefined || isWhole(finding, scope)) return row
  const contributions = finding.contributions.filter(({ target }) => row.targets.includes(target))
  return { ...row, contributions, hidden: finding.contributions.length - contributions.length, dispositions: [] }
}

/** Whether all of it is of these targets. */
export function isWhole({ targets }: Pick<FindingRow, 'targets'>, scope: Scope): boolean {
  return scope === null || targets.every((each) => scope.includes(each))
}
