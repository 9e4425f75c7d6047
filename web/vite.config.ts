/** How the web page is built: hashed assets below `assets/`, nothing inline, so that the strictest policy holds. */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const api = process.env.SKEP_API ?? 'http://127.0.0.1:4213'

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  cacheDir: fileURLToPath(new URL('../node_modules/.vite', import.meta.url)),
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: fileURLToPath(new URL('../dist/web', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    license: { fileName: 'THIRD-PARTY-LICENCES.md' },
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { '/api': { target: api, headers: { origin: api } } } },
})
