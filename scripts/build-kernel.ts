/** Compiles `kernel/kernel.ts` and writes it as a module. `node scripts/build-kernel.ts`; a test compares the result with what is committed. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

/** The module's text, made anew from the kernel's source. */
export async function kernelModule(): Promise<string> {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const files = new Map<string, Uint8Array | string>()
  const options = [
    'kernel/kernel.ts',
    '--outFile',
    'kernel.wasm',
    '--runtime',
    'stub',
    '-O3',
    '--noAssert',
    '--use',
    'abort=',
  ]
  const { error, stderr } = await asc.main(options, {
    writeFile: (name: string, contents: Uint8Array | string) => void files.set(name, contents),
    baseDir: root,
  } as never)
  if (error) throw new Error(`the kernel does not compile: ${error.message}\n${stderr.toString()}`)
  const bytes = files.get('kernel.wasm') as Uint8Array
  return `/** Made by \`npm run build:kernel\` from kernel/kernel.ts. */\nexport const KERNEL_WASM =\n  '${Buffer.from(bytes).toString('base64')}'\n`
}

/** Where the module stands. */
export const KERNEL_MODULE = new URL('../src/behaviour/generated/kernel-wasm.ts', import.meta.url)

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(KERNEL_MODULE, await kernelModule())
