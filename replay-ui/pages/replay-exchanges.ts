import { detailOf, type ExchangeDetail } from '../data/exchange-detail.ts'
import { parseExchangeFilter } from '../data/exchange-filter.ts'
import type { Exchange } from '../data/exchanges.ts'
import type { Exchanges, Tape } from '../data/tape.ts'
import { lastAtMost } from '../data/tape-map.ts'
import type { Terminals } from '../data/terminals.ts'
import type { ExchangesInput } from './exchange-list.ts'
import type { ExchangeInput } from './exchange-view.ts'

/** Exchanges looked back for the one that a frame belongs to: so many may run at once. */
const MAX_AT_ONCE = 500

interface Looked {
  readonly list: Pick<ExchangesInput, 'shown' | 'filterWrong' | 'current'>
  readonly detail: ExchangeDetail | undefined
  readonly terminal: ExchangeInput['terminal']
}

/** What is seen of a session's exchanges at a place. Kept, as a page draws itself many times while its reader stays there. */
export class ExchangeLooks {
  #filtered:
    | { readonly of: Exchanges['list']; readonly filter: string; readonly list: Pick<ExchangesInput, 'shown' | 'filterWrong'> }
    | undefined
  #detail: ExchangeDetail | undefined

  at(cursor: number, filter: string, tape: Tape | undefined, terminals: Terminals | undefined): Looked {
    const all = tape?.exchanges?.list ?? []
    const current = exchangeAt(all, cursor)
    const detail = current === undefined || tape === undefined ? undefined : this.#detailOf(current, tape)
    const under = tape?.frame(cursor)
    const frame = under?.channel === current?.channel && under?.seq !== current?.frames[0] ? under : undefined
    return {
      list: { ...this.#listed(all, filter), current },
      detail,
      terminal:
        detail?.terminal === undefined || tape?.map === undefined ? undefined : terminals?.at(frame ?? detail.terminal, tape.map),
    }
  }

  #listed(of: Exchanges['list'], filter: string): Pick<ExchangesInput, 'shown' | 'filterWrong'> {
    if (this.#filtered?.of !== of || this.#filtered.filter !== filter) {
      const parsed = parseExchangeFilter(filter)
      const list = parsed.ok ? { shown: of.filter(parsed.matches), filterWrong: '' } : { shown: of, filterWrong: parsed.what }
      this.#filtered = { of, filter, list }
    }
    return this.#filtered.list
  }

  #detailOf(current: Exchange, tape: Tape): ExchangeDetail {
    if (this.#detail?.exchange !== current || this.#detail.missing) this.#detail = detailOf(current, (seq) => tape.frame(seq))
    return this.#detail
  }
}

/** The exchange that has the frame; the one begun last before it where none has (a note of the gateway, a frame of very many). */
export function exchangeAt(list: readonly Exchange[], seq: number): Exchange | undefined {
  const last = lastAtMost(list, ({ frames }) => frames[0] ?? 0, seq)
  for (let at = last; at >= 0 && at > last - MAX_AT_ONCE; at -= 1) {
    const one = list[at]
    if (one !== undefined && one.frames[lastAtMost(one.frames, (frame) => frame, seq)] === seq) return one
  }
  return list[last]
}
