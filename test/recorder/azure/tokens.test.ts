import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { type TokenIssuer, Tokens } from '../../../recorder/azure/tokens.ts'

const SCOPE = 'https://storage.azure.com/.default'
const QUICK = { firstPauseMs: 1, longestPauseMs: 2, patienceMs: 50 }

type Answer = { readonly lifeMs: number; readonly refreshInMs?: number } | Error

/** Gives these answers in turn, the last one again and again; tokens are numbered. */
function issuer(answers: readonly Answer[]): TokenIssuer & { asked: number; answers: readonly Answer[] } {
  return {
    asked: 0,
    answers,
    async getToken() {
      this.asked += 1
      const [answer, ...later] = this.answers
      if (later.length > 0) this.answers = later
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer')
      const { lifeMs, refreshInMs } = answer
      return {
        token: `t${this.asked}`,
        expiresOnTimestamp: Date.now() + lifeMs,
        refreshAfterTimestamp: refreshInMs === undefined ? undefined : Date.now() + refreshInMs,
      }
    },
  }
}

function refused(status: number): Error {
  return new Error('refused', { cause: Object.assign(new Error('inner'), { status }) })
}

/** Lets promises settle, which mocked timers do not wait for. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
}

test('one token per scope, asked for once however many wait for it', async () => {
  const from = issuer([{ lifeMs: 3_600_000 }])
  using tokens = new Tokens(from)
  const given = await Promise.all([tokens.getToken(SCOPE), tokens.getToken([SCOPE]), tokens.getToken(SCOPE)])
  assert.deepEqual(new Set(given.map(({ token }) => token)), new Set(['t1']))
  assert.equal((await tokens.getToken('https://vault.azure.net/.default')).token, 't2')
  assert.equal(from.asked, 2)
  await assert.rejects(tokens.getToken(['a', 'b']), { code: 'AZURE_FAILED' })
})

test('429, failures and silence are tried again; a wrong request is not', async () => {
  const passing = issuer([refused(429), refused(500), new Error('ECONNRESET'), { lifeMs: 60_000 }])
  using tokens = new Tokens(passing, QUICK)
  assert.equal((await tokens.getToken(SCOPE)).token, 't4')
  const wrong = issuer([refused(400)])
  using refusing = new Tokens(wrong, QUICK)
  await assert.rejects(refusing.getToken(SCOPE), { code: 'AZURE_FAILED' })
  assert.equal(wrong.asked, 1)
  const never = issuer([refused(429)])
  using patient = new Tokens(never, QUICK)
  await assert.rejects(patient.getToken(SCOPE), { code: 'AZURE_FAILED', message: /refused/ })
  assert.ok(never.asked > 1)
})

test('a token that had expired when it came is nobody’s', async () => {
  using tokens = new Tokens(issuer([{ lifeMs: -1_000 }]), QUICK)
  await assert.rejects(tokens.getToken(SCOPE), { code: 'AZURE_FAILED', message: /clock/ })
})

test('whoever no longer wants the token stops waiting; the others get it', async () => {
  const gate = Promise.withResolvers<void>()
  using tokens = new Tokens({
    async getToken() {
      await gate.promise
      return { token: 't', expiresOnTimestamp: Date.now() + 60_000 }
    },
  })
  const abort = new AbortController()
  const first = tokens.getToken(SCOPE, { abortSignal: abort.signal })
  const second = tokens.getToken(SCOPE)
  abort.abort(new Error('gone'))
  await assert.rejects(first, /gone/)
  gate.resolve()
  assert.equal((await second).token, 't')
})

test('is renewed in the background; an outage shorter than its life is noticed by nobody', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  try {
    const from = issuer([
      { lifeMs: 3_600_000, refreshInMs: 1_800_000 },
      refused(429),
      new Error('down'),
      refused(500),
      { lifeMs: 3_600_000 },
    ])
    using tokens = new Tokens(from, { firstPauseMs: 60_000, longestPauseMs: 600_000 })
    assert.equal((await tokens.getToken(SCOPE)).token, 't1')
    for (let minute = 0; minute < 55; minute += 1) {
      mock.timers.tick(60_000)
      await settled()
      // At every moment of the outage there is one, at once.
      assert.match((await tokens.getToken(SCOPE)).token, /^t[15]$/)
    }
    assert.equal((await tokens.getToken(SCOPE)).token, 't5')
    assert.equal(from.asked, 5)
  } finally {
    mock.timers.reset()
  }
})

test('an issuer that answers from its own memory is asked again until it has a new one', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  try {
    let asked = 0
    const endsAt = Date.now() + 600_000
    using tokens = new Tokens(
      {
        async getToken() {
          asked += 1
          // As the library: the old one until shortly before its end.
          return endsAt - Date.now() > 120_000
            ? { token: 'old', expiresOnTimestamp: endsAt }
            : { token: 'new', expiresOnTimestamp: endsAt + 600_000 }
        },
      },
      { longestPauseMs: 30_000 },
    )
    assert.equal((await tokens.getToken(SCOPE)).token, 'old')
    for (let passed = 0; passed < 590_000; passed += 10_000) {
      mock.timers.tick(10_000)
      await settled()
    }
    assert.equal((await tokens.getToken(SCOPE)).token, 'new')
    assert.ok(asked > 2 && asked < 30, `asked ${asked} times`)
  } finally {
    mock.timers.reset()
  }
})

test('where no way to sign in has anybody, the error says what to do', async () => {
  const nobody = Object.assign(new Error('ChainedTokenCredential failed.\nAzureCliCredential: x'), {
    name: 'AggregateAuthenticationError',
  })
  using tokens = new Tokens(issuer([nobody]), QUICK)
  await assert.rejects(tokens.getToken(SCOPE), {
    code: 'AZURE_FAILED',
    message: `no token for ${SCOPE}: ChainedTokenCredential failed. (nobody is signed in here: az login, or a managed identity of this machine)`,
  })
})
