/** Random cases of direct queries, stored, and what their files turned out to be. */
import { join } from 'node:path'
import { type DirectCase, rowsSql, type StoredFacts, storedColumns } from './direct-cases.ts'
import type { DirectLab } from './direct-lab.ts'

/** Makes the table of a case; gives its name. */
export async function storeCase(lab: DirectLab, example: DirectCase): Promise<string> {
  const { layout } = example
  const name = lab.newName()
  const { folder, paths } = await writeFiles(lab, example)
  const keys = { actor: 'who', time: 'ts' }
  if (layout.kind === 'registered') {
    await lab.engine.register(name, folder, keys)
    return name
  }
  const imports = Math.min(layout.imports, paths.length)
  for (let k = 0; k < imports; k++) {
    const files = paths.filter((_, place) => place % imports === k)
    await lab.engine.import(name, files, { ...keys, buckets: layout.buckets })
  }
  return name
}

async function writeFiles(lab: DirectLab, example: DirectCase): Promise<{ folder: string; paths: string[] }> {
  const { compression, version, groupRows, dictionary, order } = example.layout
  const folder = lab.newFolder()
  await lab.writer.run(`CREATE OR REPLACE TEMP TABLE made AS ${rowsSql(example)}`)
  const limit = dictionary === 1 ? ', DICTIONARY_SIZE_LIMIT 1' : ''
  const options = `COMPRESSION ${compression}, PARQUET_VERSION ${version}, ROW_GROUP_SIZE ${groupRows}${limit}`
  const sorting = order === 'key' ? 'who, ts' : 'skep_order, who, ts'
  const paths: string[] = []
  for (const [place] of await lab.writer.run('SELECT DISTINCT skep_file FROM made ORDER BY 1')) {
    const path = join(folder, `${place}.parquet`)
    const select = `SELECT ${storedColumns(example)} FROM made WHERE skep_file = ${place} ORDER BY ${sorting}`
    await lab.copy(select, path, options)
    paths.push(path)
  }
  return { folder, paths }
}

/** Forgets the table of a case. */
export async function removeCase(lab: DirectLab, name: string, { layout }: DirectCase): Promise<void> {
  if (layout.kind === 'managed') await lab.engine.drop(name)
  else await lab.engine.unregister(name)
}

/** What the files of a case are, as DuckDB reads their footers. */
export async function storedFacts(lab: DirectLab, name: string, { layout }: DirectCase): Promise<StoredFacts> {
  const { dataFiles = [] } = await lab.engine.describe(name, { files: true })
  const buckets = new Set(dataFiles.map(({ partition }) => JSON.stringify(partition)))
  const list = dataFiles.map(({ path }) => `'${path}'`).join(', ')
  const chunks =
    dataFiles.length === 0
      ? []
      : await lab.writer.run(
          `SELECT DISTINCT path_in_schema, encodings, compression FROM parquet_metadata([${list}]) WHERE coalesce(stats_null_count, 0) < num_values`,
        )
  const isCoded = (encodings: unknown) => /^(PLAIN_DICTIONARY|RLE_DICTIONARY)$/.test(String(encodings))
  return {
    sorted: layout.kind === 'managed' && buckets.size === dataFiles.length,
    plain: new Set(chunks.filter(([, encodings]) => !isCoded(encodings)).map(([path]) => unquoted(String(path)))),
    codecs: new Set(chunks.map(([, , codec]) => String(codec))),
  }
}

function unquoted(path: string): string {
  return path.startsWith('"') ? path.slice(1, -1).replaceAll('""', '"') : path
}
