/** Requests against their schemas, without compiling code from them. */
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { SkepError } from '../errors.ts'

/** Checks a part of a request. Texts of a URL become the numbers and truth values that its schema asks for; bodies stay as they are. */
export const validating: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const isText = httpPart === 'querystring' || httpPart === 'params'
  return (value: unknown) => {
    const read = isText ? Value.Convert(schema, structuredClone({ ...(value as object) })) : value
    if (Value.Check(schema, read)) return { value: read }
    return { error: invalid(httpPart ?? 'body', schema, read) }
  }
}

function invalid(part: string, schema: TSchema, value: unknown): SkepError<'ARGUMENT_INVALID'> {
  const errors = Value.Errors(schema, value)
  // What is unknown or missing says more than what follows from it.
  const first = errors.find(({ keyword }) => keyword === 'additionalProperties' || keyword === 'required') ?? errors[0]
  const place = part === 'querystring' ? 'URL parameter' : part
  const names = (first?.params as { additionalProperties?: string[]; requiredProperties?: string[] } | undefined) ?? {}
  const unknown = names.additionalProperties?.map((name) => `${name} is not known`)
  const missing = names.requiredProperties?.map((name) => `${name} is missing`)
  const at = first?.instancePath ?? ''
  const reason = (unknown ?? missing)?.join(', ') ?? `${at === '' ? '' : `${at} `}${first?.message ?? 'is not valid'}`
  return new SkepError('ARGUMENT_INVALID', `${place}: ${reason}`, { argument: at === '' ? part : at })
}
