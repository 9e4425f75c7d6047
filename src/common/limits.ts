/** The limits, cache sizes, intervals and page sizes inside Skep: what nobody sets, but whoever operates it might meet. Part of `SETTINGS`. */

/** What a value of the table counts. */
export type LimitUnit = 'bytes' | 'ms' | 'rows' | 'count' | 'levels' | 'characters' | 'fraction'

interface LimitEntry {
  unit: LimitUnit
  default: number
  /** One line for the reference page. */
  help: string
}

const KIB = 1024
const MIB = 1024 * KIB

/** The table, from queries and the store to SQL and behavioural queries. */
export const LIMITS = {
  interruptMs: { unit: 'ms', default: 20, help: 'How often a query that was ended is told so until it has noticed.' },
  quickSqlCharacters: {
    unit: 'characters',
    default: 4096,
    help: 'SQL up to this length is parsed without the detour of a thread.',
  },
  readCharacters: {
    unit: 'characters',
    default: 65_536,
    help: 'SQL of the last queries whose parse trees are kept; longer texts than those above are not.',
  },
  plannedFiles: {
    unit: 'count',
    default: 16,
    help: 'Files of a table up to which a statement is planned over all of them from the start; one over more is first planned over one.',
  },
  statementLookMs: {
    unit: 'ms',
    default: 1,
    help: 'How often the end of a statement is looked for, once it has not come at once.',
  },
  statementNapMs: {
    unit: 'ms',
    default: 0.02,
    help: 'How long a process that waits for one statement alone sleeps between two looks at it.',
  },
  statementProgressMs: {
    unit: 'ms',
    default: 100,
    help: 'How often the progress of a statement of the engine is told.',
  },
  progressAfterMs: { unit: 'ms', default: 500, help: 'Time that a command runs before its progress is drawn.' },
  progressDrawMs: { unit: 'ms', default: 100, help: 'How often the progress of a command is drawn anew.' },
  paramCharacters: { unit: 'characters', default: 1024, help: 'Longest parameter in the path of a request.' },
  streamBeatMs: {
    unit: 'ms',
    default: 15_000,
    help: 'How often a stream of progress says at least that its query is at work.',
  },
  streamBeginMs: {
    unit: 'ms',
    default: 200,
    help: 'Time after which a stream of progress begins though there is none: until then an error has a status of its own.',
  },
  categoricalFraction: {
    unit: 'fraction',
    default: 0.1,
    help: 'Distinct texts of a column for each row up to which Funnel Rocket’s schemas call it categorical.',
  },
  topTexts: { unit: 'count', default: 20, help: 'Most frequent texts of such a column that its schema lists.' },
  topFraction: { unit: 'fraction', default: 0.01, help: 'Least part of the rows that each of these texts has.' },
  shownRows: { unit: 'rows', default: 40, help: 'Rows that `skep sql` shows of a result.' },
  outputCharacters: {
    unit: 'characters',
    default: 262_144,
    help: 'Text of a result that is gathered before it is written to a file.',
  },
  commitBackoffMs: { unit: 'ms', default: 250, help: 'Longest wait before a commit that lost a race is tried again.' },
  storeCalls: {
    unit: 'count',
    default: 16,
    help: 'Calls to the store that one step of the catalog or of vacuum makes at the same time.',
  },
  verifyReads: { unit: 'count', default: 2, help: 'Data files that `skep verify` reads at the same time.' },
  storeAttempts: {
    unit: 'count',
    default: 5,
    help: 'How often a new version of a table or a name is written at most while nobody can tell whether it was.',
  },
  storeBackoffMs: {
    unit: 'ms',
    default: 20,
    help: 'Half the longest wait between the first two of `storeAttempts`; it doubles with each.',
  },
  secondLookMs: {
    unit: 'ms',
    default: 200,
    help: 'Time after which metadata that looks damaged is read again: a failing read looks the same.',
  },
  placeAttempts: {
    unit: 'count',
    default: 3,
    help: 'How often a file is put into its folder on disk while another process removes that folder.',
  },
  listPage: { unit: 'count', default: 1000, help: 'Objects in a page of a listing when the caller names no limit.' },
  logPage: {
    unit: 'count',
    default: 100_000,
    help: 'Objects in a page of a listing when the versions of a table or a name are looked for.',
  },
  readStepBytes: { unit: 'bytes', default: 64 * MIB, help: 'Part of an object on disk that one call reads.' },
  bufferBytes: {
    unit: 'bytes',
    default: MIB,
    help: 'Buffer through which a file is hashed, checked or cut into lines.',
  },
  manifestWrites: { unit: 'count', default: 4, help: 'Merged manifests that are written at the same time.' },
  manifestBlockEntries: { unit: 'count', default: 1000, help: 'Entries in one block of a manifest that is written.' },
  manifestBlockBytes: {
    unit: 'bytes',
    default: 256 * MIB,
    help: 'Longest block of a manifest that is read, unpacked.',
  },
  boundLength: {
    unit: 'count',
    default: 64,
    help: 'Longest bound of a column in a manifest: code points of a text, bytes of a binary value. Longer ones are cut, the upper rounded up.',
  },
  metadataLog: { unit: 'count', default: 100, help: 'Earlier versions of its metadata that a table names.' },
  schemaLog: { unit: 'count', default: 100, help: 'Changes of its columns that a table remembers.' },
  cachedTables: { unit: 'count', default: 64, help: 'States of tables that a warehouse keeps in memory.' },
  cachedVersions: {
    unit: 'count',
    default: 10_000,
    help: 'Tables whose newest version a warehouse keeps in memory, as a number.',
  },
  cachedManifests: { unit: 'count', default: 50_000, help: 'Manifests whose places a warehouse keeps in memory.' },
  cachedFiles: { unit: 'count', default: 200_000, help: 'Data files whose statistics a warehouse keeps in memory.' },
  cachedRemovals: {
    unit: 'count',
    default: 500_000,
    help: 'Removed files whose names a warehouse keeps in memory after a vacuum.',
  },
  cachedFolderBytes: {
    unit: 'bytes',
    default: 64 * MIB,
    help: 'Entries of registered folders that a warehouse keeps in memory: they grow with the files.',
  },
  finishedFiles: {
    unit: 'count',
    default: 2,
    help: 'Finished data files that are hashed and made safe on disk at the same time.',
  },
  hashedActors: {
    unit: 'count',
    default: 250_000,
    help: 'Distinct actors whose buckets are computed in one step, where the engine cannot compute them.',
  },
  cutSampleRows: {
    unit: 'rows',
    default: 100_000,
    help: 'Rows of a sample that tells where a bucket too large for one file is cut.',
  },
  archiveHeaderBytes: {
    unit: 'bytes',
    default: 64 * 1024,
    help: 'Largest header of a tar archive that describes the next file: its name, where that is long.',
  },
  firstLineCharacters: {
    unit: 'characters',
    default: 1_048_576,
    help: 'Text of a CSV file that is looked through for the end of its first line.',
  },
  reasonCharacters: {
    unit: 'characters',
    default: 100,
    help: 'Longest value that the reason of a rejected line shows.',
  },
  memoryLookMs: {
    unit: 'ms',
    default: 20,
    help: 'How often the growth of the process is looked at while queries run.',
  },
  memoryPatienceMs: {
    unit: 'ms',
    default: 250,
    help: 'Time that a query which was ended for that growth has to give its memory back, before the next one is ended.',
  },
  memoryCulpritShare: {
    unit: 'fraction',
    default: 0.25,
    help: 'Part of `SKEP_MEMORY` by which the process has grown at least since the start of a query that is ended for that growth.',
  },
  engineShare: {
    unit: 'fraction',
    default: 0.65,
    help: 'Part of `SKEP_MEMORY` that the engine gets; the rest is for Node, the allocator and results.',
  },
  valueShare: {
    unit: 'fraction',
    default: 1 / 2,
    help: 'Part of `SKEP_MEMORY` that the values of one call of a function may take, for 2,048 rows on each thread.',
  },
  singleValueShare: { unit: 'fraction', default: 1 / 16, help: 'The same for calls that are made for one row only.' },
  valueBytes: { unit: 'bytes', default: 64 * KIB, help: 'Size that a value may have however many threads there are.' },
  valuePairs: {
    unit: 'count',
    default: 1_000_000,
    help: 'Pairs of characters that one call of a function may compare.',
  },
  processBytes: {
    unit: 'bytes',
    default: 160 * MIB,
    help: 'What a process weighs before any statement: `skep register --validate` takes all memory but this.',
  },
  checkThreadBytes: {
    unit: 'bytes',
    default: 100 * MIB,
    help: 'Memory for each thread of `skep register --validate`, which takes fewer threads where there is less.',
  },
  seenFiles: {
    unit: 'count',
    default: 200_000,
    help: 'Files of registered folders that one engine remembers before another takes over.',
  },
  footerTailBytes: {
    unit: 'bytes',
    default: 64 * KIB,
    help: 'End of a Parquet file that is read first; a longer footer takes a second call.',
  },
  footerStructs: { unit: 'count', default: 4_000_000, help: 'Structures in a footer.' },
  footerDepth: { unit: 'levels', default: 100, help: 'Levels of nested columns in a Parquet file.' },
  footerSkipDepth: {
    unit: 'levels',
    default: 32,
    help: 'Levels of nested fields in a footer that Skep does not know.',
  },
  patternCharacters: {
    unit: 'characters',
    default: 1000,
    help: 'Longest pattern of the files of a registered folder.',
  },
  folderReads: { unit: 'count', default: 16, help: 'Folders that are listed at the same time.' },
  stampedFiles: { unit: 'count', default: 256, help: 'Files whose stamps are taken in one go while the disk is fast.' },
  fastStampMs: {
    unit: 'ms',
    default: 0.1,
    help: 'Time of one stamp up to which the disk is fast: beyond it is a network, which must not block the process.',
  },
  quickBytes: {
    unit: 'bytes',
    default: 65_536,
    help: 'Files up to this size are read without the detour of a thread while the disk is fast.',
  },
  quickLookMs: {
    unit: 'ms',
    default: 20,
    help: 'A look at a disk that takes longer makes the disk a slow one: threads look at it for a while.',
  },
  slowDiskMs: { unit: 'ms', default: 10_000, help: 'How long a disk counts as slow after a slow look.' },
  slowStamps: {
    unit: 'count',
    default: 32,
    help: 'Files whose stamps are taken at the same time while the disk is slow.',
  },
  folderAttempts: {
    unit: 'count',
    default: 5,
    help: 'How often a folder that changes is read before its change is an error, or it counts as it is.',
  },
  scanLayouts: {
    unit: 'count',
    default: 16,
    help: 'Layouts of the files of a table, each read on its own; beyond that one reader unites them, and opens every file twice.',
  },
  namedFiles: { unit: 'count', default: 10, help: 'Files that an error about their columns names.' },
  probedFiles: {
    unit: 'count',
    default: 8,
    help: 'Files that are first searched for an actor that is in several: where actors are scattered, a few files mostly show it.',
  },
  suspectActors: {
    unit: 'count',
    default: 1000,
    help: 'Hashes of actors that are in several files and are then looked at one by one.',
  },
  actorParts: {
    unit: 'count',
    default: 1024,
    help: 'Parts into which actors are cut at most where comparing all of them needs too much memory.',
  },
  expressionDepth: {
    unit: 'levels',
    default: 250,
    help: 'Levels of expressions in each other in SQL: planning takes the third power of it.',
  },
  sqlNodes: {
    unit: 'count',
    default: 1_000_000,
    help: 'Nodes of the tree, once every guarded call has repeated its arguments.',
  },
  sqlNesting: {
    unit: 'count',
    default: 6_000_000,
    help: 'Squares of the depths of all calls in calls, added up: planning takes the third power of a depth.',
  },
  sqlDoublings: {
    unit: 'levels',
    default: 12,
    help: 'Levels of subqueries in expressions of each other, or of lambdas: each doubles the time of planning.',
  },
  sqlMentions: { unit: 'count', default: 1000, help: 'Tables that are planned when no common table is materialised.' },
  argumentCharacters: {
    unit: 'characters',
    default: 10_000,
    help: 'Longest text of a path, a structure or a format that a function of SQL is given.',
  },
  replacementCharacters: {
    unit: 'characters',
    default: 200,
    help: 'Longest text by which a function of SQL replaces every match.',
  },
  formatDigits: { unit: 'count', default: 3, help: 'Digits of a width or precision in a format.' },
  jsonBrackets: {
    unit: 'count',
    default: 10_000,
    help: 'Brackets that are left of a JSON value without its leaves and are still counted; more are taken for too deep.',
  },
  filterRows: {
    unit: 'rows',
    default: 5000,
    help: 'Combinations of partition values that one statement holds against a `partition_filter`.',
  },
  fileChecks: {
    unit: 'count',
    default: 8,
    help: 'Data files that are held against their checksums at the same time.',
  },
  materialisedRows: {
    unit: 'rows',
    default: 2_500_000,
    help: 'Rows up to which a task of a behavioural query takes its rows from the engine as one result: faster than a stream, and still small.',
  },
  tasksAhead: {
    unit: 'count',
    default: 1,
    help: 'Tasks of a behavioural query that are begun beyond the threads of the engine, which goes on while another task reads what it has made.',
  },
  directParts: {
    unit: 'count',
    default: 4096,
    help: 'Most parts that unsorted files are cut into when they are decoded without the engine; a power of two.',
  },
  directShare: {
    unit: 'fraction',
    default: 0.4,
    help: 'Part of `SKEP_MEMORY` that the rows of unsorted files may take when they are decoded so, unless `SKEP_DIRECT_MEMORY` says how much.',
  },
  directBytes: {
    unit: 'bytes',
    default: 16 * 1024 * MIB,
    help: 'Most memory for these rows, whatever the settings say: places in it are counted in 31 bits.',
  },
  directLeastGroup: {
    unit: 'rows',
    default: 64,
    help: 'Rows that a row group is taken to have at least, as each of them takes a few bytes more of that memory.',
  },
  directUneven: {
    unit: 'fraction',
    default: 1.5,
    help: 'Memory for one of several passes over unsorted files, as a part of the even share: some parts are larger than others.',
  },
  directKeptMs: {
    unit: 'ms',
    default: 10_000,
    help: 'Time that this memory is kept for the next query: what the system has given once need not be asked for again.',
  },
  directTexts: {
    unit: 'count',
    default: 200_000,
    help: 'Distinct texts of a column that a query without the engine asks about; with more it goes through the engine.',
  },
  directPageBytes: {
    unit: 'bytes',
    default: 256 * MIB,
    help: 'Largest page of a Parquet file that is decoded without the engine, unpacked.',
  },
  directLeaves: {
    unit: 'count',
    default: 14,
    help: 'Comparisons in a query whose filters combine several of them; with more the query goes through the engine.',
  },
  directTests: {
    unit: 'count',
    default: 16,
    help: 'Values of a list that a number is compared with; with more the query goes through the engine.',
  },
  exchangeParts: {
    unit: 'count',
    default: 64,
    help: 'Parts of the rows between tasks that are written at the same time; of more the engine would begin files anew.',
  },
  durationCharacters: { unit: 'characters', default: 64, help: 'Longest text of a duration.' },
  suggestions: { unit: 'count', default: 50, help: 'Violations of one error that name what was probably meant.' },
  doneStepMs: {
    unit: 'ms',
    default: 250,
    help: 'Stretches of time in which statistics count the tasks that were done.',
  },
  topMax: { unit: 'count', default: 10_000, help: 'The most entries that `top` may ask for.' },
  histogramBins: { unit: 'count', default: 32, help: 'Most bins of the histogram of a column.' },
  frequentValues: {
    unit: 'count',
    default: 20,
    help: 'Most frequent values that are told of a column, or suggested when the call does not say how many.',
  },
  suggestedValues: {
    unit: 'count',
    default: 1000,
    help: 'Most values of a column that a call may ask to be suggested.',
  },
  prefixCharacters: { unit: 'characters', default: 1000, help: 'Longest beginning of the values to suggest.' },
  savedQueries: { unit: 'count', default: 1000, help: 'Saved queries of a warehouse.' },
  savedBytes: { unit: 'bytes', default: 256 * KIB, help: 'Largest saved query, as JSON.' },
  savedNameCharacters: { unit: 'characters', default: 128, help: 'Longest name of a saved query.' },
  savedPathCharacters: {
    unit: 'characters',
    default: 200,
    help: 'Longest part of the path of a saved query that is its name; of longer ones the end is a hash.',
  },
  queryLogMs: {
    unit: 'ms',
    default: 1000,
    help: 'How often the log of queries is written, and what other processes wrote is looked at, at most.',
  },
  queryLogCharacters: {
    unit: 'characters',
    default: 4000,
    help: 'Longest text of a query, or message of an error, that the log keeps.',
  },
  queryLogTasks: {
    unit: 'count',
    default: 200,
    help: 'Tasks of a query whose times the log keeps; of a query that has more, every second one, or every fourth, and so on.',
  },
  queryLogDetailed: {
    unit: 'count',
    default: 20,
    help: 'Newest queries in tasks of which the log keeps these times; of older ones it keeps the sums.',
  },
} as const satisfies Record<string, LimitEntry>
