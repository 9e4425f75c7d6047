/** The actors of a page: where one begins among sorted rows, or the words that tell each row's actor apart. */
import {
  DELTA_LENGTH_BYTE_ARRAY,
  entries,
  entryCount,
  entryLength,
  entryStart,
  filled,
  findMeasuredTexts,
  findTexts,
  INT64,
  isCoded,
  isText,
  PLAIN,
  physical,
  present,
  readCodes,
  readIntegers,
  spread,
  values,
} from './chunk'
import { grown, startsEnd } from './memory'
import { actorWords, firstWords, secondWords } from './regroup'
import { hashBytes, hashHigh, hashLow } from './siphash'

/** The actor of the row before. */
let hasActor: bool = false
let lastInteger: i64 = 0
let lastText: usize = 0
let lastRoom: i32 = 0
let lastLength: i32 = 0

let entryHashes: usize = 0
let entryHashRoom: i32 = 0
/** Entries of the dictionary that are hashed. */
let hashedEntries: i32 = 0

/** The next row begins an actor. */
export function beginActors(): void {
  hasActor = false
}

/** The dictionary is another. */
export function forgetHashes(): void {
  hashedEntries = 0
}

/** Marks the rows of the page that begin an actor: those whose actor is another than the one before. Or keeps the words of each. */
export function readActors(encoding: i32, at: usize, end: usize, rows: i32, count: i32): bool {
  if (physical > INT64 && !isText()) return false
  if (actorWords > 0) return keepWords(encoding, at, end, rows, count)
  if (isCoded(encoding)) return readCodes(at, end, count, values) && markCodes(rows, count)
  if (!isText()) return readIntegers(encoding, at, end, count, values) && markPlaces(rows, count)
  if (encoding === PLAIN) return findTexts(at, end, count, values) && markPlaces(rows, count)
  if (encoding === DELTA_LENGTH_BYTE_ARRAY) return findMeasuredTexts(at, end, count, values) && markPlaces(rows, count)
  return false
}

/** Integers are their own words; a text's are its hash, which for a dictionary is taken once for each entry. */
function keepWords(encoding: i32, at: usize, end: usize, rows: i32, count: i32): bool {
  if ((actorWords === 2) !== isText()) return false
  const words = firstWords + ((filled as usize) << 3)
  if (!isText()) {
    if (!readIntegers(encoding, at, end, count, words)) return false
    if (count < rows) spread(words, rows, count)
    return true
  }
  const coded = isCoded(encoding)
  if (coded) {
    if (!readCodes(at, end, count, values)) return false
    hashEntries()
  } else if (
    encoding === PLAIN
      ? !findTexts(at, end, count, values)
      : encoding !== DELTA_LENGTH_BYTE_ARRAY || !findMeasuredTexts(at, end, count, values)
  ) {
    return false
  }
  const seconds = secondWords + ((filled as usize) << 3)
  let next: usize = 0
  for (let row = 0; row < rows; row++) {
    if (count < rows && load<u8>(present + row) === 0) continue
    const to = (row as usize) << 3
    if (coded) {
      const entry = entryHashes + ((load<u32>(values + (next << 2)) as usize) << 4)
      store<u64>(words + to, load<u64>(entry))
      store<u64>(seconds + to, load<u64>(entry + 8))
    } else {
      hashBytes(load<u32>(values + (next << 3)), load<u32>(values + (next << 3) + 4))
      store<u64>(words + to, hashLow)
      store<u64>(seconds + to, hashHigh)
    }
    next++
  }
  return true
}

function hashEntries(): void {
  if (entryCount > entryHashRoom) {
    entryHashRoom = max(entryCount, entryHashRoom * 2)
    entryHashes = grown(entryHashRoom, 16)
    hashedEntries = 0
  }
  for (; hashedEntries < entryCount; hashedEntries++) {
    hashBytes(entryStart(hashedEntries), entryLength(hashedEntries))
    const place = entryHashes + ((hashedEntries as usize) << 4)
    store<u64>(place, hashLow)
    store<u64>(place + 8, hashHigh)
  }
}

function markCodes(rows: i32, count: i32): bool {
  const starts = startsEnd() + filled
  let next = values
  let last: u32 = 0xffffffff
  for (let row = 0; row < rows; row++) {
    store<u8>(starts + row, 0)
    if (count < rows && load<u8>(present + row) === 0) continue
    const code = load<u32>(next)
    next += 4
    if (code === last) continue
    last = code
    if (isOther(entries + ((code as usize) << 3))) store<u8>(starts + row, 1)
  }
  return true
}

function markPlaces(rows: i32, count: i32): bool {
  const starts = startsEnd() + filled
  let next = values
  for (let row = 0; row < rows; row++) {
    store<u8>(starts + row, 0)
    if (count < rows && load<u8>(present + row) === 0) continue
    if (isOther(next)) store<u8>(starts + row, 1)
    next += 8
  }
  return true
}

/** Whether the integer or text at `place` differs from the actor before, which it then replaces. */
function isOther(place: usize): bool {
  if (isText()) return isOtherText(place)
  const actor = load<i64>(place)
  if (hasActor && actor === lastInteger) return false
  lastInteger = actor
  hasActor = true
  return true
}

function isOtherText(place: usize): bool {
  const length = load<i32>(place + 4)
  if (hasActor && length === lastLength && memory.compare(load<u32>(place), lastText, length) === 0) return false
  if (length > lastRoom) {
    lastRoom = max(length, lastRoom * 2)
    lastText = grown(lastRoom, 1)
  }
  memory.copy(lastText, load<u32>(place), length)
  lastLength = length
  hasActor = true
  return true
}
