/** An ErrorResponse of the target while we log in or read its catalog. For logs and for mapping; its message may name our own user. */
export class ServerError extends Error {
  readonly sqlState: string
  readonly severity: string

  constructor(fields: ReadonlyMap<string, string>) {
    super(fields.get('M') ?? 'the server gave no message')
    this.name = 'ServerError'
    this.sqlState = fields.get('C') ?? 'XX000'
    this.severity = fields.get('V') ?? fields.get('S') ?? 'FATAL'
  }
}

/** Fields of an ErrorResponse or NoticeResponse body, by their letter. Stops at the first that is not whole. */
export function readReport(body: Buffer): Map<string, string> {
  const fields = new Map<string, string>()
  let at = 0
  while (at < body.length && body[at] !== 0) {
    const end = body.indexOf(0, at + 1)
    if (end < 0) break
    fields.set(body.toString('latin1', at, at + 1), body.toString('utf8', at + 1, end))
    at = end + 1
  }
  return fields
}
