import { headSize } from '../../schemas/views/http.ts'
import { type Field, field } from './field.ts'

/** Start line, headers, body. */
export function dissectHttp(body: Uint8Array): Field[] {
  const size = headSize(body)
  const text = new TextDecoder('latin1').decode(body.subarray(0, size))
  const fields = [field(0, 'head', '', 0, size)]
  let at = 0
  for (const [index, line] of text.split('\r\n').entries()) {
    const colon = line.indexOf(': ')
    if (index === 0) fields.push(field(1, 'start line', line, at, at + line.length))
    else if (line !== '') fields.push(field(1, line.slice(0, colon), line.slice(colon + 2), at, at + line.length))
    at += line.length + 2
  }
  if (size < body.length) fields.push(field(0, 'body', `${body.length - size} bytes`, size, body.length))
  return fields
}
