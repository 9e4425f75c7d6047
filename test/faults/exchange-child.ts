/** A process that is killed while an exchange of its own has objects (`node exchange-child.ts ROOT`): prints its folder, and waits. */
import { readSettings } from '../../src/config.ts'
import { Engine } from '../../src/engine/engine.ts'
import { DiskExchange, newQueryName } from '../../src/exchange/disk-exchange.ts'
import { takeRows } from '../../src/exchange/take-rows.ts'

const root = process.argv[2]!
const settings = { ...readSettings({ SKEP_THREADS: '1' }), inlineRows: 0 }
const engine = await Engine.open({ settings, spillPath: `${root}/.tmp/exchange-child`, roots: [root] })
const session = await engine.session()
const exchange = new DiskExchange(root, newQueryName())
const columns = [{ name: 'a', type: 'BIGINT' }]
const cut = { by: ['a'], parts: 2, when: 'always' as const }
await takeRows(session, 'FROM range(10) t(a)', { exchange, settings, attempt: 'one', name: 'rows', columns })
await takeRows(session, 'FROM range(10) t(a)', { exchange, settings, attempt: 'two', name: 'rows', columns, cut })
process.stdout.write(`${exchange.folder}\n`)
setInterval(() => {}, 1000)
