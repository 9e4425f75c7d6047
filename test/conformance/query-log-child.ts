/** Another process that logs queries (`node query-log-child.ts ROOT`): one that is done, one that runs; it says `written`, and waits for its end. */
import { readSettings } from '../../src/config.ts'
import { QueryLog } from '../../src/records/query-log.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'

const log = await QueryLog.open(new DiskStore(process.argv[2]!), readSettings({}))
log.put({
  id: 'c1',
  kind: 'sql',
  text: 'SELECT 1',
  state: 'done',
  startedAt: '2026-11-20T08:00:01.000Z',
  ms: 5,
  rows: 0,
})
log.put({ id: 'c2', kind: 'sql', text: 'SELECT 2', state: 'running', startedAt: '2026-11-20T08:00:03.000Z' })
await log.flush()
process.stdout.write('written\n')
setInterval(() => undefined, 1000)
