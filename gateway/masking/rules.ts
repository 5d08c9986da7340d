import type { MaskForm } from '../../schemas/policy-masking.ts'
import type { OwnDetectors } from './own.ts'

/** What the content detectors know. `overload` is not among them: it cannot be switched off. */
export const ENTITY_NAMES = [
  'email',
  'us-ssn',
  'card',
  'iban',
  'jwt',
  'pem-private-key',
  'azure-storage-key',
  'azure-sas',
  'azure-client-secret',
  'aws-access-key-id',
  'aws-secret-access-key',
  'github-token',
  'gitlab-token',
  'slack-token',
  'stripe-key',
  'openai-key',
  'anthropic-key',
  'npm-token',
  'google-api-key',
  'vendor-token',
  'sallyport-key',
  'url-credentials',
  'authorization',
  'password',
  'secret',
] as const

/** Of the classifier of source code and configuration files, a detector that policies have to switch on: it is an estimate. */
export const CODE_NAME = 'source-code'

export type EntityName = (typeof ENTITY_NAMES)[number]

export interface MaskingRules {
  readonly detectors: Readonly<Record<EntityName, 'mask' | 'ignore'>>
  /** By rule (`label:pii.email`, `detector:card`, `pattern:employee`), and by entity where a rule has no line. Neither: `tag`. */
  readonly forms: Readonly<Record<string, MaskForm>>
  /** Whether what a target hands out (`Field.bulk`) is masked whole where it is source code or a configuration file. */
  readonly code?: boolean
  /** What is looked for beside the built-in detectors. */
  readonly own?: OwnDetectors | undefined
}

const everyDetector = Object.fromEntries(ENTITY_NAMES.map((name) => [name, 'mask'])) as Record<EntityName, 'mask'> // from the list itself

export const DEFAULT_RULES: MaskingRules = {
  detectors: everyDetector,
  forms: {
    // Few enough values that trying them all against a tag is cheap for whoever can have tags made.
    'us-ssn': 'plain',
    card: 'plain',
    phone: 'plain',
    date: 'plain',
    'date-of-birth': 'plain',
    'postal-code': 'plain',
    pin: 'plain',
    // Values that error messages quote: any label's, the guessable ones among them.
    'error-value': 'plain',
    // As short as an operator made it.
    'own-credential': 'plain',
  },
}

/** How what a rule masks is shown. */
export function formOf({ forms }: MaskingRules, [entity, rule]: readonly [entity: string, rule: string]): MaskForm {
  return forms[rule] ?? forms[entity] ?? 'tag'
}
