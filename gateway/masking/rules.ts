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

export type EntityName = (typeof ENTITY_NAMES)[number]

/**
 * How a masked value is shown.
 * `tag`: `[MASKED:email:7f3a91c204be]`, the same tag for the same value within the session.
 * `plain`: `[MASKED:card]`, for values few enough to be guessed through their tag.
 * `partial`: the last four letters or digits stay, of an e-mail address its domain.
 * `length`: one `*` per byte.
 * `null`: a whole field masked by its label becomes NULL; elsewhere as `plain`.
 */
export type MaskForm = 'tag' | 'plain' | 'partial' | 'length' | 'null'

export interface MaskingRules {
  readonly detectors: Readonly<Record<EntityName, 'mask' | 'ignore'>>
  /** By entity, of detectors and of labels. An entity without a line: `tag`. */
  readonly forms: Readonly<Record<string, MaskForm>>
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
  },
}
