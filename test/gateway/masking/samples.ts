import type { EntityName } from '../../../gateway/masking/rules.ts'

/**
 * Values that look like secrets are put together here at run time, so that nothing in this repository is one.
 * `random` is a fixed sequence: the same samples in every run.
 */
const join = (...parts: readonly string[]): string => parts.join('')

function random(size: number, alphabet: string, seed: number): string {
  let state = seed * 2_654_435_761
  let text = ''
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + i + 1) >>> 0
    text += alphabet[state % alphabet.length]
  }
  return text
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz'
const DIGITS = '0123456789'
const ALNUM = join(LOWER, LOWER.toUpperCase(), DIGITS)

/** A card number of `size` digits that begins with `prefix` and passes Luhn. */
export function cardNumber(prefix: string, size: number): string {
  const body = prefix + random(size - prefix.length - 1, DIGITS, 11)
  for (const check of DIGITS) {
    const digits = [...(body + check)].reverse().map(Number)
    const sum = digits.reduce((total, digit, i) => total + (i % 2 === 0 ? digit : digit > 4 ? 2 * digit - 9 : 2 * digit), 0)
    if (sum % 10 === 0) return body + check
  }
  throw new Error('one of ten check digits fits')
}

/** An IBAN of that country around `account`, with the right check digits. */
export function ibanNumber(country: string, account: string): string {
  const numeric = [...`${account}${country}00`].map((c) => Number.parseInt(c, 36).toString()).join('')
  return `${country}${(98n - (BigInt(numeric) % 97n)).toString().padStart(2, '0')}${account}`
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url')
const jws = [base64url('{"alg":"HS256","typ":"JWT"}'), base64url('{"sub":"1234567890","name":"x"}'), random(43, ALNUM, 1)].join(
  '.',
)
const jwe = [
  base64url('{"alg":"RSA-OAEP","enc":"A256GCM"}'),
  random(60, ALNUM, 2),
  random(16, ALNUM, 3),
  random(30, ALNUM, 4),
  random(22, ALNUM, 5),
].join('.')

const dashes = '-'.repeat(5)
const pemLines = (count: number): string =>
  Array.from({ length: count }, (_, i) => random(64, join(ALNUM, '+/'), i + 20)).join('\n')
/** A private key in PEM of `lineCount` lines, whole or cut off before its END line. */
export function pemKey(lineCount: number, kind = 'RSA PRIVATE KEY', isCut = false): string {
  const head = `${dashes}BEGIN ${kind}${dashes}\n${pemLines(lineCount)}`
  return isCut ? head : `${head}\n${dashes}END ${kind}${dashes}`
}

/** A value of more than one line or of none, and a configuration file that holds it, which looks like one on its own. */
export const IN_CONFIGURATION: readonly (readonly [value: string, file: string])[] = [
  pemKey(40, 'PRIVATE KEY').split('\n').slice(1, -1).join('\n'),
  random(60, ALNUM, 80),
  random(48, ALNUM, 81),
].map((value, kind) => {
  const settings = Array.from({ length: 30 }, (_, n) => `setting_${kind}_${n}: "value of ${n}"\n`).join('')
  const [before = '', after = ''] = [
    [`${dashes}BEGIN PRIVATE KEY${dashes}\n`, `\n${dashes}END PRIVATE KEY${dashes}\n`],
    ['password: "', '"\n'],
    ['authorization: Bearer ', '\n'],
  ][kind] as [string, string]
  return [value, `${settings}${before}${value}${after}`]
})

/** One value of each entity, and texts in which exactly the value is to be found (at `{}`). */
export const SAMPLES: Readonly<Record<EntityName, readonly (readonly [value: string, text: string])[]>> = {
  email: [
    [join('jane.doe+x', '@', 'mail.example.com'), 'write to <{}>, please'],
    [join('a', '@', 'b.co'), '{}'],
    [join('müller', '@', 'exämple.de'), 'an: {} .'],
    [join("o'neil", '@', 'example.org'), '("{}")'],
  ],
  'us-ssn': [
    [join('219', '-', '44', '-', '8712'), 'ssn {}.'],
    [join('219', ' ', '44', ' ', '8712'), '{}'],
  ],
  card: [
    [cardNumber('4', 16), 'card {}, exp 12/29'],
    [cardNumber('4', 16).replace(/(\d{4})(?=\d)/g, '$1 '), 'card {}.'],
    [cardNumber('54', 16).replace(/(\d{4})(?=\d)/g, '$1-'), '"{}"'],
    [cardNumber('37', 15).replace(/^(\d{4})(\d{6})/, '$1 $2 '), '{}'],
    [cardNumber('5018', 12), '{}'],
    [cardNumber('6011', 16), '{}'],
  ],
  iban: [
    [ibanNumber('GB', 'WEST12345698765432'), 'to {}'],
    [ibanNumber('DE', '500105175407324931'), '{}.'],
    [ibanNumber('NO', '86011117947').replace(/(.{4})(?=.)/g, '$1 '), 'IBAN {} '],
  ],
  jwt: [
    [jws, 'set {} here'],
    [jwe, '"{}"'],
    [jws.slice(0, -43), '{}'],
  ],
  'pem-private-key': [
    [pemKey(12), 'key:\n{}\n'],
    [pemKey(20, 'OPENSSH PRIVATE KEY'), '{}'],
    [pemKey(3, 'PRIVATE KEY').replaceAll('\n', '\\n'), '{"k":"{}"}'],
    [pemKey(8, 'EC PRIVATE KEY', true), '{}'],
    [pemKey(30, 'PGP PRIVATE KEY BLOCK'), '{}'],
  ],
  'azure-storage-key': [[join(random(86, ALNUM, 6), '=='), 'AccountName=x;AccountKey={};EndpointSuffix=core.windows.net']],
  'azure-sas': [[join(random(43, ALNUM, 7), '%3D'), 'https://x.blob.core.windows.net/c?sv=2024-01-01&sig={}&se=2']],
  'azure-client-secret': [[join('ab1', '8', 'Q~', random(33, ALNUM, 9)), 'value {} of the app']],
  'aws-access-key-id': [
    [join('AK', 'IA', random(16, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 10)), 'id {} of x'],
    [join('AS', 'IA', random(16, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 12)), '{}'],
  ],
  'aws-secret-access-key': [
    [join(random(39, ALNUM, 13), '7'), 'aws_secret_access_key = {}\n'],
    [join(random(39, ALNUM, 14), '7'), '"SecretAccessKey": "{}"'],
  ],
  'github-token': [
    [join('gh', 'p_', random(36, ALNUM, 15)), '{}'],
    [join('github', '_pat_', random(22, ALNUM, 16), '_', random(59, ALNUM, 17)), 'x {} y'],
  ],
  'gitlab-token': [[join('gl', 'pat-', random(20, ALNUM, 18)), '{}']],
  'slack-token': [
    [join('xo', 'xb-', random(12, DIGITS, 19), '-', random(12, DIGITS, 20), '-', random(24, ALNUM, 21)), '{}'],
    [
      join('hooks.slack', '.com/services/', 'T', random(8, DIGITS, 22), '/B', random(8, DIGITS, 23), '/', random(24, ALNUM, 24)),
      'https://{}',
    ],
  ],
  'stripe-key': [[join('sk', '_live_', random(24, ALNUM, 25)), '{}']],
  'openai-key': [
    [join('sk', '-', random(20, ALNUM, 26), 'T3Blbk', 'FJ', random(20, ALNUM, 27)), '{}'],
    [join('sk', '-proj-', random(74, ALNUM, 28), 'T3Blbk', 'FJ', random(74, ALNUM, 29)), '{}'],
  ],
  'anthropic-key': [[join('sk', '-ant-', 'api03-', random(93, ALNUM, 30), 'AA'), '{}']],
  'npm-token': [[join('np', 'm_', random(36, ALNUM, 31)), '//registry/:_x={}']],
  'google-api-key': [[join('AI', 'za', random(35, ALNUM, 32)), 'k {}']],
  'vendor-token': [
    [join('h', 'f_', random(34, ALNUM, 60)), 'token {} of x'],
    [join('S', 'G.', random(22, ALNUM, 61), '.', random(43, ALNUM, 62)), '{}'],
    [join('dckr', '_pat_', random(27, ALNUM, 63)), 'docker {}'],
    [join('ts', 'key-auth-', random(12, ALNUM, 64), '1-', random(24, ALNUM, 65)), '{}'],
    [join('gl', 'sa_', random(32, ALNUM, 66), '_', random(8, DIGITS, 67)), '{}'],
    [join('dop', '_v1_', random(64, '0123456789abcdef', 68)), '{}'],
    [join('pypi', '-AgEI', random(160, ALNUM, 69)), '{}'],
    [join('shp', 'at_', random(32, '0123456789abcdef', 70)), '{}'],
    [join('da', 'pi', random(32, '0123456789abcdef', 71)), '{}'],
    [join('d', 'p.pt.', random(43, ALNUM, 72)), '{}'],
    [join('NR', 'AK-', random(27, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 73)), '{}'],
    [join('PM', 'AK-', random(24, '0123456789abcdef', 74), '-', random(34, '0123456789abcdef', 75)), '{}'],
  ],
  'sallyport-key': [[join('s', 'p_', random(43, ALNUM, 33)), '{}']],
  'url-credentials': [
    [random(12, ALNUM, 34), 'postgres://app:{}@db.internal:5432/x'],
    [join('p:a', random(4, LOWER, 35), '#x'), 'amqps://u:{}@10.0.0.1'],
  ],
  authorization: [
    [random(40, ALNUM, 36), 'Authorization: Bearer {}'],
    [Buffer.from(join('user', ':', 'hunter', '22')).toString('base64'), 'authorization: basic {}\r\n'],
  ],
  password: [
    [random(10, ALNUM, 37), 'DB_PASSWORD={}\n'],
    [random(10, LOWER, 38), '  password: {}\n'],
    [join('a b,', random(6, LOWER, 39)), '{"user": "x", "password": "{}"}'],
    [random(10, ALNUM, 40), '{\\"passwd\\": \\"{}\\"}'],
    [random(10, ALNUM, 41), "ALTER ROLE bob PASSWORD '{}'"],
    ['Q7', "create role bob\n\tlogin password\n '{}' valid until 'infinity'"],
    [join('a', "''", 'b c'), "ALTER USER bob ENCRYPTED PASSWORD '{}';"],
    [join('a', "\\'", 'b'), "alter user bob password E'{}'"],
    [join("it's $", random(3, LOWER, 52)), join('alter user bob password $q', '$', '{}$q$;')],
    [random(10, ALNUM, 42), "create user x identified by '{}'"],
    [random(10, ALNUM, 43), 'mysql --password {} -h x'],
    [random(10, ALNUM, 44), 'curl -u admin:{} https://x'],
    [random(10, ALNUM, 45), '<Password>{}</Password>'],
    [random(10, ALNUM, 46), "$config['db_pass'] = '{}';"],
  ],
  secret: [
    [random(20, ALNUM, 47), 'client_secret={}&grant_type=x'],
    [random(20, ALNUM, 48), '"api_key": "{}"'],
    [random(20, ALNUM, 49), 'x.setAuthToken("{}")'],
    [random(20, ALNUM, 50), 'System.setProperty("SERVICE_TOKEN", "{}")'],
    [random(20, ALNUM, 51), 'encryptionKey: "{}"'],
  ],
}

/** What looks like something and is nothing. */
export const INNOCENT: readonly string[] = [
  '2024-01-15 12:34:56.123456+00',
  '7f3c9a4e-1234-5678-9012-123456789012',
  '1700000000000',
  '4111 1111 1111 1112',
  join(cardNumber('4', 16), '7'),
  join('x', cardNumber('4', 16)),
  join('219', '-', '44', '-', '8712', '-1'),
  join('1', '219', '-', '44', '-', '8712'),
  join('000', '-', '44', '-', '8712'),
  join('666', '-', '44', '-', '8712'),
  join('900', '-', '44', '-', '8712'),
  '1234-56-7890',
  'GB82WEST12345698765431',
  'user@localhost',
  '@decorator.call',
  'git@@x',
  'a@b.c',
  'postgres://db.internal:5432/x',
  'http://user@host/x',
  join('https://x:$', '{PASSWORD}@host/'),
  'the password is required',
  'password: string',
  'password = getPassword()',
  'token: CancellationToken',
  '"token_type": "bearer"',
  'max_tokens: 4096',
  'password_file=/run/secrets/db',
  'passenger=maria',
  'author: Jane',
  'secretName: database-credentials',
  join('DB_PASSWORD=$', '{DB_PASSWORD}'),
  'PASSWORD=********',
  'Authorization: Basic realm',
  'Bearer of bad news arrives',
  'key: value',
  'password_encryption = scram-sha-256',
  '"trust", "md5", "password", "scram-sha-256"',
  `if (text.indexOf("${dashes}BEGIN PRIVATE KEY${dashes}") !== 0) throw new SomeVeryLongErrorNameIndeed()`,
  'primary key (id)',
  'alter role bob password null',
  'password $1',
  'AKIAIOSFODNN7',
  'sp_help',
  'eyJust a word',
  `${dashes}BEGIN CERTIFICATE${dashes}\nMIID\n`,
  `${dashes}BEGIN PUBLIC KEY${dashes}\n${pemLines(2)}`,
  `the ${dashes}BEGIN PRIVATE KEY${dashes} line`,
  '[MASKED:email:7f3a91c204be]',
  'password=[MASKED:password:7f3a91c204be]',
]
