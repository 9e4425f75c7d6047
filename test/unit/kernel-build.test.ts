import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { KERNEL_MODULE, kernelModule } from '../../scripts/build-kernel.ts'

test('the committed kernel is what its source compiles to', async () => {
  const committed = await readFile(KERNEL_MODULE, 'utf8')
  expect((await kernelModule()) === committed, 'run `npm run build:kernel` and commit the result').toBe(true)
})
