/** Of metadata, keys or tokens; those of the largest issuers have some ten kilobytes. */
const MAX_ANSWER_SIZE = 1 << 20

type Asked = Omit<RequestInit, 'body'> & { readonly body?: RequestInit['body'] | undefined }

/** `fetch` for what issuers are asked: whoever reads an answer that is longer than an issuer's is told so, and the rest is not waited for. */
export async function issuerFetch(url: string, { body: asked = null, ...options }: Asked): Promise<Response> {
  const { body, status, statusText, headers } = await fetch(url, { ...options, body: asked })
  let size = 0
  const bounded = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      size += chunk.length
      if (size > MAX_ANSWER_SIZE) controller.error(new Error(`an answer of more than ${MAX_ANSWER_SIZE} bytes`))
      else controller.enqueue(chunk)
    },
  })
  return new Response(body === null ? null : body.pipeThrough(bounded), { status, statusText, headers })
}
