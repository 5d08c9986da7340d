import { API_BASE, type SignIn, SignIn as SignInSchema, type SignInWays, type Trust } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { keyIdOf } from '../tape/signer.ts'
import { bodyOf } from './check.ts'
import type { Asked, Context, Handlers } from './context.ts'
import { note } from './notes.ts'
import type { Proved } from './parts.ts'
import { csrfOf } from './sign-ins.ts'
import { clientOf, cookieToken, setCookie, viewer } from './viewer.ts'

/** Same words for unknown, used and expired: no oracle. */
const LINK_DENIED = 'the link is unknown, used or expired; ask for a new one with `sallyport console link`'

/** `signIn` is asked by nobody yet; its `viewer` is not looked at. */
export const signInRoutes: Handlers<'signIn' | 'signInWays' | 'signOut' | 'me' | 'trust'> = {
  async signIn({ request, response }, context) {
    const { parts, signIns, secure } = context
    const shown = bodyOf(request, SignInSchema)
    const { identity, expiresMs } = await proved(shown, { request }, context)
    // Refuses whoever has no role before there is a cookie.
    viewer(identity, parts)
    await note(parts, identity, { type: 'console.sign-in', by: 'link' in shown ? 'link' : 'key', client: clientOf(request) })
    const { token, record } = await signIns.start(identity, expiresMs, cookieToken(request, secure))
    setCookie(response, secure, token, record.expiresMs - record.createdMs)
    return viewer(identity, parts, { tokenHash: record.tokenHash, csrf: csrfOf(token), expiresMs: record.expiresMs }).me
  },

  signInWays: async (_asked, { parts }): Promise<SignInWays> => ({
    ways: parts.ways.map(({ id, name, login }) => ({
      id,
      name,
      href: `${API_BASE}/sign-in/${id}`,
      ...(login === undefined ? {} : { login }),
    })),
  }),

  async signOut({ request, response, viewer: { identity } }, { parts, signIns, secure }) {
    const token = cookieToken(request, secure)
    if (token !== undefined) await signIns.end(token)
    setCookie(response, secure, '', 0)
    await note(parts, identity, { type: 'console.sign-out' })
    return undefined
  },

  me: async ({ viewer: { me } }) => me,

  async trust(_asked, { parts }): Promise<Trust> {
    const keys = await parts.trusted()
    return {
      keys: keys.map(({ gateway, publicKey }) => {
        const spki = Buffer.from(publicKey)
        return { gateway, algorithm: algorithmOf(spki), keyId: keyIdOf(publicKey), spki: spki.toString('base64') }
      }),
    }
  },
}

async function proved(shown: SignIn, { request }: Pick<Asked, 'request'>, { parts }: Context): Promise<Proved> {
  if ('key' in shown) return parts.people.prove(shown.key, clientOf(request), new AbortController().signal)
  const subject = await parts.links.take(shown.link)
  const named = subject === undefined ? undefined : parts.people.named(subject)
  // Of who is kept out no link lets in.
  const identity = named === undefined ? undefined : await parts.people.current(named)
  if (identity === undefined) throw new ApplianceError('AUTH_DENIED', LINK_DENIED)
  return { identity }
}

/** By its SubjectPublicKeyInfo: Ed25519 is 44 bytes (RFC 8410), P-256 is 91 (RFC 5480). */
function algorithmOf(spki: Uint8Array): string {
  return spki.length === 44 ? 'Ed25519' : 'ES256'
}
