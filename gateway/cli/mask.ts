import { randomBytes } from 'node:crypto'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { explain } from '../masking/explain.ts'
import { Masker } from '../masking/masker.ts'
import type { ColumnLabels } from '../policy/policy.ts'
import { loadPolicy } from '../service.ts'
import { type Cli, EXIT, printJson, table } from './context.ts'
import { configured, type ExplainOptions, identityOf } from './policy.ts'

export interface MaskOptions extends ExplainOptions {
  /** `schema.table.column`, or a name alone. */
  readonly column?: string
}

const KEY_SIZE = 16

/** Shows what of a value would be masked for an identity, and by what: a column's label, or detectors. Nothing is sent or kept. */
export async function explainMask(value: string, options: MaskOptions, cli: Cli): Promise<number> {
  const settings = await configured(options, cli)
  const policy = await loadPolicy(settings)
  const identity = identityOf(settings, options)
  const rules = policy.masking(identity)
  const labels = policy.columns(identity)
  const label = options.column === undefined ? undefined : labelOf(options.column, labels)
  const masker = new Masker({ rules, tagKey: randomBytes(KEY_SIZE), fingerprintKey: randomBytes(KEY_SIZE) })
  const formOf = (entity: string): string => rules.forms[entity] ?? 'tag'
  const found =
    label === undefined
      ? explain(value, rules).map(({ entity, start, end, rule }) => ({
          rule,
          entity,
          form: formOf(entity),
          start,
          end,
          shown: masker.text(value.slice(start, end)),
        }))
      : [
          {
            rule: `label:${label.label}`,
            entity: label.entity,
            form: formOf(label.entity),
            start: 0,
            end: value.length,
            shown: '',
          },
        ]
  if (options.json) printJson(cli, { identity: identity.subject, column: options.column ?? null, found })
  else if (found.length === 0) cli.out(`nothing is masked for ${safeText(identity.subject)}: no label and no detector\n`)
  else
    cli.out(
      table([
        ['rule', 'entity', 'form', 'characters', 'shown as'],
        ...found.map(({ rule, entity, form, start, end, shown }) => [
          rule,
          entity,
          form,
          `${start}-${end}`,
          shown || 'the whole value',
        ]),
      ]),
    )
  return EXIT.ok
}

function labelOf(written: string, labels: ColumnLabels): ReturnType<ColumnLabels['labelFor']> {
  const parts = written.split('.')
  const [schema = '', name = '', column = ''] = parts
  if (parts.length === 3) return labels.labelFor({ schema, table: name, column })
  if (parts.length === 1) return labels.labelForName(schema)
  throw new ApplianceError(
    'CONFIG_INVALID',
    `a column is written schema.table.column, or as its name alone, not ${JSON.stringify(written)}`,
  )
}
