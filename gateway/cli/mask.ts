import { randomBytes } from 'node:crypto'
import { safeText } from '../../schemas/safe-text.ts'
import { Masker } from '../masking/masker.ts'
import { explainMasking } from '../policy/command-mask.ts'
import { loadPolicy } from '../service.ts'
import { type Cli, EXIT, printJson, table } from './context.ts'
import { configured, type ExplainOptions, identityOf } from './policy.ts'

export interface MaskOptions extends ExplainOptions {
  /** `schema.table.column`, or a name alone. */
  readonly column?: string
}

const KEY_SIZE = 16

/** Shows what of a value would be masked for an identity, and by what: a column's label, detectors, patterns. Nothing is sent or kept. */
export async function explainMask(value: string, options: MaskOptions, cli: Cli): Promise<number> {
  const settings = await configured(options, cli)
  const policy = await loadPolicy(settings)
  const identity = identityOf(settings, options)
  const rules = policy.masking(identity)
  const masker = new Masker({ rules, tagKey: randomBytes(KEY_SIZE), fingerprintKey: randomBytes(KEY_SIZE) })
  const found = explainMasking(policy, identity, value, options.column).map(({ rule, entity, form, start, end }) => ({
    rule,
    entity,
    form: typeof form === 'object' ? `text ${JSON.stringify(form.text)}` : form,
    start,
    end,
    shown: masker.shown(value.slice(start, end), [entity, rule]),
  }))
  if (options.json) printJson(cli, { identity: identity.subject, column: options.column ?? null, found })
  else if (found.length === 0) cli.out(`nothing is masked for ${safeText(identity.subject)}: no label, no detector, no pattern\n`)
  else
    cli.out(
      table([
        ['rule', 'entity', 'form', 'characters', 'shown as'],
        ...found.map(({ rule, entity, form, start, end, shown }) => [rule, entity, form, `${start}-${end}`, shown]),
      ]),
    )
  return EXIT.ok
}
