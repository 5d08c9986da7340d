import { ApplianceError } from '../../schemas/errors.ts'
import type { MaskForm } from '../../schemas/policy-masking.ts'
import type { Identity } from '../../schemas/session.ts'
import { explain } from '../masking/explain.ts'
import { formOf } from '../masking/rules.ts'
import type { ColumnLabel, ColumnLabels, Policy } from './policy.ts'

/** What is masked of a value, and why. */
export interface MaskExplanation {
  /** `label:pii.email`, `detector:card`, `pattern:employee`. */
  readonly rule: string
  readonly entity: string
  readonly form: MaskForm
  /** UTF-16 indices into the value. */
  readonly start: number
  readonly end: number
}

/**
 * What of a value from a target would be masked for an identity: by its column's label whole, else by detectors and patterns.
 * `column`: `schema.table.column`, or a name alone. Throws CONFIG_INVALID for one that is written otherwise.
 */
export function explainMasking(policy: Policy, identity: Identity, value: string, column?: string): readonly MaskExplanation[] {
  const rules = policy.masking(identity)
  const label = column === undefined ? undefined : labelOf(column, policy.columns(identity))
  if (label !== undefined) {
    const rule = `label:${label.label}`
    return [{ rule, entity: label.entity, form: formOf(rules, [label.entity, rule]), start: 0, end: value.length }]
  }
  const path = column === undefined ? '' : `row.${column.split('.').at(-1)}`
  return explain(value, rules, path).map((found) => ({ ...found, form: formOf(rules, [found.entity, found.rule]) }))
}

function labelOf(written: string, labels: ColumnLabels): ColumnLabel | undefined {
  const parts = written.split('.')
  const [schema = '', table = '', column = ''] = parts
  if (parts.length === 3) return labels.labelFor({ schema, table, column })
  if (parts.length === 1) return labels.labelForName(schema)
  throw new ApplianceError(
    'CONFIG_INVALID',
    `a column is written schema.table.column, or as its name alone, not ${JSON.stringify(written)}`,
  )
}
