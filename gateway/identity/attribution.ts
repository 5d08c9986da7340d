/** As long as anybody's ids of pipelines, runs and traces are; what is longer is cut. */
const MAX_TEXT = 128
/** W3C Trace Context, level 1: version, trace, parent, flags. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)

/** What a client says of the work it does: unproved, for whoever puts sessions of several protocols together afterwards. */
export function attributionOf({
  run,
  purpose,
  traceparent,
}: {
  readonly run?: string | undefined
  readonly purpose?: string | undefined
  readonly traceparent?: string | undefined
}): Readonly<Record<string, string>> {
  const [, trace, span] = TRACEPARENT.exec(traceparent?.trim() ?? '') ?? []
  return {
    ...said('run', run),
    ...said('purpose', purpose),
    ...(trace === undefined || span === undefined || trace === NO_TRACE || span === NO_SPAN ? {} : { trace, span }),
  }
}

function said(name: string, value: string | undefined): Readonly<Record<string, string>> {
  return value === undefined || value === '' ? {} : { [name]: value.slice(0, MAX_TEXT) }
}
