import { mayBeNoValue, maySpeak, mayStandIn } from './value-traits.ts'

/**
 * What tells a secret given a name from everything else that looks like `name = value`. Judged on short texts, after the
 * bytes have shown a name, a separator and a value. The regular expressions are anchored or alternate literals only.
 */

/** How a value stands in its text. */
export interface ValueContext {
  /** The whole identifier, e.g. `DB_PASSWORD`, and how much of it stands before the end of the word that triggered. */
  readonly name: string
  readonly wordEnd: number
  readonly value: string
  /** Of `value`, and its size. */
  readonly traits: number
  readonly size: number
  byteAt(index: number): number
  readonly isQuoted: boolean
  /** `=` with nothing around it, as in environment files and connection strings. */
  readonly isTight: boolean
  /** Nothing else on its line: `name: value` as in YAML. */
  readonly isLine: boolean
  /** Separated by a call or a comma: `setToken("...")`, `getenv("TOKEN", "...")`. Only a value that looks random counts. */
  readonly isArgument: boolean
  /** The value is followed by what closes or continues an expression in code. */
  readonly isInCode: boolean
}

/** The words that make a name one of a secret; `key` only at its end. */
export const SECRET_WORDS: readonly (readonly [entity: 'password' | 'secret', word: string])[] = [
  ['password', 'pass'],
  ['password', 'pwd'],
  ['secret', 'secret'],
  ['secret', 'token'],
  ['secret', 'credential'],
  ['secret', 'auth'],
  ['secret', 'key'],
]

/** Parts of a name behind the word that make it a name for something about the secret. */
const ABOUT = new RegExp(
  `(?:^|[_.-]|s)(?:${[
    'file|path|dir|folder|url|uri|link|endpoint|host|server|domain|port|page|route|prefix|suffix|source|store|storage|manager|provider|service',
    'name|field|label|title|prompt|hint|placeholder|help|description|comment|message|msg|error|type|kind|class|mode|format|scheme|version|algorithm|alg|algo|encryption|hasher|hashing|method',
    'id|ids|index|len|length|size|count|limit|num|min|max|age|ttl|expir(?:y|es|ed|ation|esin|es_in|esat)|expire|timeout|seconds|used|duration|interval|at|time|date|policy|rules?',
    'reset|required|supported|enabled|disabled|valid|invalid|status|state|strength|history|regexp?|pattern|validator|generator|factory|handler|helper|header|param|params',
    'var|variable|env|column|ref|reference|arn|issuer|audience|scope|scopes|usage|usages|ring|board|word_?count|bucket|table|list|map|set|array|vault',
  ].join('|')})$`,
  'i',
)
/** Words that only begin like one of ours: `tokenizer`, `passenger`, `author`, `authority`. */
const OTHER_WORD = /^(?:iz|is(?:e|at)|en|ed|ing|es|ive|ion|port|through|thru|able|age|ages|or(?!iz)|ors|enticat|ority|s$)/i
const AUTH_NAME = /^(?:$|_$|orization$)/i
const OTHER_PREFIX =
  /(?:by|com|tres|sur|over|under|encom|is_?|has_?|no_?|show_?|hide_?|forgot_?|reset_?|change_?|num_?|max_?|min_?)$/i
/** Before `token`: where a list goes on, or what a call is told by. Whoever cannot send it back cannot go on. */
const PLACE = /(?:next|page|pagination|continu(?:e|ation)|sync|skip|resume|cursor|progress)[_.-]?$/i
/** A `key` is one of these, or nothing to us. */
const KEY_QUALIFIER =
  /(?:api|app|application|access|secret|private|auth|oauth|encrypt(?:ion)?|signing|client|account|master|shared|integration|consumer|license|service|admin|deploy|hmac|jwt|session|storage|webhook|write|server)[_.-]?key$/i

export function isSecretName({ name, wordEnd }: Pick<ValueContext, 'name' | 'wordEnd'>, word: string): boolean {
  const before = name.slice(0, wordEnd - word.length)
  const after = name.slice(wordEnd)
  if (word === 'auth') return AUTH_NAME.test(after)
  if (word === 'key') return KEY_QUALIFIER.test(name.slice(0, wordEnd))
  if (OTHER_WORD.test(after) || OTHER_PREFIX.test(before)) return false
  if (word === 'token' && PLACE.test(before)) return false
  return after === '' || !ABOUT.test(snake(after))
}

