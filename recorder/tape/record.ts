import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import {
  FOOTER_MAGIC,
  FOOTER_SIZE,
  RECORD_CHECK_SIZE,
  RECORD_HEAD_SIZE,
  RECORD_MARK,
  RECORD_TYPES,
  type RecordType,
} from '../../schemas/tape.ts'
import { footerCheck } from '../../schemas/verify/segment-index.ts'
import { sha256 } from './merkle.ts'

/** The record as stored: head, payload, check. In memory of its own, so that it can go from one thread to another. */
export function encodeRecord(type: RecordType, payloadParts: readonly Uint8Array[]): Buffer {
  const size = payloadParts.reduce((sum, part) => sum + part.length, 0)
  const record = Buffer.allocUnsafeSlow(RECORD_HEAD_SIZE + size + RECORD_CHECK_SIZE)
  record.set(RECORD_MARK)
  record[3] = RECORD_TYPES[type]
  record.writeUInt32BE(size, 4)
  record.writeUInt32BE(crc32(record.subarray(0, 8)), 8)
  let at = RECORD_HEAD_SIZE
  for (const part of payloadParts) {
    record.set(part, at)
    at += part.length
  }
  record.write(hash('sha256', record.subarray(0, at), 'binary'), at, RECORD_CHECK_SIZE, 'latin1')
  return record
}

/** The check of an encoded record. */
export function checkOf(record: Uint8Array): Uint8Array {
  return record.subarray(record.length - RECORD_CHECK_SIZE)
}

export function encodeFooter(
  footer: { indexAt: number; segment: number; last: boolean; fileSize: number },
  indexCheck: Uint8Array,
): Buffer {
  const bytes = Buffer.alloc(FOOTER_SIZE)
  bytes.set(FOOTER_MAGIC)
  bytes.writeBigUInt64BE(BigInt(footer.indexAt), 8)
  bytes.writeBigUInt64BE(BigInt(footer.fileSize), 16)
  bytes.writeUInt32BE(footer.segment, 24)
  bytes.writeUInt32BE(footer.last ? 1 : 0, 28)
  bytes.set(footerCheck({ sha256 }, bytes, indexCheck), 32)
  return bytes
}
