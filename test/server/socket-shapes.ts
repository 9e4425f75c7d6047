/** Bytes that are requests by some readings and not by others, with the statuses that they may be answered with. */

/** Bytes, and the statuses of all answers joined by commas, one of which it has to be. */
export interface SocketShape {
  bytes: string
  statuses: readonly string[]
}

const GET = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n'
const POST = 'POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
const BODY = '{"sql":"SELECT 1"}'
const LENGTH = `Content-Length: ${BODY.length}\r\n`
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const CHUNK = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`
const SMUGGLED = 'GET /api/v1/tables HTTP/1.1\r\nHost: localhost\r\n\r\n'

const refused = ['400']
const shape = (bytes: string, ...statuses: string[]): SocketShape => ({ bytes, statuses })

/** The shapes by their names. */
export const SOCKET_SHAPES: Readonly<Record<string, SocketShape>> = {
  'a request': shape(`${GET}\r\n`, '200'),
  'a request with a body': shape(`${POST}${LENGTH}\r\n${BODY}`, '200'),
  'a body in chunks': shape(`${POST}${CHUNKED}\r\n${CHUNK}`, '200'),
  'two requests in one go': shape(`${GET}\r\n${GET}\r\n`, '200,200'),
  'fifty requests in one go': shape(`${GET}\r\n`.repeat(50), Array(50).fill('200').join()),
  'a slow request before a quick one': shape(`${POST}${LENGTH}\r\n${BODY}${GET}\r\n`, '200,200'),
  'a bad request between good ones': shape(
    `${GET}\r\n${POST}Content-Length: 1\r\n\r\n{${GET}\r\n`,
    '200,400',
    '200,400,200',
  ),
  nothing: shape('', ''),
  'blank lines': shape('\r\n\r\n\r\n', '', ...refused),
  'blank lines before a request': shape(`\r\n\r\n${GET}\r\n`, '200', ...refused),
  'a method': shape('GET', ...refused, ''),
  'a line': shape('GET /healthz HTTP/1.1\r\n', ...refused),
  'a head without an end': shape(GET, ...refused),
  'less than its body': shape(`${POST}Content-Length: 100\r\n\r\n${BODY}`, ...refused, ''),
  'more than its body': shape(`${POST}Content-Length: 5\r\n\r\n${BODY}`, '400,400', '', ...refused),
  'a body without a length': shape(`${POST}\r\n${BODY}`, '400,400', '400'),
  'a length that is none': shape(`${POST}Content-Length: x\r\n\r\n${BODY}`, ...refused),
  'a negative length': shape(`${POST}Content-Length: -1\r\n\r\n${BODY}`, ...refused),
  'a length with a sign': shape(`${POST}Content-Length: +18\r\n\r\n${BODY}`, ...refused),
  'a length in hex': shape(`${POST}Content-Length: 0x12\r\n\r\n${BODY}`, ...refused),
  'a fraction of a length': shape(`${POST}Content-Length: 18.0\r\n\r\n${BODY}`, ...refused),
  'a length beyond all': shape(`${POST}Content-Length: 99999999999999999999999\r\n\r\n${BODY}`, ...refused, '413'),
  'a length of gigabytes': shape(`${POST}Content-Length: 9000000000\r\n\r\n${BODY}`, '413', '413,400'),
  'two lengths': shape(`${POST}Content-Length: 18\r\nContent-Length: 5\r\n\r\n${BODY}`, ...refused),
  'the same length twice': shape(`${POST}${LENGTH}${LENGTH}\r\n${BODY}`, ...refused, '200'),
  'two lengths in one': shape(`${POST}Content-Length: 18, 18\r\n\r\n${BODY}`, ...refused),
  'a length and chunks': shape(`${POST}${LENGTH}${CHUNKED}\r\n${CHUNK}`, ...refused),
  'a short length and chunks that hide a request': shape(
    `${POST}Content-Length: 4\r\n${CHUNKED}\r\n0\r\n\r\n${SMUGGLED}`,
    ...refused,
  ),
  'chunks and a length that hides a request': shape(
    `${POST}${CHUNKED}Content-Length: ${SMUGGLED.length + 5}\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ...refused,
  ),
  'chunked, spelt otherwise': shape(`${POST}Transfer-Encoding: CHUNKED\r\n\r\n${CHUNK}`, '200', ...refused),
  'chunked behind something': shape(`${POST}Transfer-Encoding: identity, chunked\r\n\r\n${CHUNK}`, '200', ...refused),
  'something behind chunked': shape(`${POST}Transfer-Encoding: chunked, identity\r\n\r\n${CHUNK}`, ...refused),
  'chunked with a blank before the colon': shape(`${POST}Transfer-Encoding : chunked\r\n\r\n${CHUNK}`, ...refused),
  'chunked with a tab': shape(`${POST}Transfer-Encoding:\tchunked\r\n\r\n${CHUNK}`, '200', ...refused),
  xchunked: shape(`${POST}Transfer-Encoding: xchunked\r\n\r\n${CHUNK}`, ...refused),
  'chunked twice': shape(`${POST}${CHUNKED}${CHUNKED}\r\n${CHUNK}`, ...refused, '200'),
  'a chunk whose size is none': shape(`${POST}${CHUNKED}\r\nzz\r\n${BODY}\r\n0\r\n\r\n`, ...refused),
  'a chunk with a negative size': shape(`${POST}${CHUNKED}\r\n-5\r\n${BODY}\r\n0\r\n\r\n`, ...refused),
  'a chunk beyond all': shape(`${POST}${CHUNKED}\r\nffffffffffffffffff\r\n${BODY}\r\n0\r\n\r\n`, ...refused),
  'a chunk that is shorter than it says': shape(`${POST}${CHUNKED}\r\nff\r\n${BODY}\r\n0\r\n\r\n`, ...refused, ''),
  'a chunk that is longer than it says': shape(`${POST}${CHUNKED}\r\n2\r\n${BODY}\r\n0\r\n\r\n`, '', ...refused),
  'chunks without an end': shape(`${POST}${CHUNKED}\r\n12\r\n${BODY}\r\n`, ...refused, ''),
  'a chunk with an extension': shape(`${POST}${CHUNKED}\r\n12;x=y\r\n${BODY}\r\n0\r\n\r\n`, '200', ...refused),
  'a chunk with a bare line feed': shape(`${POST}${CHUNKED}\r\n12\n${BODY}\r\n0\r\n\r\n`, ...refused),
  'a trailer': shape(`${POST}${CHUNKED}\r\n12\r\n${BODY}\r\n0\r\nHost: evil.com\r\n\r\n`, '200', ...refused),
  'bare line feeds': shape(`${GET}\r\n`.replaceAll('\r\n', '\n'), ...refused, '200'),
  'bare carriage returns': shape(`${GET}\r\n`.replaceAll('\r\n', '\r'), ...refused),
  'a NUL in a header': shape(`${GET}X: a\0b\r\n\r\n`, ...refused),
  'a header without a colon': shape(`${GET}nothing\r\n\r\n`, ...refused),
  'a header without a name': shape(`${GET}: x\r\n\r\n`, ...refused),
  'a folded header': shape(`${GET}X: a\r\n b\r\n\r\n`, '200', ...refused),
  'a header of 100 KB': shape(`${GET}X: ${'x'.repeat(100_000)}\r\n\r\n`, '431', ...refused),
  'a target of 100 KB': shape(`GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, '431', ...refused),
  'three thousand headers': shape(
    `${GET}${Array.from({ length: 3000 }, (_, k) => `X${k}: 1\r\n`).join('')}\r\n`,
    '431',
    ...refused,
    '200',
  ),
  'HTTP/0.9': shape('GET /healthz\r\n', ...refused),
  'HTTP/1.0': shape('GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n', '200'),
  'HTTP/2': shape('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ...refused),
  'HTTP/9.9': shape('GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n', ...refused),
  'no HTTP': shape('GET /healthz FTP/1.1\r\nHost: localhost\r\n\r\n', ...refused),
  'a target without a slash': shape('GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', ...refused, '404'),
  'a target with blanks': shape('GET /health z HTTP/1.1\r\nHost: localhost\r\n\r\n', ...refused),
  'a target of bytes': shape('GET /\xff\xfe\x80 HTTP/1.1\r\nHost: localhost\r\n\r\n', ...refused, '404'),
  'the asterisk': shape('OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n', '404', '405', ...refused),
  CONNECT: shape('CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n', '', ...refused, '404', '405'),
  'an upgrade': shape(`${GET}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n`, '200'),
  'an upgrade of a query': shape(`${POST}Connection: Upgrade\r\nUpgrade: h2c\r\n${LENGTH}\r\n${BODY}`, '200'),
  'an expectation': shape(`${POST}Expect: 100-continue\r\n${LENGTH}\r\n${BODY}`, '200'),
  'another expectation': shape(`${POST}Expect: the unexpected\r\n${LENGTH}\r\n${BODY}`, '200', ...refused),
  'a handshake of TLS': shape(`\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${'\x00'.repeat(500)}`, ...refused),
  'the greeting of another protocol': shape('SSH-2.0-OpenSSH_9.6\r\n', ...refused),
  'a command of Redis': shape('*1\r\n$4\r\nPING\r\n', ...refused),
  'a body for a GET': shape(`${GET}${LENGTH}\r\n${BODY}${GET}\r\n`, '200,200', '200,400', '400,200', ...refused),
  'a request that closes, and another': shape(`${GET}Connection: close\r\n\r\n${GET}\r\n`, '200', ...refused),
  'a host that is none': shape('GET /healthz HTTP/1.1\r\nHost: \x01\r\n\r\n', ...refused, '403'),
}
