import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Witness, type WitnessAnswer } from '../../recorder/ledger/witness.ts'
import { openWitnessServer } from '../../recorder/ledger/witness-server.ts'
import type { NoteKey } from '../../schemas/verify/note.ts'

export interface TestWitness extends AsyncDisposable {
  readonly witness: Witness
  readonly url: string
  readonly answers: readonly WitnessAnswer[]
}

/** A witness of these logs, in a folder of its own, behind HTTP. */
export async function testWitness(logs: readonly NoteKey[], name = 'audit.example/w1'): Promise<TestWitness> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-witness-'))
  const witness = await Witness.open({ folder, name, logs })
  const answers: WitnessAnswer[] = []
  const server = await openWitnessServer(witness, {
    host: '127.0.0.1',
    port: 0,
    onAnswer: (answer) => void answers.push(answer),
    onError: (error) => {
      throw error
    },
  })
  return {
    witness,
    url: `http://127.0.0.1:${server.port}`,
    answers,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
