import type { Protocol } from '../../protocol.ts'
import { speaking } from '../http/index.ts'
import { KUBERNETES } from './dialect.ts'

export const kubernetes: Protocol = speaking(KUBERNETES)
