import { Type } from 'typebox'
import { closed, Path } from './config-parts.ts'

/** As in `authorized_keys` and `*.pub`; a comment may follow. */
export const PublicKey = (description: string) =>
  Type.String({
    pattern: '^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) AAAA[A-Za-z0-9+/]+={0,2}( .*)?$',
    maxLength: 4_096,
    description,
  })

/** Where ssh clients are let in; `address` as of every listener. */
export const SshListener = <T extends ReturnType<typeof Type.String>>(address: T) =>
  Type.Object(
    {
      address,
      hostKeys: Type.Optional(
        Type.Array(Path('A private host key in OpenSSH format, without a passphrase'), {
          minItems: 1,
          uniqueItems: true,
          description: 'What clients know this gateway by; if not given, an Ed25519 key of its own, made at the first start',
        }),
      ),
      userAuthorities: Type.Optional(
        Type.Array(PublicKey('Signs certificates of users; one of their principals is the subject of an identity'), {
          minItems: 1,
          uniqueItems: true,
        }),
      ),
      deviceLogin: Type.Optional(
        Type.Boolean({
          default: false,
          description:
            'People may sign in at the issuer of `console.signIn.oidc` in place of a key: ssh shows an address and a code (device flow, RFC 8628)',
        }),
      ),
    },
    closed,
  )
