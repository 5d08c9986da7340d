import { test } from 'node:test'
import { postgresTalk } from '../support/pg-talk.ts'
import { testWire } from '../support/pg-words.ts'
import { hidesSecrets, type ProtocolCase, releasesWhatCame, sameHoweverCut, survivesHostility } from '../support/properties.ts'

const postgres: ProtocolCase = { wire: testWire, talk: postgresTalk }

test('however the bytes are cut, the same messages', () => sameHoweverCut(postgres))
test('releasing everything gives back the bytes', () => releasesWhatCame(postgres))
test('hostile bytes parse or are refused as the peer’s mistake', () => survivesHostility(postgres))
test('a planted secret is in no entry and reaches no client', () => hidesSecrets(postgres))
