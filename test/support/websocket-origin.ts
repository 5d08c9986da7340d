import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The answer of a server that takes a WebSocket (RFC 6455, 4.2.2). */
export function websocketAccept(asked: IncomingMessage): string {
  const accept = createHash('sha1').update(`${asked.headers['sec-websocket-key']}${GUID}`).digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`
}
