import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placesIn } from '../../gateway/places.ts'

test('everything a gateway keeps stands under its data folder', () => {
  for (const place of Object.values(placesIn('/data'))) assert.ok(place === '/data' || place.startsWith('/data/'))
})