/** Asked first: replacing nothing costs several times as much as seeing that there is nothing to replace. */
const HUMP = /[a-z][A-Z]/

function snake(name: string): string {
  return HUMP.test(name) ? name.replace(/([a-z])([A-Z])/g, '$1_$2') : name
}

const REFERENCE =
  /^(?:\[MASKED|\[?(?:redacted|filtered|hidden|secret)\]|\$[A-Z_({]|\$\(|#\{|\{[A-Za-z_{%]|<|%[A-Z_{(]|@[a-z]+@?$|:[a-z_]+$|&[a-z]|\s*\+\s)/i
const UNIFORM = /^(.)\1*$/
const NOTHING =
  /^(?:null|none|nil|true|false|yes|no|undefined|nan|empty|n\/a|string|str|text|bytes?|bool(?:ean)?|int(?:eger)?|number|object|any|unknown|void|char|function|symbol|array|list|dict|map|date|float|double|value|values|optional|required|default|self|this|auto|disabled?|enabled?|not[ _-]set|unset|scram-sha-\d+(?:-plus)?|md5|sha-?\d+|bcrypt|argon2\w*|pbkdf2\w*)$/i
const PLACEHOLDER =
  /(?:your[_ -]|your[A-Z]|YOUR|my[_ -]?(?:pass|secret|token|key)|change[_-]?(?:me|this|it)|place[_-]?holder|example|insert[_ -]|replace[_ -]|redacted|put[_-]your|-here$|_here$|xxxx|\*\*\*\*|\.\.\.)/i
const LOCATION = /^(?:[.~]{0,2}\/[\w.$-]*(?:\/|$)|[a-z][a-z+]*:\/\/)/i
const FILE_NAME = /\.(?:xml|json|ya?ml|txt|pem|key|crt|properties|html?|js|ts|py|rb|go|java|php|conf|ini)$/i
/** Of a package, one of which is called `jsonwebtoken`. */
const VERSION = /^(?:(?:[~^]|[<>]=?)\s?\d+(?:\.[\dx*]+){1,2}|v?\d+\.\d+\.\d+)(?:[-+][\w.]+)?$/
/** Asked at once: each question costs what its own text does not. */
const NO_VALUE = new RegExp([REFERENCE, NOTHING, LOCATION].map(({ source }) => source).join('|'), 'i')
/** A value made of the words for secrets names one, or is the name of a variable. */
const SPEAKS_OF_SECRETS = /pass(?:w(?:or)?d|phrase)?|pwd|secret|token|credential|api|key|auth|user/i

/** A word for a secret, and what is put before one: `password`, `mypass`, `usertoken`. */
const SECRET_NAME =
  /^(?:my|your|the|new|old|super|user|admin|root|db|test|client|app)?(?:pass(?:w(?:or)?d|phrase)?s?|pwd?|secrets?|tokens?|credentials?|keys?|auth)$/
/** What goes with such a word. */
const BESIDE_SECRET = new Set(
  'my your the a an some any new old super user admin root db database test client app api valid invalid wrong bad good correct incorrect fake dummy sample this is not no'.split(
    ' ',
  ),
)
const MAX_STAND_IN_SIZE = 48
const AWS_SECRET_SIZE = 40
/** All that the words above and what stands between them consist of. */
const WORDS_AND_NUMBER = /^[A-Za-z _.-]+\d{0,3}$/
/** One of these is in each of the words above. */
const SECRET_STEM = /pass|pw|secret|token|credential|key|auth/i
/** An identifier, or a path of them. */
const IDENTIFIER = /^[A-Za-z_$][A-Za-z_$.-]*$/
/** Several words, as people are told something. */
const PROSE = /^[A-Za-z'’]+(?:[ ,;:-]+[A-Za-z'’]+)+ ?[.:!?…]*$/

const TOLD = new RegExp(`${IDENTIFIER.source}|${PROSE.source}`)

/** One of the words for secrets as a word of its own, not as a part of another: `monkey` is a password. */
const SECRET_WORD =
  /(?:^|[ _.$-])(?:pass(?:w(?:or)?d|phrase)?s?|pwd|secrets?|tokens?|credentials?|api|keys?|auth|user(?:name)?s?)(?:$|[ _.,:;!?$-])/i

/**
 * Whether a value is nothing but words for secrets, what goes with them, and a number: `password1`, `user_pass`, `my-secret-token`, `pw`.
 * It says that a secret belongs in its place: it is nobody's password, or everybody's.
 */
export function isStandIn(value: string): boolean {
  if (value.length > MAX_STAND_IN_SIZE || !WORDS_AND_NUMBER.test(value) || !SECRET_STEM.test(value)) return false
  const words = snake(value.replace(/\d{1,3}$/, ''))
    .toLowerCase()
    .split(/[ _.-]/)
    .filter((word) => word !== '')
  return words.some((word) => SECRET_NAME.test(word)) && words.every((word) => SECRET_NAME.test(word) || BESIDE_SECRET.has(word))
}

/** One of these is in whatever speaks of a secret. */
const SPOKEN_STEM = /pass|pw|secret|token|credential|api|key|auth|user/i

function speaksOfSecrets(value: string): boolean {
  if (!SPOKEN_STEM.test(value)) return false
  return isStandIn(value) || (TOLD.test(value) && SECRET_WORD.test(snake(value)))
}

/** Whether the value may be the secret its name promises. */
export function isSecretValue(context: ValueContext, entity: 'password' | 'secret'): boolean {
  const { isQuoted, traits } = context
  if (context.size < 4) return false
  // Most values have a byte, or lack one, that answers at once.
  if (mayBeNoValue(traits, context.byteAt(0)) && NO_VALUE.test(context.value)) return false
  if (context.byteAt(0) === context.byteAt(1) && UNIFORM.test(context.value)) return false
  if (mayStandIn(traits) && (PLACEHOLDER.test(context.value) || FILE_NAME.test(context.value) || VERSION.test(context.value)))
    return false
  if (maySpeak(traits) && speaksOfSecrets(context.value)) return false
  if (isQuoted && !context.isArgument && entity === 'password') return true
  const { value } = context
  const isRandom = looksRandom(value)
  if (context.isArgument) return isRandom && value.length >= 8
  if (isQuoted) {
    // What programs hand each other has no spaces; a single plain word is a name more often than a key.
    if (/\s/.test(value) && !/^[{[]\\*"/.test(value)) return false
    return (
      isRandom ||
      (!SPEAKS_OF_SECRETS.test(value) &&
        !/^[A-Z_]+$/.test(value) &&
        (value.length >= 16 || !/^[A-Za-z]+(?:[_.-][A-Za-z]+)*$/.test(value) || isSecretWord(context)))
    )
  }
  return isSecretBareword(context, isRandom)
}

function isSecretWord(context: ValueContext): boolean {
  return /secret$/i.test(context.name)
}

/** An unquoted value: in code it is an expression, in configuration it is the value itself. */
function isSecretBareword(context: ValueContext, isRandom: boolean): boolean {
  const { value } = context
  if (/[()[\]{}]/.test(value) || /^[A-Za-z_$][\w$]*(?:(?:\.|->|::)[A-Za-z_$][\w$]*)+$/.test(value))
    return context.isTight && isRandom && !/[()[\]]/.test(value)
  if (/^[+-]?\d+(?:\.\d+)?$/.test(value)) return value.length >= 6
  if (/^[\w$]+$/.test(value) && context.isInCode) return isRandom && value.length >= 16
  if (/^[A-Za-z_-]+$/.test(value)) {
    if (SPEAKS_OF_SECRETS.test(value)) return false
    if (context.isTight) return true
    return context.isLine && !/[a-z][A-Z]|^[A-Z][a-z]+$/.test(value)
  }
  return isRandom || context.isTight || context.isLine
}

/** AWS secret access keys have no prefix: 40 characters of base64 under a name that says what they are. */
export function isAwsSecret(name: string, value: string): boolean {
  return value.length === AWS_SECRET_SIZE && /(?:aws|secret_?access)/i.test(name) && /^[A-Za-z0-9+/=]+$/.test(value)
}

/** Letters and digits mixed, or letters with signs no identifier has. */
function looksRandom(value: string): boolean {
  return (/\d/.test(value) && /[A-Za-z]/.test(value)) || /[A-Za-z0-9][!@#$%^&*+=~?]/.test(value)
}
