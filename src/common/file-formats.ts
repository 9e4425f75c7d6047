/** Formats of files by the endings of their names. */

/** What the ending of a name, in lower case and without its dot, says of a file that is to be imported. */
export const FORMAT_OF_ENDING: Readonly<Record<string, 'parquet' | 'csv' | 'ndjson'>> = {
  parquet: 'parquet',
  pq: 'parquet',
  csv: 'csv',
  tsv: 'csv',
  txt: 'csv',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  json: 'ndjson',
}
